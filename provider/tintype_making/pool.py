"""Scenes and edits with their latents, encoded once and kept in files, so that training neither paints nor encodes.

python -m tintype_making.pool --parts 20
"""

import argparse
import pickle
import random
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from .buckets import OTHERS, SQUARE, Bucket
from .drawings import CACHE, Drawings, load_drawings
from .edits import Edit, random_edit, way_back
from .folders import SHIPPED, load_part
from .quick_layers import quick_numbers
from .random_scenes import random_scene
from .scenes import Scene, paint

FOLDER = CACHE / "pool"

#: Pictures in one part: of the square, and of each other bucket. And edits, of two pictures each.
SQUARES, OF_EACH_OTHER = 2_400, 90
SQUARE_EDITS, OTHER_EDITS = 440, 10
#: How much more often than they are written those scenes and edits are drawn that are learnt late, by their styles and
#: kinds, and less often those learnt early.
PRACTICE_OF_STYLES = {"detailed": 1.6}
PRACTICE_OF_EDITS = {"background": 0.4, "replace": 3.0, "add": 1.3, "resize": 2.0, "recolour": 0.5}


class Sample(NamedTuple):
    """One scene and its latents as packed tokens, bf16 [tokens, 64]."""

    scene: Scene
    latents: Tensor


class EditSample(NamedTuple):
    """One edit, and the latents before and after it."""

    edit: Edit
    before: Tensor
    after: Tensor


class Pool:
    """Every part written so far; call refresh now and then, for another process may still be writing."""

    def __init__(self) -> None:
        self.seen: set[Path] = set()
        self.scenes: dict[Bucket, list[Sample]] = {}
        self.edits: dict[Bucket, list[EditSample]] = {}
        #: Running sums of how often each of them is drawn.
        self.weights_of_scenes: dict[Bucket, list[float]] = {}
        self.weights_of_edits: dict[Bucket, list[float]] = {}

    def refresh(self) -> int:
        """Take in the parts that are new; how many scenes and edits there are now."""
        for path in sorted(FOLDER.glob("*.pickle")):
            if path not in self.seen:
                self.seen.add(path)
                scenes, edits = pickle.loads(path.read_bytes())
                for bucket, (kept, latents) in scenes.items():
                    self.scenes.setdefault(bucket, []).extend(map(Sample, kept, latents))
                for bucket, (kept, before, after) in edits.items():
                    self.edits.setdefault(bucket, []).extend(map(EditSample, kept, before, after))
        self.weigh()
        return sum(map(len, self.scenes.values())) + sum(map(len, self.edits.values()))

    def weigh(self) -> None:
        """How often each is drawn, of what there is now."""
        for bucket, drawn in self.scenes.items():
            self.weights_of_scenes[bucket] = list(
                accumulate(PRACTICE_OF_STYLES.get(one.scene.style, 1) for one in drawn)
            )
        for bucket, given in self.edits.items():
            self.weights_of_edits[bucket] = list(accumulate(PRACTICE_OF_EDITS.get(one.edit.kind, 1) for one in given))

    def draw_scenes(self, bucket: Bucket, count: int, rng: random.Random) -> tuple[list[Scene], Tensor]:
        """That many scenes of one bucket, and their latents as fp32."""
        samples = rng.choices(self.scenes[bucket], cum_weights=self.weights_of_scenes[bucket], k=count)
        return [sample.scene for sample in samples], torch.stack([sample.latents for sample in samples]).float()

    def draw_edits(self, bucket: Bucket, count: int, rng: random.Random) -> tuple[list[Edit], Tensor, Tensor]:
        """That many edits of one bucket, up to half of them undone, and the latents before and after them as fp32."""
        drawn = rng.choices(self.edits[bucket], cum_weights=self.weights_of_edits[bucket], k=count)
        samples = [undone(sample, rng) for sample in drawn]
        before, after = (torch.stack(latents).float() for latents in zip(*(s[1:] for s in samples), strict=True))
        return [sample.edit for sample in samples], before, after


def undone(sample: EditSample, rng: random.Random) -> EditSample:
    """The sample; or, as often, the way back."""
    back = way_back(sample.edit) if rng.random() < 0.5 else None
    return EditSample(back, sample.after, sample.before) if back else sample


def write_part(number: int, vae: Any, drawings: Drawings) -> None:
    rng = random.Random(1_000 + number)
    scenes, edits = {}, {}
    for bucket in (SQUARE, *OTHERS):
        chosen = [random_scene(rng) for _ in range(SQUARES if bucket == SQUARE else OF_EACH_OTHER)]
        scenes[bucket] = (chosen, encode_scenes(chosen, bucket, vae, drawings))
        asked = [random_edit(rng) for _ in range(SQUARE_EDITS if bucket == SQUARE else OTHER_EDITS)]
        before = encode_scenes([edit.before for edit in asked], bucket, vae, drawings)
        after = encode_scenes([edit.after for edit in asked], bucket, vae, drawings)
        edits[bucket] = (asked, before, after)
    unfinished = FOLDER / f"{number}.unfinished"
    unfinished.write_bytes(pickle.dumps((scenes, edits)))
    unfinished.replace(FOLDER / f"{number:03}.pickle")


def encode_scenes(scenes: list[Scene], bucket: Bucket, vae: Any, drawings: Drawings) -> Tensor:
    return encode([paint(scene, bucket.width, bucket.height, drawings) for scene in scenes], vae)


@torch.inference_mode()
def encode(pictures: list[NDArray[np.uint8]], vae: Any) -> Tensor:
    """The normalised latents of pictures of one size as packed tokens, bf16 [pictures, tokens, 64]."""
    packed = []
    for start in range(0, len(pictures), 16):
        batch = torch.from_numpy(np.stack(pictures[start : start + 16])).permute(0, 3, 1, 2)
        with quick_numbers(vae.device):
            means = vae.encode(batch.to(vae.device).float() / 127.5 - 1).latent_dist.mode().float().cpu()
        packed.append(pack((means - vae.config.shift_factor) * vae.config.scaling_factor).bfloat16())
    return torch.cat(packed).clone()


def pack(latents: Tensor) -> Tensor:
    """[batch, 16, height, width] to [batch, height/2 * width/2, 64], the way FluxPipeline does it."""
    batch, channels, height, width = latents.shape
    squares = latents.view(batch, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return squares.reshape(batch, (height // 2) * (width // 2), channels * 4)


def unpack(tokens: Tensor, bucket: Bucket) -> Tensor:
    """The way back: [batch, tokens, 64] to [batch, 16, height/8, width/8]."""
    squares = tokens.view(len(tokens), bucket.tokens_down, bucket.tokens_across, -1, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return squares.reshape(len(tokens), -1, bucket.height // 8, bucket.width // 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    vae, drawings = load_part(AutoencoderKL, SHIPPED, "vae").eval().to(device), load_drawings()
    wanted = range(arguments.first, arguments.first + arguments.parts)
    for number in track([n for n in wanted if not (FOLDER / f"{n:03}.pickle").exists()], "parts of the pool"):
        write_part(number, vae, drawings)


if __name__ == "__main__":
    main()
