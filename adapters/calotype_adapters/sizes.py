"""A picture's size as requests ask for it: `size`, or `width` and `height`, or both in agreement."""

from __future__ import annotations

from calotype_provider.errors import InvalidCallError
from calotype_provider.geometry import parse_size
from calotype_provider.types import SIDE_PIXELS_MAX, Size


def asked_size(size: str | None, *, width: int | None, height: int | None) -> Size | None:
    """None when nothing, or 'auto', was asked. Raises InvalidCallError, naming the field."""
    sides = _sides(width, height)
    if size is None or size.strip().lower() == "auto":
        return sides
    parsed = parse_size(size)
    if sides is not None and sides != parsed:
        raise InvalidCallError(f"size {parsed} and width x height {sides} contradict each other", parameter="size")
    return parsed


def _sides(width: int | None, height: int | None) -> Size | None:
    for side, value in (("width", width), ("height", height)):
        if value is not None and not 1 <= value <= SIDE_PIXELS_MAX:
            raise InvalidCallError(f"{side} must be from 1 to {SIDE_PIXELS_MAX} pixels, got {value}", parameter=side)
    if width is None and height is None:
        return None
    if width is None:
        raise InvalidCallError(f"height {height} needs a width beside it", parameter="width")
    if height is None:
        raise InvalidCallError(f"width {width} needs a height beside it", parameter="height")
    return Size(width, height)
