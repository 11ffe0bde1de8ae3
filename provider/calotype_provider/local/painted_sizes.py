"""Which sizes each model has painted: what to try instead of one that does not fit. Pure bookkeeping."""

from __future__ import annotations

from calotype_provider.geometry import size_for
from calotype_provider.local.messages import Paint
from calotype_provider.types import Size

SIZES_MAX = 64
"""Remembered of one model; the one painted longest ago goes first."""

MULTIPLE_OF = 16
"""What the sides of a size that nobody has tried are multiples of: most models paint no others."""


class PaintedSizes:
    def __init__(self) -> None:
        # A dict's keys: a set in the order in which they were painted last.
        self._sizes: dict[str, dict[Size, None]] = {}

    def learn(self, paint: Paint) -> None:
        sizes = self._sizes.setdefault(paint.model_id, {})
        size = Size(paint.width, paint.height)
        sizes.pop(size, None)
        sizes[size] = None
        if len(sizes) > SIZES_MAX:
            del sizes[next(iter(sizes))]

    def forget(self, model_id: str) -> None:
        self._sizes.pop(model_id, None)

    def advice(self, paint: Paint) -> str:
        """What fits of a picture that did not: the largest painted that is smaller, or else half of it, which may."""
        asked = Size(paint.width, paint.height)
        smaller = [size for size in self._sizes.get(paint.model_id, ()) if size.pixels < asked.pixels]
        if smaller:
            return f"{max(smaller, key=lambda size: size.pixels)} has"
        half = asked.pixels // 2
        side_max = max(asked.width, asked.height)
        tried = size_for(
            asked, pixels=half, multiple_of=MULTIPLE_OF, side_min=MULTIPLE_OF, side_max=side_max, pixels_max=half
        )
        return f"half the pixels may, {tried}" if tried else "half the pixels may"
