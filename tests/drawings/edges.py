"""Edges as the canny model is given them, white on black; and how well a picture keeps to them."""

import numpy as np
from drawings.scenes import Picture
from numpy.typing import NDArray
from PIL import Image, ImageFilter

#: Of the slope: edges begin above the upper, and go on above the lower.
LOWER, UPPER = 40.0, 90.0
#: Pixels that an edge may be off.
TOLERANCE = 1

Mask = NDArray[np.bool_]
Slope = NDArray[np.float64]


def edge_picture(picture: Picture) -> Picture:
    return np.repeat((canny(picture) * np.uint8(255))[..., None], 3, axis=-1)


def canny(picture: Picture) -> Mask:
    """Where the edges are, one pixel thin, [height, width]."""
    smooth = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1))).astype(np.float64)
    # Of the three channels the steepest: red on green of the same lightness has an edge too.
    down, across = (np.gradient(smooth, axis=axis) * 4 for axis in (0, 1))
    steepest = np.hypot(down, across).argmax(-1)[..., None]
    down, across = (np.take_along_axis(part, steepest, -1)[..., 0] for part in (down, across))
    slope = thinned(np.hypot(down, across), down, across)
    edges = slope > UPPER
    while (grown := spread(edges, 1) & (slope > LOWER)).sum() > edges.sum():
        edges = grown
    return edges


def thinned(slope: Slope, down: Slope, across: Slope) -> Slope:
    """The slope where it is greatest along its own direction, else 0."""
    direction = np.round(np.arctan2(down, across) / (np.pi / 4)).astype(int) % 4
    (height, width), padded = slope.shape, np.pad(slope, 1)
    kept = np.zeros_like(slope)
    for number, (y, x) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        before = padded[1 - y : 1 - y + height, 1 - x : 1 - x + width]
        after = padded[1 + y : 1 + y + height, 1 + x : 1 + x + width]
        greatest = (direction == number) & (slope >= before) & (slope > after)
        kept[greatest] = slope[greatest]
    return kept


def spread(mask: Mask, pixels: int) -> Mask:
    """The mask and so many pixels around it."""
    return np.asarray(Image.fromarray(mask).convert("L").filter(ImageFilter.MaxFilter(2 * pixels + 1))) > 0


def edge_f1(picture: Picture, edges: Picture) -> float:
    """Harmonic mean of precision and recall of the picture's edges, with the tolerance."""
    given, asked = canny(picture), edges[..., 0] > 127
    if not given.any() or not asked.any():
        return float(given.any() == asked.any())
    precision = (given & spread(asked, TOLERANCE)).sum() / given.sum()
    recall = (asked & spread(given, TOLERANCE)).sum() / asked.sum()
    return float(2 * precision * recall / max(1e-9, precision + recall))
