"""What is in a picture, and painting it. Knows nothing of captions or models."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .drawings import Drawings
from .vocabulary import COLOURED_NOUNS, COLOURS, NOUNS, PLACES, RELATIONS, SHAPES, SIZES

#: Boxes lie on this grid of pixels, a latent's width, and their sides are multiples of twice as much: so a drawing's
#: latents are the same wherever it is, which a small model learns in a fraction of the time.
GRID = 8


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
    """One picture: a thing at a place, or two things in a relation, over a plain background."""

    thing: Thing
    background: str
    style: str = "flat"
    place: str = "center"
    relation: str = ""
    other: Thing | None = None


def paint(scene: Scene, width: int, height: int, drawings: Drawings) -> NDArray[np.uint8]:
    """The scene as uint8 [height, width, 3]."""
    picture = Image.new("RGB", (width, height), COLOURS[scene.background])
    for thing, box in boxes(scene, width, height):
        x, y, side = box
        cutout = draw_thing(thing, scene.style, side, drawings)
        picture.paste(cutout, (x, y), cutout)
    return np.asarray(picture)


def boxes(scene: Scene, width: int, height: int) -> list[tuple[Thing, tuple[int, int, int]]]:
    """Where each thing goes: (left, top, side) in pixels."""
    if scene.other is None:
        return [(scene.thing, place_box(scene.thing, PLACES[scene.place], width, height))]
    across, down = RELATIONS[scene.relation]
    half = (width // 2, height) if across else (width, height // 2)
    out = []
    for thing, sign in ((scene.thing, 1), (scene.other, -1)):
        x, y, side = place_box(thing, (0, 0), *half)
        x += half[0] if across * sign > 0 else 0
        y += half[1] if down * sign > 0 else 0
        out.append((thing, (x, y, side)))
    return out


def place_box(thing: Thing, direction: tuple[int, int], width: int, height: int) -> tuple[int, int, int]:
    side = side_of(thing.size, min(width, height))
    spare_x, spare_y = width - side, height - side
    x = spare_x / 2 * (1 + 0.9 * direction[0])
    y = spare_y / 2 * (1 + 0.9 * direction[1])
    return GRID * round(x / GRID), GRID * round(y / GRID), side


def side_of(size: str, room: int) -> int:
    """Side of the box of a thing of that size, where the shorter side of its room is so long; all in pixels."""
    return 2 * GRID * round(SIZES[size] * room / (2 * GRID))


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
