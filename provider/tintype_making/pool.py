"""Scenes and their latents, encoded once and kept in files, so that training neither paints nor encodes.

python -m tintype_making.pool --parts 12
"""

import argparse
import pickle
import random
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from .buckets import OTHERS, SQUARE, Bucket
from .captions import random_scene
from .drawings import CACHE, Drawings, load_drawings
from .scenes import Scene, paint
from .shipped import load_part

FOLDER = CACHE / "pool"

#: Pictures in one part: of the square, and of each other bucket.
SQUARES, OF_EACH_OTHER = 2_400, 120

#: Scenes in order, and their latents as packed tokens, bf16 [scenes, tokens, 64].
Shelf = tuple[list[Scene], Tensor]


class Pool:
    """Every part written so far; call refresh now and then, for another process may still be writing."""

    def __init__(self) -> None:
        self.seen: set[Path] = set()
        self.shelves: dict[Bucket, Shelf] = {}

    def refresh(self) -> int:
        """Take in the parts that are new; how many pictures there are now."""
        for path in sorted(FOLDER.glob("*.pickle")):
            if path not in self.seen:
                self.seen.add(path)
                for bucket, (scenes, latents) in pickle.loads(path.read_bytes()).items():
                    self.add(bucket, scenes, latents)
        return sum(len(scenes) for scenes, _ in self.shelves.values())

    def add(self, bucket: Bucket, scenes: list[Scene], latents: Tensor) -> None:
        if bucket in self.shelves:
            old_scenes, old_latents = self.shelves[bucket]
            scenes, latents = old_scenes + scenes, torch.cat([old_latents, latents])
        self.shelves[bucket] = (scenes, latents)

    def draw(self, bucket: Bucket, count: int, rng: random.Random) -> Shelf:
        """That many scenes of one bucket, and their latents as fp32."""
        scenes, latents = self.shelves[bucket]
        numbers = [rng.randrange(len(scenes)) for _ in range(count)]
        return [scenes[number] for number in numbers], latents[numbers].float()


def write_part(number: int, vae: Any, drawings: Drawings) -> None:
    rng = random.Random(1_000 + number)
    part: dict[Bucket, Shelf] = {}
    for bucket in (SQUARE, *OTHERS):
        scenes = [random_scene(rng) for _ in range(SQUARES if bucket == SQUARE else OF_EACH_OTHER)]
        part[bucket] = (scenes, encode(scenes, bucket, vae, drawings))
    unfinished = FOLDER / f"{number}.unfinished"
    unfinished.write_bytes(pickle.dumps(part))
    unfinished.replace(FOLDER / f"{number:03}.pickle")


@torch.inference_mode()
def encode(scenes: list[Scene], bucket: Bucket, vae: Any, drawings: Drawings) -> Tensor:
    """The scenes' normalised latents as packed tokens, bf16 [scenes, tokens, 64]."""
    packed = []
    for start in range(0, len(scenes), 16):
        pictures = [paint(scene, bucket.width, bucket.height, drawings) for scene in scenes[start : start + 16]]
        batch = torch.stack([torch.from_numpy(picture.copy()) for picture in pictures]).permute(0, 3, 1, 2)
        with torch.autocast("cpu", torch.bfloat16):
            means = vae.encode(batch.float() / 127.5 - 1).latent_dist.mode().float()
        packed.append(pack((means - vae.config.shift_factor) * vae.config.scaling_factor).bfloat16())
    return torch.cat(packed).clone()


def pack(latents: Tensor) -> Tensor:
    """[batch, 16, height, width] to [batch, height/2 * width/2, 64], the way FluxPipeline does it."""
    batch, channels, height, width = latents.shape
    squares = latents.view(batch, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return squares.reshape(batch, (height // 2) * (width // 2), channels * 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=12)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    vae, drawings = load_part(AutoencoderKL, "vae").eval(), load_drawings()
    for number in range(arguments.first, arguments.first + arguments.parts):
        write_part(number, vae, drawings)
        print("part", number, flush=True)


if __name__ == "__main__":
    main()
