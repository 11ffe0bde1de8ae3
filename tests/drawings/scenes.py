"""True pictures: things drawn at their places over a background, as tintype is taught to paint them.

The sheet is written by `python -m tintype_making.test_drawings` (in provider/); the figures are that folder's own.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: uint8 [height, width, 3].
Picture = NDArray[np.uint8]

FOLDER = Path(__file__).parent
#: Pixels of a drawing's side in the sheet; and drawings in a row.
SIDE, ACROSS = 48, 20

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 50, 47),
    "orange": (245, 150, 40),
    "yellow": (250, 220, 70),
    "green": (70, 170, 80),
    "blue": (50, 110, 220),
    "purple": (140, 80, 190),
    "pink": (250, 160, 190),
    "brown": (140, 95, 60),
    "black": (20, 20, 20),
    "white": (250, 250, 250),
    "gray": (150, 150, 150),
}
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "ring", "cross")
#: From the top down.
GRADIENTS = tuple(f"{above} to {below}" for above in COLOURS for below in COLOURS if above != below)
#: About the share of the shorter side that a thing's box fills.
SIZES = {"small": 0.38, "medium": 0.63, "big": 0.88}
#: Across and down from the middle.
PLACES = {
    "center": (0, 0),
    "left": (-1, 0),
    "right": (1, 0),
    "top": (0, -1),
    "bottom": (0, 1),
    "top left": (-1, -1),
    "top right": (1, -1),
    "bottom left": (-1, 1),
    "bottom right": (1, 1),
}


class Thing(NamedTuple):
    """One of the names of `drawings()`, and where it stands."""

    name: str
    size: str = "medium"
    place: str = "center"


class Box(NamedTuple):
    """A square in a picture, in pixels."""

    left: int
    top: int
    side: int


def paint(background: str, *things: Thing, width: int = 128, height: int = 128) -> Picture:
    picture = Image.fromarray(background_pixels(background, width, height))
    for thing in things:
        box = box_of(thing.size, thing.place, width, height)
        cutout = scaled(drawings()[thing.name], box.side)
        picture.paste(cutout, (box.left, box.top), cutout)
    return np.asarray(picture)


def scaled(drawing: Image.Image, side: int) -> Image.Image:
    # Premultiplied, so that clear pixels lend no colour to the edge.
    return drawing.convert("RGBa").resize((side, side), Image.Resampling.LANCZOS).convert("RGBA")


def background_pixels(background: str, width: int, height: int) -> Picture:
    """Of one colour, or of two: "blue to red"."""
    above, _, below = background.partition(" to ")
    share = np.linspace(0, 1, height)[:, None]
    rows = np.array(COLOURS[above]) * (1 - share) + np.array(COLOURS[below or above]) * share
    return np.broadcast_to(rows.round().astype(np.uint8)[:, None], (height, width, 3)).copy()


def box_of(size: str, place: str, width: int, height: int) -> Box:
    side = 16 * round(SIZES[size] * min(width, height) / 16)
    across, down = PLACES[place]
    return Box(start_of(width - side, across), start_of(height - side, down), side)


def start_of(spare: int, direction: int) -> int:
    """Pixels before a box, where so many are spare in all."""
    start = 8 * round(spare / 16) + direction * 16 * round(0.8 * spare / 32)
    return min(max(start, 0), spare)


@cache
def drawings() -> dict[str, Image.Image]:
    """Every drawing as RGBA by its name; shapes in every colour ("red star")."""
    names: list[str] = json.loads((FOLDER / "names.json").read_text())
    with Image.open(FOLDER / "drawings.png") as sheet:
        cells = {name: cell(sheet, number) for number, name in enumerate(names)}
    forms = {name: cells.pop(name) for name in SHAPES}
    coloured = {
        f"{colour} {name}": in_colour(form, value) for name, form in forms.items() for colour, value in COLOURS.items()
    }
    return cells | coloured


def cell(sheet: Image.Image, number: int) -> Image.Image:
    left, top = number % ACROSS * SIDE, number // ACROSS * SIDE
    return sheet.crop((left, top, left + SIDE, top + SIDE))


def in_colour(form: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    whole = Image.new("RGBA", form.size, colour)
    whole.putalpha(form.getchannel("A"))
    return whole
