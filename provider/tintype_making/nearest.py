"""How far a painted subject is from the nearest true drawing of its noun, over style, size and shift."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .drawings import Drawings
from .scenes import Thing, draw_thing, side_of
from .vocabulary import COLOURS, SIZES, STYLES

#: Pixels that a drawing is tried away from the middle of the box it is looked for in, either way.
REACH = 8
#: Around each named size, as shares of it.
STRETCHES = (0.92, 0.96, 1.0, 1.04)


def nearest_distance(
    picture: NDArray[np.uint8], thing: Thing, background: str, middle: tuple[float, float], drawings: Drawings
) -> tuple[float, str]:
    """Mean absolute difference inside the subject, 0 to 255, and the named size that fits best.

    The middle is where the subject was asked to be, in pixels from the left and from the top.
    """
    best, best_size = 255.0, ""
    for size in SIZES:
        for stretch in STRETCHES:
            side = round(stretch * side_of(size, min(picture.shape[:2])))
            for style in STYLES:
                cutout = draw_thing(thing, style, side, drawings)
                distance = nearest_shift(picture, cutout, COLOURS[background], middle)
                if distance < best:
                    best, best_size = distance, size
    return best, best_size


def nearest_shift(
    picture: NDArray[np.uint8], cutout: Image.Image, background: tuple[int, int, int], middle: tuple[float, float]
) -> float:
    """The least distance over shifts: first every second pixel, then those around the best."""
    flat = Image.new("RGB", cutout.size, background)
    flat.paste(cutout, (0, 0), cutout)
    target, mask = np.asarray(flat).astype(np.int16), np.asarray(cutout)[..., 3] > 127
    left, top = round(middle[0] - cutout.width / 2), round(middle[1] - cutout.height / 2)
    tried: dict[tuple[int, int], float] = {}

    def distance_at(x: int, y: int) -> float:
        if (x, y) not in tried:
            tried[x, y] = distance(picture, target, mask, left + x, top + y)
        return tried[x, y]

    coarse = range(-REACH, REACH + 1, 4)
    x, y = min(((x, y) for x in coarse for y in coarse), key=lambda shift: distance_at(*shift))
    for step in (2, 1):
        around = [(x + a * step, y + b * step) for a in (-1, 0, 1) for b in (-1, 0, 1)]
        x, y = min(around, key=lambda shift: distance_at(*shift))
    return tried[x, y]


def distance(
    picture: NDArray[np.uint8], target: NDArray[np.int16], mask: NDArray[np.bool_], left: int, top: int
) -> float:
    """Mean absolute difference where the mask is, which may hang over the picture's edge a little."""
    height, width = mask.shape
    y0, x0 = max(0, -top), max(0, -left)
    y1, x1 = min(height, picture.shape[0] - top), min(width, picture.shape[1] - left)
    window = picture[top + y0 : top + y1, left + x0 : left + x1].astype(np.int16)
    inside = mask[y0:y1, x0:x1]
    if inside.sum() < 0.9 * mask.sum():
        return 255.0
    return float(np.abs(window - target[y0:y1, x0:x1])[inside].mean())
