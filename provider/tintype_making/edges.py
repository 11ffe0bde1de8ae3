"""Canny's edges of a picture, in plain numpy: smooth, slope, thin, join. Knows nothing of models."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

#: Of the slope's size, 0 to 255 and more: edges begin above the upper, and go on above the lower.
LOWER, UPPER = 40.0, 90.0
#: Pixels that an edge may be off and still count as found.
TOLERANCE = 1


def edge_picture(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """White edges on black, uint8 [height, width, 3]."""
    edges = canny(picture)
    return np.repeat((edges * np.uint8(255))[..., None], 3, axis=-1)


def canny(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where uint8 [height, width, 3] has edges, one pixel thin, [height, width]."""
    smooth = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1))).astype(np.float64)
    # Of the three channels the steepest, so that red on green of the same lightness has an edge too.
    down, across = (np.gradient(smooth, axis=axis) * 4 for axis in (0, 1))
    steepest = np.hypot(down, across).argmax(-1)[..., None]
    down, across = (np.take_along_axis(part, steepest, -1)[..., 0] for part in (down, across))
    slope = thinned(np.hypot(down, across), down, across)
    return joined(slope > LOWER, slope > UPPER)


def thinned(slope: NDArray[np.float64], down: NDArray[np.float64], across: NDArray[np.float64]) -> NDArray[np.float64]:
    """The slope where it is greatest along its own direction, else 0."""
    direction = np.round(np.arctan2(down, across) / (np.pi / 4)).astype(int) % 4
    padded = np.pad(slope, 1)
    height, width = slope.shape
    kept = np.zeros_like(slope)
    for number, (y, x) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        before = padded[1 - y : 1 - y + height, 1 - x : 1 - x + width]
        after = padded[1 + y : 1 + y + height, 1 + x : 1 + x + width]
        greatest = (direction == number) & (slope >= before) & (slope > after)
        kept[greatest] = slope[greatest]
    return kept


def joined(weak: NDArray[np.bool_], strong: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The weak edges that touch a strong one, over any number of others."""
    edges = strong & weak
    while (grown := spread(edges, 1) & weak).sum() > edges.sum():
        edges = grown
    return edges


def spread(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """The mask and so many pixels around it."""
    wide = Image.fromarray(mask).convert("L").filter(ImageFilter.MaxFilter(2 * pixels + 1))
    return np.asarray(wide) > 0


def edge_f1(found: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> float:
    """Harmonic mean of precision and recall of edge pixels, with a pixel's tolerance. Both are edge pictures."""
    given, asked = found[..., 0] > 0, wanted[..., 0] > 0
    if not given.any() or not asked.any():
        return float(given.any() == asked.any())
    precision = (given & spread(asked, TOLERANCE)).sum() / given.sum()
    recall = (asked & spread(given, TOLERANCE)).sum() / asked.sum()
    return float(2 * precision * recall / max(1e-9, precision + recall))
