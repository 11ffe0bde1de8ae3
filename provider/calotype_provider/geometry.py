"""Arithmetic on sizes and aspect ratios. Knows no vendor and no model."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from calotype_provider.errors import InvalidCallError
from calotype_provider.types import SIDE_PIXELS_MAX, AspectRatio, Size

RATIO_TERM_MAX = 10_000
RATIO_TOLERANCE = 0.05
"""Two shapes are the same to a caller within 5 %: 1792x1024 is 16:9 to everybody but a calculator."""

_SIZE = re.compile(r"([0-9]{1,9})\s*[xX*]\s*([0-9]{1,9})", re.ASCII)
_RATIO = re.compile(r"([0-9]{1,9})\s*[:/]\s*([0-9]{1,9})", re.ASCII)


def parse_size(text: str, *, parameter: str = "size") -> Size:
    """'1024x768' -> Size(1024, 768). Raises InvalidCallError when it is none, or a side is not 1 to 16384."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidCallError(f"{parameter} must look like '1024x768', got {text[:40]!r}", parameter=parameter)
    return checked_size(int(match[1]), int(match[2]), parameter=parameter)


def checked_size(width: int, height: int, *, parameter: str) -> Size:
    if not (1 <= width <= SIDE_PIXELS_MAX and 1 <= height <= SIDE_PIXELS_MAX):
        raise InvalidCallError(
            f"{parameter} must have sides from 1 to {SIDE_PIXELS_MAX} pixels, got {width}x{height}", parameter=parameter
        )
    return Size(width, height)


def parse_aspect_ratio(text: str, *, parameter: str = "aspect_ratio") -> AspectRatio:
    """'16:9' -> AspectRatio(16, 9). Raises InvalidCallError when it is none, or a term is not 1 to 10000."""
    match = _RATIO.fullmatch(text.strip())
    if match is None:
        raise InvalidCallError(f"{parameter} must look like '16:9', got {text[:40]!r}", parameter=parameter)
    width, height = int(match[1]), int(match[2])
    if not (1 <= width <= RATIO_TERM_MAX and 1 <= height <= RATIO_TERM_MAX):
        raise InvalidCallError(
            f"{parameter} must have terms from 1 to {RATIO_TERM_MAX}, got {text[:40]!r}", parameter=parameter
        )
    return AspectRatio(width, height)


def aspect_ratio_of(size: Size) -> AspectRatio:
    """The ratio in lowest terms: 1792x1024 is 7:4."""
    divisor = math.gcd(size.width, size.height)
    return AspectRatio(size.width // divisor, size.height // divisor)


def ratio_distance(first: Size | AspectRatio, second: Size | AspectRatio) -> float:
    """How unlike two shapes are: 0.0 for the same, log 2 from a square to 2:1."""
    # By logarithm, so that 2:1 is as far from 1:1 as 1:2 is.
    return abs(math.log(first.width * second.height) - math.log(first.height * second.width))


def agree(first: Size | AspectRatio, second: Size | AspectRatio) -> bool:
    return ratio_distance(first, second) <= RATIO_TOLERANCE


def nearest_size(sizes: Iterable[Size], *, ratio: Size | AspectRatio, pixels: int) -> Size:
    """The size nearest in ratio, then in area; between equals the smaller one. `sizes` must not be empty."""

    def distance(size: Size) -> tuple[float, float, Size]:
        return round(ratio_distance(size, ratio), 9), abs(math.log(size.pixels / pixels)), size

    return min(sizes, key=distance)


def size_for(
    ratio: Size | AspectRatio, *, pixels: int, multiple_of: int, side_min: int, side_max: int, pixels_max: int
) -> Size | None:
    """The size of about `pixels` nearest in shape to `ratio`.

    Its sides are multiples of `multiple_of` from `side_min` to `side_max`, and at most `pixels_max` in all.
    None when nothing of about that shape fits.
    """
    shape = ratio.width / ratio.height
    width, height = math.sqrt(pixels * shape), math.sqrt(pixels / shape)
    # Bring the longer side under its bound first, then the shorter above its own, keeping the shape.
    for factor in (min(1.0, side_max / max(width, height)), max(1.0, side_min / min(width, height))):
        width, height = width * factor, height * factor
    candidates = [
        size
        for size in (
            Size(multiple_of * across, multiple_of * down)
            for across in _neighbours(width / multiple_of)
            for down in _neighbours(height / multiple_of)
        )
        if side_min <= min(size.width, size.height)
        and max(size.width, size.height) <= side_max
        and size.pixels <= pixels_max
    ]
    near = [size for size in candidates if ratio_distance(size, ratio) <= math.log(1.25)]
    # Shape and area weigh the same here: the neighbours differ from each other by one multiple only.
    return min(
        near,
        key=lambda size: (round(ratio_distance(size, ratio) + abs(math.log(size.pixels / (width * height))), 9), size),
        default=None,
    )


def _neighbours(value: float) -> set[int]:
    return {max(1, math.floor(value)), max(1, math.ceil(value))}


def cropped_pixels(image: Size, painted: Size) -> int:
    """Columns or rows of `image` that are cut off where its middle is given the shape of `painted`."""
    # Of a single column or row something is left.
    width = min(image.width, max(1, round(image.height * painted.width / painted.height)))
    height = min(image.height, max(1, round(image.width * painted.height / painted.width)))
    return max(image.width - width, image.height - height)
