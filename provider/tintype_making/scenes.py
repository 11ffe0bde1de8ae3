"""What is in a picture, and painting it. Knows nothing of captions or models."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .nouns import NOUNS
from .vocabulary import COLOURED_NOUNS, COLOURS, PLACES, SHAPES, SIZES, SIZES_WHERE_NARROW

if TYPE_CHECKING:
    # The tests, which have no icon sets, place and judge things by this module too.
    from .drawings import Drawings

#: Boxes lie on this grid of pixels, a latent's width; their sides, and the way of a place from the middle, are
#: multiples of twice as much: so a drawing's latents are the same wherever it is, which a small model learns in a
#: fraction of the time.
GRID = 8

#: Share of the way from the middle to the edge that a place lies at.
REACH = 0.8


class Thing(NamedTuple):
    """One noun, or one shape: a shape always has a colour; a noun only where its drawing depends on it."""

    name: str
    size: str = "medium"
    colour: str = ""

    @property
    def is_shape(self) -> bool:
        return bool(self.colour) and self.name in SHAPES

    @property
    def drawing(self) -> str:
        return COLOURED_NOUNS.get((self.name, self.colour)) or NOUNS[self.name].drawing


class Scene(NamedTuple):
    """One picture: one to four things, each at its place, over a background of one colour or two ("blue to red").

    Where there are several, all are small, so that each looks the same as it does alone.
    """

    things: tuple[Thing, ...]
    places: tuple[str, ...]
    background: str
    style: str = "flat"

    @property
    def is_count(self) -> bool:
        """Several of the same."""
        return len(self.things) > 1 and len(set(self.things)) == 1


class Box(NamedTuple):
    """A square in a picture, in pixels."""

    left: int
    top: int
    side: int


def paint(scene: Scene, width: int, height: int, drawings: Drawings) -> NDArray[np.uint8]:
    """The scene as uint8 [height, width, 3]."""
    picture = Image.fromarray(background_pixels(scene.background, width, height))
    for thing, place in zip(scene.things, scene.places, strict=True):
        box = box_of(thing.size, place, width, height)
        cutout = draw_thing(thing, scene.style, box.side, drawings)
        picture.paste(cutout, (box.left, box.top), cutout)
    return np.asarray(picture)


def background_pixels(background: str, width: int, height: int) -> NDArray[np.uint8]:
    """uint8 [height, width, 3]; two colours run from the top's to the bottom's."""
    above, _, below = background.partition(" to ")
    first, second = np.array(COLOURS[above]), np.array(COLOURS[below or above])
    share = np.linspace(0, 1, height)[:, None]
    rows = first * (1 - share) + second * share
    return np.broadcast_to(rows.round().astype(np.uint8)[:, None], (height, width, 3)).copy()


def box_of(size: str, place: str, width: int, height: int) -> Box:
    side = side_of(size, min(width, height))
    across, down = PLACES[place]
    return Box(start_of(side, width, across), start_of(side, height, down), side)


def start_of(side: int, room: int, direction: int) -> int:
    """Pixels before a box of that side in so many."""
    spare = room - side
    middle = GRID * round(spare / 2 / GRID)
    step = 2 * GRID * round(REACH * spare / 2 / (2 * GRID))
    if 2 * step < side <= spare:
        # There is room for two that do not overlap.
        step += 2 * GRID
    return min(max(middle + direction * step, 0), spare)


def side_of(size: str, room: int) -> int:
    """Side of the box of a thing of that size, where the shorter side of its room is so long; all in pixels."""
    sides = SIZES if room >= 2 * SIZES["small"] else SIZES_WHERE_NARROW
    return min(sides[size], room)


def draw_thing(thing: Thing, style: str, side: int, drawings: Drawings) -> Image.Image:
    """The thing alone as RGBA [side, side]."""
    if thing.is_shape:
        return draw_shape(thing.name, COLOURS[thing.colour], side)
    full = Image.fromarray(drawings[style, thing.drawing])
    # Premultiplied while shrinking, so that clear pixels lend no colour to the edge.
    return full.convert("RGBa").resize((side, side), Image.Resampling.LANCZOS).convert("RGBA")


def draw_shape(name: str, colour: tuple[int, int, int], side: int) -> Image.Image:
    """A plain shape, painted four times too large and shrunk for smooth edges."""
    big = side * 4
    mask = Image.new("L", (big, big), 0)
    pen = ImageDraw.Draw(mask)
    match name:
        case "circle":
            pen.ellipse(scaled((0.04, 0.04, 0.96, 0.96), big), fill=255)
        case "ring":
            pen.ellipse(scaled((0.04, 0.04, 0.96, 0.96), big), fill=255)
            pen.ellipse(scaled((0.28, 0.28, 0.72, 0.72), big), fill=0)
        case "square":
            pen.rectangle(scaled((0.08, 0.08, 0.92, 0.92), big), fill=255)
        case "heart":
            pen.ellipse(scaled((0.04, 0.08, 0.53, 0.57), big), fill=255)
            pen.ellipse(scaled((0.47, 0.08, 0.96, 0.57), big), fill=255)
            pen.polygon(scaled((0.083, 0.45, 0.917, 0.45, 0.5, 0.95), big), fill=255)
        case _:
            pen.polygon(scaled(POLYGONS[name], big), fill=255)
    cutout = Image.new("RGBA", (side, side), (*colour, 255))
    cutout.putalpha(mask.resize((side, side), Image.Resampling.LANCZOS))
    return cutout


def scaled(points: tuple[float, ...], side: int) -> list[float]:
    return [point * side for point in points]


def star_points() -> tuple[float, ...]:
    points: list[float] = []
    for corner in range(10):
        radius = 0.5 if corner % 2 == 0 else 0.21
        angle = np.pi * (corner / 5 - 0.5)
        points += [0.5 + radius * float(np.cos(angle)), 0.53 + radius * float(np.sin(angle))]
    return tuple(points)


POLYGONS: dict[str, tuple[float, ...]] = {
    "triangle": (0.5, 0.06, 0.97, 0.92, 0.03, 0.92),
    "diamond": (0.5, 0.02, 0.88, 0.5, 0.5, 0.98, 0.12, 0.5),
    "star": star_points(),
    "cross": (0.35, 0.05, 0.65, 0.05, 0.65, 0.35, 0.95, 0.35, 0.95, 0.65, 0.65, 0.65,
              0.65, 0.95, 0.35, 0.95, 0.35, 0.65, 0.05, 0.65, 0.05, 0.35, 0.35, 0.35),
}  # fmt: skip
