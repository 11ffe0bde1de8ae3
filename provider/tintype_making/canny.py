"""Trains the form that is given edges: the transformer with 64 channels more, which begin as nothing.

python -m tintype_making.canny --parts 8
python -m tintype_making.canny --minutes 40
"""

import argparse
import pickle
import random
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from .batches import BATCH, SHARE_DROPPED, TOKENS, fitting_caption, noised
from .buckets import SQUARE, Bucket
from .captions import plain_caption
from .drawings import CACHE, load_drawings
from .edges import edge_picture
from .folders import SHIPPED, load_part, save_part
from .guidance import SCALE_MAX, SCALE_MIN, SHEET_SCALE
from .painter import Painter, States
from .pipelines import CANNY_PART
from .pool import encode
from .quick_layers import quick_numbers
from .random_scenes import chosen, random_scene
from .runs import Losses, Run, add_arguments, started
from .sampling import contact_sheet, decode, sample
from .scenes import Scene, paint

FOLDER = CACHE / "edge_pool"
#: Pictures in one part, all of them square.
SQUARES = 800
LEARNING_RATE = 1e-3
#: Of single things, how often the words tell their size and place.
SHARE_SAID = 0.4
SHEET_PICTURES = 16


class EdgePool:
    """Scenes, their latents and those of their edges as packed tokens, bf16 [tokens, 64]."""

    def __init__(self) -> None:
        self.seen: set[Path] = set()
        self.samples: list[tuple[Scene, Tensor, Tensor]] = []

    def refresh(self) -> int:
        for path in sorted(set(FOLDER.glob("*.pickle")) - self.seen):
            self.seen.add(path)
            self.samples += zip(*pickle.loads(path.read_bytes()), strict=True)
        return len(self.samples)

    def draw(self, count: int, rng: random.Random) -> tuple[list[Scene], Tensor, Tensor]:
        scenes, pictures, edges = zip(*rng.choices(self.samples, k=count), strict=True)
        return list(scenes), torch.stack(pictures).float(), torch.stack(edges).float()


class EdgePainter(Painter):
    """A painter whose transformer also sees edges. The text encoders are the other forms', and learn nothing here."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        if (folder / CANNY_PART).exists():
            self.transformer = load_part(FluxTransformer2DModel, folder, CANNY_PART)
        else:
            self.transformer = with_edges(self.transformer)
        self.requires_grad_(False)
        self.transformer.requires_grad_(True)

    def forward(
        self,
        latents: Tensor,
        times: Tensor,
        states: States,
        bucket: Bucket,
        *,
        reference: Tensor | None = None,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """The reference is a picture of edges: more channels of the same tokens, as FluxControlPipeline has it."""
        assert reference is not None, "there are always edges"
        both = torch.cat([latents, reference], dim=2)
        return super().forward(both, times, states, bucket, guidance=guidance)

    def save(self, folder: Path) -> None:
        save_part(self.transformer, folder, CANNY_PART)


@torch.no_grad()
def with_edges(transformer: Any) -> Any:
    """The same transformer with twice the channels in, of which the second half is worth nothing yet."""
    channels = transformer.config.in_channels
    settings = {**transformer.config, "in_channels": 2 * channels, "out_channels": channels}
    wider: Any = FluxTransformer2DModel.from_config(settings)
    weights = transformer.state_dict()
    columns = weights["x_embedder.weight"]
    wider.load_state_dict({**weights, "x_embedder.weight": torch.cat([columns, torch.zeros_like(columns)], dim=1)})
    return wider


def edge_losses(pool: EdgePool, painter: Painter, rng: random.Random) -> Losses:
    """Mean square error of the velocity at a guidance drawn as it is served: edges leave little to be led to."""
    tokens = chosen(TOKENS, rng)
    scenes, pictures, edges = pool.draw(BATCH, rng)
    captions = [fitting_caption(painter, with_less_said(scene, rng), tokens, rng) for scene in scenes]
    told = ["" if rng.random() < SHARE_DROPPED else caption for caption in captions]
    scales = torch.empty(BATCH, device=painter.device).uniform_(SCALE_MIN, SCALE_MAX)
    with quick_numbers(painter.device):
        mixed, times, wanted = noised(pictures.to(painter.device))
        states = painter.read(told, tokens)
        velocity = painter(mixed, times, states, SQUARE, reference=edges.to(painter.device), guidance=scales)
    return {"edges": functional.mse_loss(velocity.float(), wanted)}


def with_less_said(scene: Scene, rng: random.Random) -> Scene:
    """Every other scene of one thing without its size and place: those are in the edges, and the words may not know."""
    if len(scene.things) > 1 or rng.random() < SHARE_SAID:
        return scene
    return scene._replace(things=(scene.things[0]._replace(size="medium"),), places=("center",))


def write_parts(count: int) -> None:
    """Scenes of one or two things, with the edges of the same pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    vae, drawings = load_part(AutoencoderKL, SHIPPED, "vae").eval().to(device), load_drawings()
    for number in track([n for n in range(count) if not (FOLDER / f"{n:03}.pickle").exists()], "parts of edges"):
        rng = random.Random(9_000 + number)
        scenes = [random_scene(rng, kind=rng.choice(("one", "one", "two"))) for _ in range(SQUARES)]
        pictures = [paint(scene, SQUARE.width, SQUARE.height, drawings) for scene in scenes]
        part = (scenes, encode(pictures, vae), encode([edge_picture(picture) for picture in pictures], vae))
        unfinished = FOLDER / f"{number}.unfinished"
        unfinished.write_bytes(pickle.dumps(part))
        unfinished.replace(FOLDER / f"{number:03}.pickle")


def paint_edge_sheet(pool: EdgePool, painter: Painter, path: Path) -> None:
    scenes, _, edges = pool.draw(SHEET_PICTURES, random.Random(3))
    prompts = [plain_caption(scene) for scene in scenes]
    latents = sample(painter, prompts, SQUARE, steps=8, guidance=SHEET_SCALE, reference=edges.to(painter.device))
    vae = load_part(AutoencoderKL, SHIPPED, "vae").eval()
    given, painted = decode(vae, edges, SQUARE), decode(vae, latents.cpu(), SQUARE)
    path.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet([one for both in zip(given, painted, strict=True) for one in both], across=8).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=0, help="write so many parts of the pool of edges, and no more")
    add_arguments(parser, minutes=40, rate=LEARNING_RATE)
    arguments = parser.parse_args()
    if arguments.parts:
        write_parts(arguments.parts)
        return
    with started(arguments, EdgePainter) as painter:
        pool = EdgePool()
        paint_sheet = partial(paint_edge_sheet, pool)
        Run("canny", painter, pool, arguments, partial(edge_losses, pool), paint_sheet).train()


if __name__ == "__main__":
    main()
