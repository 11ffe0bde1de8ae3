"""True pictures: things drawn at their places over a background, as tintype is taught to paint them.

The sheet is written by `python -m tintype_making.test_drawings` (in provider/). Where things stand and
how large, and all colours, are told by tintype_making itself, so that tests and training mean the same by a word.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tintype_making.scenes import background_pixels, box_of
from tintype_making.vocabulary import COLOURS, SHAPES

#: uint8 [height, width, 3].
Picture = NDArray[np.uint8]

FOLDER = Path(__file__).parent
#: Pixels of a drawing's side in the sheet; and drawings in a row.
SIDE, ACROSS = 48, 20


class Thing(NamedTuple):
    """One of the names of `drawings()`, and where it stands."""

    name: str
    size: str = "medium"
    place: str = "center"


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
