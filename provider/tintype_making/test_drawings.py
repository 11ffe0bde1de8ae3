"""Writes the sheet of small drawings by which the repository's tests name what tintype has painted.

python -m tintype_making.test_drawings
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from .drawings import Drawings, load_drawings
from .nouns import NOUNS
from .scenes import Thing, draw_thing
from .vocabulary import COLOURED_NOUNS, SHAPES

FOLDER = Path(__file__).parents[2] / "tests" / "drawings"
#: Pixels of a drawing's side, that of a small thing in a picture of 128x128; and drawings in a row.
SIDE, ACROSS = 48, 20
#: Between one value of a channel and the next: sixteen values make half as large a file as all.
STEP = 17


def main() -> None:
    things = [*map(Thing, NOUNS), *(Thing(name, colour=colour) for name, colour in COLOURED_NOUNS)]
    # One colour of each shape is enough: its form can be given any.
    things += [Thing(name, colour="white") for name in SHAPES]
    FOLDER.mkdir(exist_ok=True)
    sheet(things, load_drawings()).save(FOLDER / "drawings.png", optimize=True)
    names = [thing.name if thing.is_shape else f"{thing.colour} {thing.name}".strip() for thing in things]
    (FOLDER / "names.json").write_text(json.dumps(names, indent=0) + "\n")


def sheet(things: list[Thing], drawings: Drawings) -> Image.Image:
    """The flat drawings as RGBA, from left to right and from the top down."""
    whole = Image.new("RGBA", (ACROSS * SIDE, -(-len(things) // ACROSS) * SIDE))
    for number, thing in enumerate(things):
        whole.paste(draw_thing(thing, "flat", SIDE, drawings), (number % ACROSS * SIDE, number // ACROSS * SIDE))
    pixels = ((np.asarray(whole).astype(int) + STEP // 2) // STEP * STEP).astype(np.uint8)
    pixels[pixels[..., 3] == 0] = 0
    return Image.fromarray(pixels)


if __name__ == "__main__":
    main()
