"""The emoji drawings of both icon sets as pictures with transparency. Knows npm and SVG; nothing of training."""

import io
import json
import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from .nouns import NOUNS
from .vocabulary import COLOURED_NOUNS, STYLES

#: Where packages, drawings and pools are kept between runs; never committed.
CACHE = Path(os.environ.get("TINTYPE_CACHE", Path(__file__).parent / ".cache"))
PACKAGES = Path(__file__).parent / "package.json"

#: Side of a cached drawing in pixels.
SIDE = 256

#: (style, drawing name) -> uint8 [SIDE, SIDE, 4], alpha not premultiplied.
Drawings = dict[tuple[str, str], NDArray[np.uint8]]


def load_drawings() -> Drawings:
    """Every drawing of the vocabulary in both styles; fetched and rasterised on the first call, then cached."""
    cached = CACHE / "drawings.pickle"
    if cached.exists():
        drawings: Drawings = pickle.loads(cached.read_bytes())
        if drawings.keys() >= wanted_drawings():
            return drawings
    drawings = rasterise_all(fetch_packages())
    cached.write_bytes(pickle.dumps(drawings))
    return drawings


def wanted_drawings() -> set[tuple[str, str]]:
    names = [noun.drawing for noun in NOUNS.values()] + list(COLOURED_NOUNS.values())
    return {(style, name) for style in STYLES for name in names}


def fetch_packages() -> Path:
    """The folder of installed npm packages, at the versions that package.json pins."""
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "package.json").write_bytes(PACKAGES.read_bytes())
    subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=CACHE, check=True)
    return CACHE / "node_modules"


def rasterise_all(packages: Path) -> Drawings:
    drawings: Drawings = {}
    icons = {
        style: json.loads((packages / "@iconify-json" / icon_set / "icons.json").read_text())
        for style, icon_set in STYLES.items()
    }
    for style, name in sorted(wanted_drawings()):
        drawings[style, name] = rasterise(icons[style], name)
    return drawings


def rasterise(icons: dict[str, object], name: str) -> NDArray[np.uint8]:
    """One icon of an Iconify set as uint8 [SIDE, SIDE, 4]."""
    icon = icons["icons"][name]  # type: ignore[index]  # Iconify's JSON: {"icons": {name: {"body": svg}}}
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}" width="{SIDE}" height="{SIDE}">{icon["body"]}</svg>'
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE))
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
