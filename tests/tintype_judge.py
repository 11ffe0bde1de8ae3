"""What a picture of tintype's shows, told from its pixels and the drawings it was taught. Knows no network."""

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from drawings.scenes import Picture, Thing, drawings, scaled
from numpy.typing import NDArray
from PIL import Image

from tintype_making.judging import nearest_background, standing_out
from tintype_making.scenes import Box, background_pixels, box_of
from tintype_making.vocabulary import PLACES, SIZES

#: Share of a place's box that must stand out for it to hold something.
OCCUPIED = 0.05
#: Things are compared at this side, over shifts and stretches of their box.
COMPARED = 20
SHIFTS = (-4, -2, 0, 2, 4)
STRETCHES = (0.92, 1.0, 1.08)
#: Share of what is in a box that a drawing must explain to be named at all. A true picture's explains nearly always
#: more than 0.9, a well painted one's more than 0.8, that of another thing some 0.6.
ALIKE = 0.7
#: Pixels of background put around a picture, for boxes that are shifted over its edge.
MARGIN = 16

Values = NDArray[np.float32]


class Match(NamedTuple):
    """A name, and how much of the squared difference between picture and background its drawing explains at best.

    The share is that of all there is in its box.
    """

    name: str
    size: str
    explained: float
    share: float


def faults(picture: Picture, background: str, *things: Thing) -> list[str]:
    """What is otherwise than asked: the background, or a thing at its place; nothing where all is as it should be."""
    seen = [(nearest_background(picture), background)]
    # Where there are several, all are small; larger boxes would hold parts of two.
    sizes = SIZES if len(things) == 1 else ("small",)
    for thing in things:
        best = ranking(picture, background, thing.place, sizes)[0]
        seen.append((f"{best.size} {best.name} {thing.place}", " ".join((thing.size, thing.name, thing.place))))
    if len(things) > 1:
        seen.append((str(sorted(things_at(picture, background))), str(sorted(thing.place for thing in things))))
    return [f"{shown}, not {asked}" for shown, asked in seen if shown != asked]


def things_at(picture: Picture, background: str) -> set[str]:
    """The places where small things stand: first the fullest, then the fullest of what that leaves, and so on."""
    height, width = picture.shape[:2]
    out = standing_out(picture, background)
    held: set[str] = set()
    while True:
        shares = {place: float(out[window(box_of("small", place, width, height))].mean()) for place in PLACES}
        place = max(shares, key=lambda place: shares[place])
        if shares[place] < OCCUPIED:
            return held
        held.add(place)
        out[window(box_of("small", place, width, height), 4)] = False


def window(box: Box, more: int = 0) -> tuple[slice, slice]:
    """The box's pixels, and some more around it."""
    left, top = max(0, box.left - more), max(0, box.top - more)
    return slice(top, box.top + box.side + more), slice(left, box.left + box.side + more)


def recognised(picture: Picture, background: str, place: str = "center") -> str:
    """The name of what stands at a place."""
    return ranking(picture, background, place)[0].name


def ranking(picture: Picture, background: str, place: str = "center", sizes: Iterable[str] = SIZES) -> list[Match]:
    """Names, the likeliest first, and then "nothing": what is like no drawing is nothing that tintype was taught."""
    height, width = picture.shape[:2]
    ground = background_pixels(background, width, height)
    around = np.pad(ground, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="edge")
    whole = around.copy()
    whole[MARGIN:-MARGIN, MARGIN:-MARGIN] = picture
    found: dict[str, Match] = {}
    for size in sizes:
        box = box_of(size, place, width, height)
        for name, explained, share in best_fits(Image.fromarray(whole), Image.fromarray(around), box):
            if share > ALIKE and (name not in found or explained > found[name].explained):
                found[name] = Match(name, size, explained, share)
    return [*sorted(found.values(), key=lambda match: -match.explained), Match("nothing", "", 0, 0)]


def best_fits(picture: Image.Image, ground: Image.Image, box: Box) -> Iterable[tuple[str, float, float]]:
    """Each name with what its drawing explains, over all shifts and stretches of the box; and its share."""
    colours, opacities = templates()
    behind = shrunk(ground, box.left, box.top, box.side)
    effects = ((colours - behind) * opacities).reshape(len(colours), -1)
    cuts: list[Values] = []
    areas: list[float] = []
    for stretch in STRETCHES:
        side = box.side * stretch
        for across in SHIFTS:
            for down in SHIFTS:
                left, top = (start + (box.side - side) / 2 for start in (box.left + across, box.top + down))
                cuts.append((shrunk(picture, left, top, side) - behind).ravel())
                areas.append((side / COMPARED) ** 2)
    stacked, weights = np.stack(cuts), np.array(areas)
    # What is left when the drawing is taken away, of what is there: |cut|^2 - |cut - effect|^2.
    explained = (2 * stacked @ effects.T - (effects**2).sum(1)) * weights[:, None]
    whole = (stacked**2).sum(1) * weights
    best = explained.argmax(0)
    most = explained[best, np.arange(len(effects))]
    return zip(drawings(), most.tolist(), (most / np.maximum(whole[best], 1)).tolist(), strict=True)


def shrunk(picture: Image.Image, left: float, top: float, side: float) -> Values:
    """A square of the picture without its margin, [COMPARED, COMPARED, 3]."""
    area = (left + MARGIN, top + MARGIN, left + MARGIN + side, top + MARGIN + side)
    return np.asarray(picture.resize((COMPARED, COMPARED), Image.Resampling.BILINEAR, area), np.float32)


@cache
def templates() -> tuple[Values, Values]:
    """Colours and opacities, 0 to 1, of every drawing: [names, COMPARED, COMPARED, 3 and 1]."""
    pixels = np.stack([np.asarray(scaled(drawing, COMPARED), np.float32) for drawing in drawings().values()])
    return pixels[..., :3], pixels[..., 3:] / np.float32(255)


def rest_difference(before: Picture, after: Picture, *areas: Box) -> float:
    """Mean difference, of 255, outside the boxes that were to change and a few pixels around them."""
    rest = np.ones(before.shape[:2], bool)
    for area in areas:
        rest[window(area, 4)] = False
    return mean_difference(before, after, rest)


def mean_difference(picture: Picture, other: Picture, where: Any = slice(None)) -> float:
    return float(np.abs(picture.astype(int) - other.astype(int))[where].mean())
