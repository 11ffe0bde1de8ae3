"""What a model's card allows: numbers, sizes, and what each quality stands for."""

from __future__ import annotations

import msgspec

from calotype_provider.geometry import size_for
from calotype_provider.types import AspectRatio, Size


class IntegerRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    min: int
    """The least."""
    max: int
    """The most."""
    default: int
    """Where it is not given."""


class NumberRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    min: float
    """The least."""
    max: float
    """The most."""
    default: float
    """Where it is not given."""


class SizeRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every size whose sides are multiples of `multiple_of` from `side_min` to `side_max`, `pixels_max` in all."""

    multiple_of: int
    """Of each side, in pixels."""
    side_min: int
    """In pixels."""
    side_max: int
    """In pixels."""
    pixels_max: int
    """Width times height."""

    def holds(self, size: Size) -> bool:
        sides = (size.width, size.height)
        return size.pixels <= self.pixels_max and all(
            self.side_min <= side <= self.side_max and side % self.multiple_of == 0 for side in sides
        )

    def nearest(self, ratio: Size | AspectRatio, *, pixels: int) -> Size | None:
        return size_for(
            ratio,
            pixels=min(pixels, self.pixels_max),
            multiple_of=self.multiple_of,
            side_min=self.side_min,
            side_max=self.side_max,
            pixels_max=self.pixels_max,
        )


class QualityLevel(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a quality means, for a call that does not say these itself."""

    num_inference_steps: int | None = None
    """Denoising steps."""
    pixels: int | None = None
    """Width times height."""
