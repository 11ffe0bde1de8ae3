"""Sheets of samples, to see how a training goes: the same prompts and edits every time, as training shows them."""

import random
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL

from .buckets import SQUARE
from .drawings import load_drawings
from .edits import plain_instruction, random_edit
from .folders import SHIPPED, load_part
from .painter import Painter
from .pool import encode_scenes
from .sampling import contact_sheet, decode, sample

PROMPTS = (
    "a big red apple on a blue background",
    "a puppy on a yellow background",
    "a giraffe on a green background",
    "a detailed helicopter on a white background",
    "a small volcano in the top left on a pink background",
    "a cat left of a dog on a green background",
    "a star above a rocket on a purple background",
    "a blue circle right of a red square on a white background",
    "a cat, a tree and a house on a yellow background",
    "three apples on a white background",
    "two pink hearts on a black background",
    "four bees on a blue background",
    "a castle on a blue to purple gradient background",
    "a steam engine on an orange background",
    "an eagle over a sailboat on a gray background",
    "a detailed teapot and a lemon on a brown background",
)
#: And so many edits, drawn with that seed.
EDITS, SEED = 8, 5


def paint_sheet(
    painter: Painter, path: Path, *, true_cfg_scale: float = 3.0, guidance: float | None = None, steps: int = 8
) -> None:
    """The sheet's prompts, then some edits: the picture before, and what was made of it."""
    vae = load_part(AutoencoderKL, SHIPPED, "vae").eval()
    scales: dict[str, Any] = {"steps": steps, "true_cfg_scale": true_cfg_scale, "guidance": guidance}
    pictures = decode(vae, sample(painter, list(PROMPTS), SQUARE, **scales).cpu(), SQUARE)
    rng = random.Random(SEED)
    edits = [random_edit(rng) for _ in range(EDITS)]
    before = encode_scenes([edit.before for edit in edits], SQUARE, vae, load_drawings())
    instructions = [plain_instruction(edit) for edit in edits]
    after = sample(painter, instructions, SQUARE, reference=before.float().to(painter.device), **scales).cpu()
    for both in zip(decode(vae, before, SQUARE), decode(vae, after, SQUARE), strict=True):
        pictures += both
    path.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(pictures, across=8).save(path)
