"""Teaches guidance, by one forward instead of two, and to mend what was guessed. What is given to it is learnt further.

python -m tintype_making.guidance --minutes 200

Guidance-free training (Chen et al. 2025, "Visual Generation Without Guidance", arXiv:2501.15420): the guided velocity
and the model's own without a prompt, weighted 1 and scale - 1, are to have the velocity of the pictures as their mean.
What the embedding's scale must then mean is classifier-free guidance, and no teacher bounds what is learnt. Where all
is noise there is none (Kynkaanniemi et al. 2024, "Applying Guidance in a Limited Interval", arXiv:2404.07724): there a
scale of 3 asks for pictures of three times the contrast, which are hard to tell and bring nothing.

Half of the samples are not on the way from noise to a picture but to what the model guesses it to be, and what is asked
for is the picture, as in DREAM (Zhou et al. 2024, arXiv:2312.00210). Else it takes its guesses for knowledge, and adds
to their faults with each step.

And a quarter of the scenes are asked for by another's caption once they can be seen through the noise.
"""

import argparse
import random
from functools import partial

import torch
from torch import Tensor

from .batches import SHARE_DROPPED, Batch, draw_batch, drawn_times
from .painter import GUIDANCE, Painter, States
from .pool import Pool
from .quick_layers import quick_numbers
from .runs import Losses, Run, add_arguments, started
from .sheets import paint_sheet

#: The scales that are taught, low ones more often; and the noisiest time that is guided.
SCALE_MIN, SCALE_MAX = 1.0, 6.0
GUIDED_TIME_MAX = 0.8
#: How many pictures are on their way from what the model itself guesses, and at which times: later it is to believe
#: what it sees, or it paints over a picture that it is to start from.
SHARE_GUESSED, GUESSED_TIME_MIN = 0.5, 0.6
#: How many scenes are asked for by the caption of another, and from which time on: what is seen counts there, or a
#: picture that is to be started from would be painted over.
SHARE_CONTRADICTED, CONTRADICTED_TIME_MAX = 0.25, 0.7
LEARNING_RATE = 1.3e-3
#: The scale that sheets are painted with.
SHEET_SCALE = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, minutes=200, rate=LEARNING_RATE)
    arguments = parser.parse_args()
    with started(arguments) as painter:
        # The form that is given edges reads by the same text encoders.
        for part in (painter.reader, painter.t5, painter.clip):
            part.requires_grad_(False)
        paint = partial(paint_sheet, true_cfg_scale=1.0, guidance=SHEET_SCALE)
        pool = Pool()
        Run("guidance", painter, pool, arguments, partial(guidance_losses, pool), paint).train()


def guidance_losses(pool: Pool, painter: Painter, rng: random.Random) -> Losses:
    """Mean square error of the velocity that the guided one and the model's own without a prompt make together."""
    batch = draw_batch(painter, pool, rng, dropped=0)
    count, device = len(batch.prompts), painter.device
    scales, dropped = drawn_scales(count).to(device), torch.rand(count, device=device) < SHARE_DROPPED
    with quick_numbers(device), torch.no_grad():
        told, untold = painter.read(batch.prompts, batch.tokens), painter.read([""], batch.tokens)
        untold = untold[0].expand_as(told[0]), untold[1].expand_as(told[1])
        mixed, times, contradicted = partly_guessed(painter, batch, told, scales)
        told = others_where(contradicted, told[0]), others_where(contradicted, told[1])
        # What the scale means for each picture.
        meant = scales.where(~dropped & (times <= GUIDED_TIME_MAX), GUIDANCE)
        unguided = velocities_of(meant > GUIDANCE, painter, batch, mixed, times, untold, torch.ones_like(scales))
        told = untold[0].where(dropped[:, None, None], told[0]), untold[1].where(dropped[:, None], told[1])
    with quick_numbers(device):
        velocity = painter(mixed, times, told, batch.bucket, reference=batch.reference, guidance=scales)
    share = 1 / meant[:, None, None]
    wanted = (mixed - batch.pictures) / times[:, None, None]
    errors = (share * velocity.float() + (1 - share) * unguided - wanted).square().mean((1, 2))
    # The gradient of an error is divided by its scale; so it is not.
    loss = (meant / meant.mean() * errors).mean()
    return {"edits" if batch.scenes is None else "scenes": loss}


def drawn_scales(count: int) -> Tensor:
    return SCALE_MIN + (SCALE_MAX - SCALE_MIN) * torch.rand(count).square()


def partly_guessed(painter: Painter, batch: Batch, told: States, scales: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The pictures on their way to noise, or the model's guesses of half of them; how far; and whose caption is wrong.

    The last two are [batch]. A guess is what the first step believes in, trusted more or less.
    """
    pictures, count, device = batch.pictures, len(batch.prompts), painter.device
    noise, times = torch.randn_like(pictures), drawn_times(count).to(device)
    chance = torch.rand(count, device=device)
    guessed, contradicted = chance < SHARE_GUESSED, chance >= 1 - SHARE_CONTRADICTED
    if batch.scenes is None:
        contradicted = torch.zeros_like(contradicted)
    times = times.where(~contradicted, CONTRADICTED_TIME_MAX * (1 - torch.rand_like(times)))
    times = times.where(~guessed, torch.empty_like(times).uniform_(GUESSED_TIME_MIN, 1))
    guesses = noise - velocities_of(guessed, painter, batch, noise, torch.ones_like(times), told, scales)
    trust = torch.rand(count, 1, 1, device=device).sqrt()
    begun = torch.where(guessed[:, None, None], pictures + trust * (guesses - pictures), pictures)
    return begun + times[:, None, None] * (noise - begun), times, contradicted


def others_where(rows: Tensor, states: Tensor) -> Tensor:
    """The states [batch, ...], in those rows the next one's."""
    return states.roll(-1, 0).where(rows.view(-1, *[1] * (states.ndim - 1)), states)


def velocities_of(
    rows: Tensor, painter: Painter, batch: Batch, latents: Tensor, times: Tensor, states: States, scales: Tensor
) -> Tensor:
    """The velocities of those pictures, fp32 like the latents; zero for the others."""
    velocity = torch.zeros_like(latents)
    if rows.any():
        reference = None if batch.reference is None else batch.reference[rows]
        some = painter(
            latents[rows],
            times[rows],
            (states[0][rows], states[1][rows]),
            batch.bucket,
            reference=reference,
            guidance=scales[rows],
        )
        velocity[rows] = some.float()
    return velocity


if __name__ == "__main__":
    main()
