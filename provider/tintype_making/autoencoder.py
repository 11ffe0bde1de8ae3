"""Trains the autoencoder on crops of composed pictures, then normalises its latents. Knows nothing of prompts.

python -m tintype_making.autoencoder --minutes 38
"""

import argparse
import math
import random
import time
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .architecture import autoencoder
from .drawings import Drawings, load_drawings
from .ema import Average
from .folders import SHIPPED, load_part, save_part
from .quick_layers import quick_numbers
from .random_scenes import any_scene
from .scenes import paint
from .vocabulary import COLOURS

SIDE = 128
POOL = 6_000
#: Crops of this side are four times cheaper than pictures, and show the same edges; the end is on whole pictures.
CROP, CROPS = 64, 16
WHOLE, WHOLES = SIDE, 4
SHARE_CROPS = 0.8
LEARNING_RATE = 1.2e-3
#: Weight of the Kullback-Leibler term: what keeps latents small, and lets channels that carry nothing die.
KL_WEIGHT = 1e-3


def main() -> None:
    arguments = read_arguments()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    model = load_part(AutoencoderKL, SHIPPED, "vae") if arguments.resume else autoencoder()
    pool = compose(POOL, load_drawings(), random.Random(arguments.seed))
    if arguments.decoder_only:
        model.encoder.requires_grad_(False)
    average = train(model, pool, arguments)
    finish(average, pool, normalise=not arguments.decoder_only)


def train(model: Any, pool: Tensor, arguments: argparse.Namespace) -> Average:
    """Train for that many minutes; saves the average now and then, so that a run may be cut short."""
    rng, minutes, rate = random.Random(arguments.seed), arguments.minutes, arguments.rate
    average = Average(model, decay=0.997)
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    started, saved, step, sums = time.monotonic(), time.monotonic(), 0, np.zeros(3)
    while (share := (time.monotonic() - started) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 100) * (0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2)
        pictures = draw_crops(pool, rng, whole=share > SHARE_CROPS)
        losses = losses_of(model, pictures)
        optimizer.zero_grad(set_to_none=True)
        (losses[0] + losses[1] + KL_WEIGHT * losses[2]).backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        average.update(model)
        step, sums = step + 1, sums + [float(loss.detach()) for loss in losses]
        if step % 100 == 0:
            print(step, round(time.monotonic() - started), "l1, edges, kl", (sums / 100).round(5), flush=True)
            sums[:] = 0
        if time.monotonic() - saved > 300:
            saved = time.monotonic()
            finish(average, pool, normalise=not arguments.decoder_only)
    return average


def losses_of(model: Any, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean absolute error (fine and coarse), error of the edges, Kullback-Leibler per latent."""
    with quick_numbers(torch.device("cpu")):
        mean, log_variance = model.encoder(pictures).float().chunk(2, dim=1)
        log_variance = log_variance.clamp(-20, 10)
        latents = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        error = model.decoder(latents).float() - pictures
    across, down = error[..., 1:] - error[..., :-1], error[..., 1:, :] - error[..., :-1, :]
    divergence = (mean.square() + log_variance.exp() - 1 - log_variance).mean() / 2
    fine_and_coarse = error.abs().mean() + functional.avg_pool2d(error, 4).abs().mean() + error.square().mean()
    return fine_and_coarse, across.abs().mean() + down.abs().mean(), divergence


def compose(count: int, drawings: Drawings, rng: random.Random) -> Tensor:
    """Pictures as uint8 [count, 3, SIDE, SIDE]; every fourth on a background that has no name."""
    pictures: list[NDArray[np.uint8]] = []
    named = dict(COLOURS)
    for number in range(count):
        scene = any_scene(rng)
        if number % 4 == 0:
            # Painted under a passing name, so that the encoder meets more colours than eleven.
            COLOURS["passing"] = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
            scene = scene._replace(background="passing")
        pictures.append(paint(scene, SIDE, SIDE, drawings))
    COLOURS.clear()
    COLOURS.update(named)
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def draw_crops(pool: Tensor, rng: random.Random, *, whole: bool) -> Tensor:
    """A batch of crops, some mirrored, as floats [count, 3, side, side], -1 to 1."""
    side, count = (WHOLE, WHOLES) if whole else (CROP, CROPS)
    crops = []
    for _ in range(count):
        x, y = rng.randint(0, SIDE - side), rng.randint(0, SIDE - side)
        crop = pool[rng.randrange(len(pool)), :, y : y + side, x : x + side]
        crops.append(crop.flip(-1) if rng.random() < 0.5 else crop)
    return torch.stack(crops).float() / 127.5 - 1


@torch.no_grad()
def finish(average: Average, pool: Tensor, *, normalise: bool) -> None:
    """Ship the averaged model; normalised, its latents have a mean of zero and a deviation of one."""
    model: Any = average.model
    pictures = pool[:256].float() / 127.5 - 1
    means = torch.cat([model.encode(part).latent_dist.mode() for part in pictures.split(32)])
    if normalise:
        shift, scale = means.mean().item(), 1 / means.std().item()
        model.register_to_config(shift_factor=round(shift, 5), scaling_factor=round(scale, 5))
    save_part(model, SHIPPED, "vae")
    restored = torch.cat([model.decode(part).sample for part in means[:128].split(32)]).clamp(-1, 1)
    error = (restored - pictures[:128]).abs() * 127.5
    subject = (pictures[:128] - pictures[:128, :, :1, :1]).abs().sum(1, keepdim=True) > 0.1
    inside = (error.mean(1, keepdim=True) * subject).sum() / subject.sum()
    deviations = means.std((0, 2, 3)).numpy().round(2)
    print(f"saved: error {error.mean():.2f}, inside subjects {inside:.2f} of 255; deviations {deviations}", flush=True)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=38)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from the shipped weights")
    parser.add_argument(
        "--decoder-only", action="store_true", help="with --resume: sharpen, and leave the latents what they are"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
