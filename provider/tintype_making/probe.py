"""How far the model is from the pictures at each step: on its own way, and on the way to what was drawn.

python -m tintype_making.probe

All figures are shares of the variance between nouns, in latents. Where its own way is worse than the true one, the
model believes what it has guessed itself; where the first step is worse than the codes, it does not use what they tell.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from rich.console import Console
from rich.table import Table
from torch import Tensor

from .buckets import SQUARE
from .captions import plain_caption
from .codes import noun_codes
from .drawings import load_drawings
from .folders import SHIPPED, UNFINISHED, load_part
from .nouns import NOUNS
from .painter import Painter
from .pool import encode_scenes
from .quick_layers import quick_layers
from .scenes import Scene, Thing
from .vocabulary import SIZES

#: The served times of eight steps, shift 3.
TIMES = (1.0, 0.955, 0.9, 0.833, 0.75, 0.643, 0.5, 0.3, 0.0)
#: Every so many nouns.
STRIDE = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=UNFINISHED)
    parser.add_argument("--guidance", type=float, default=1.0)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    vae, drawings = load_part(AutoencoderKL, SHIPPED, "vae").eval(), load_drawings()
    # Narrow enough for eighty columns, where figures would be cut off.
    table = Table("size", "way", "codes", *map(str, TIMES[:-1]), "end", box=None, padding=(0, 1, 0, 0))
    with quick_layers(torch.device("cpu")), torch.inference_mode():
        painter = Painter(arguments.folder)
        for size in SIZES:
            scenes = [Scene((Thing(name, size),), ("center",), "gray") for name in NOUNS]
            true = encode_scenes(scenes, SQUARE, vae, drawings).float()
            scale = (true - true.mean(0)).square().mean()
            captions = [plain_caption(scene) for scene in scenes[::STRIDE]]
            noise = torch.randn_like(true[::STRIDE])
            codes = f"{float(left_by_codes(true) / scale):.3f}"
            for way, own in (("true", False), ("own", True)):
                errors = errors_on_the_way(painter, captions, true[::STRIDE], noise, arguments.guidance, own=own)
                table.add_row(size, way, codes, *(f"{error / float(scale):.3f}" for error in errors))
    Console().print(table)


def left_by_codes(pictures: Tensor) -> Tensor:
    """Mean square of what no linear function of the nouns' codes tells of their pictures [nouns, tokens, 64]."""
    codes = torch.stack(list(noun_codes().values()))
    told = torch.cat([codes, torch.ones(len(codes), 1)], dim=1)
    flat = pictures.flatten(1)
    left: Tensor = told @ torch.linalg.lstsq(told, flat).solution - flat
    return left.square().mean()


def errors_on_the_way(
    painter: Painter, captions: list[str], true: Tensor, noise: Tensor, guidance: float, *, own: bool
) -> list[float]:
    """Mean square error of the picture that the model believes in at each of the times; of its own way's end, too."""
    states = painter.read(captions)
    latents, errors = noise, []
    for time, following in pairwise(TIMES):
        times, scales = torch.full((len(true),), time), torch.full((len(true),), guidance)
        velocity = painter(latents, times, states, SQUARE, guidance=scales)
        errors.append((latents - time * velocity - true).square().mean().item())
        latents = latents + (following - time) * velocity if own else true + following * (noise - true)
    return [*errors, (latents - true).square().mean().item()] if own else errors


if __name__ == "__main__":
    main()
