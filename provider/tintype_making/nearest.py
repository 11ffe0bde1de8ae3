"""How far a painted subject is from the nearest true drawing of its noun, over style, size and shift."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .drawings import Drawings
from .scenes import Scene, background_pixels, box_of, draw_thing, side_of
from .vocabulary import SIZES, STYLES

#: Pixels that a drawing is tried away from the middle of the box it is looked for in, either way.
REACH = 8
#: Around each named size, as shares of it.
STRETCHES = (0.92, 0.96, 1.0, 1.04)


def nearest_distance(picture: NDArray[np.uint8], scene: Scene, drawings: Drawings) -> tuple[float, str]:
    """Of a scene's first thing: mean absolute difference inside it, 0 to 255, and the named size that fits best."""
    height, width = picture.shape[:2]
    thing, ground = scene.things[0], background_pixels(scene.background, width, height).astype(np.int32)
    box = box_of(thing.size, scene.places[0], width, height)
    middle = (box.left + box.side / 2, box.top + box.side / 2)
    best, best_size = 255.0, ""
    for size in SIZES:
        for stretch in STRETCHES:
            side = round(stretch * side_of(size, min(width, height)))
            for style in STYLES:
                found = nearest_shift(picture, draw_thing(thing, style, side, drawings), ground, middle)
                if found < best:
                    best, best_size = found, size
    return best, best_size


def nearest_shift(
    picture: NDArray[np.uint8], cutout: Image.Image, ground: NDArray[np.int32], middle: tuple[float, float]
) -> float:
    """The least distance over shifts: first every fourth pixel, then those around the best."""
    pixels = np.asarray(cutout).astype(np.int32)
    left, top = round(middle[0] - cutout.width / 2), round(middle[1] - cutout.height / 2)
    tried: dict[tuple[int, int], float] = {}

    def distance_at(x: int, y: int) -> float:
        if (x, y) not in tried:
            tried[x, y] = distance(picture, pixels, ground, left + x, top + y)
        return tried[x, y]

    coarse = range(-REACH, REACH + 1, 4)
    x, y = min(((x, y) for x in coarse for y in coarse), key=lambda shift: distance_at(*shift))
    for step in (2, 1):
        around = [(x + a * step, y + b * step) for a in (-1, 0, 1) for b in (-1, 0, 1)]
        x, y = min(around, key=lambda shift: distance_at(*shift))
    return tried[x, y]


def distance(
    picture: NDArray[np.uint8], cutout: NDArray[np.int32], ground: NDArray[np.int32], left: int, top: int
) -> float:
    """Mean absolute difference where the cutout is solid, which may hang over the picture's edge a little."""
    height, width = cutout.shape[:2]
    y0, x0 = max(0, -top), max(0, -left)
    y1, x1 = min(height, picture.shape[0] - top), min(width, picture.shape[1] - left)
    part, window = cutout[y0:y1, x0:x1], (slice(top + y0, top + y1), slice(left + x0, left + x1))
    inside = part[..., 3] > 127
    if inside.sum() < 0.9 * (cutout[..., 3] > 127).sum():
        return 255.0
    opacity = part[..., 3:]
    target = (part[..., :3] * opacity + ground[window] * (255 - opacity)) // 255
    return float(np.abs(picture[window].astype(np.int32) - target)[inside].mean())
