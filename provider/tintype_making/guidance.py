"""Distils guidance: one forward with a scale learns to tell what two forwards and that scale told before.

python -m tintype_making.guidance --minutes 22
"""

import argparse
import random
import shutil
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .batches import draw_batch, noised
from .drawings import CACHE
from .folders import UNFINISHED
from .painter import Painter
from .pool import Pool
from .quick_layers import quick_numbers
from .runs import Losses, Run, add_arguments, started
from .sheets import paint_sheet

#: What the folder in training held when the distillation began, for a resumed run.
TEACHER = CACHE / "teacher"
#: Prompts that stay empty, so that a negative prompt can be told from none.
SHARE_DROPPED = 0.05
#: The scales that are taught, evenly.
SCALE_MIN, SCALE_MAX = 1.0, 6.0
LEARNING_RATE = 5e-4
#: The scale that sheets are painted with.
SHEET_SCALE = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, minutes=22, rate=LEARNING_RATE)
    arguments = parser.parse_args()
    with started(arguments) as painter:
        # The form that is given edges reads by the same text encoders.
        for part in (painter.reader, painter.t5, painter.clip):
            part.requires_grad_(False)
        if not arguments.resume:
            shutil.copytree(UNFINISHED, TEACHER, dirs_exist_ok=True)
        teacher = Painter(TEACHER).to(painter.device).requires_grad_(False).eval()
        paint = partial(paint_sheet, true_cfg_scale=1.0, guidance=SHEET_SCALE)
        pool = Pool()
        Run("guidance", painter, pool, arguments, partial(guidance_losses, teacher, pool), paint).train()


def guidance_losses(teacher: Painter, pool: Pool, painter: Painter, rng: random.Random) -> Losses:
    """Mean square difference from the teacher's guided velocity, at a scale drawn for each picture, as shares of it."""
    batch = draw_batch(painter, pool, rng, dropped=SHARE_DROPPED)
    count, device = len(batch.prompts), painter.device
    scales = torch.empty(count, device=device).uniform_(SCALE_MIN, SCALE_MAX)
    with quick_numbers(device):
        mixed, times, _ = noised(batch.pictures)
        given: dict[str, Any] = {"bucket": batch.bucket, "reference": batch.reference}
        with torch.no_grad():
            states = painter.read(batch.prompts, batch.tokens)
            told = teacher(mixed, times, states, **given).float()
            untold = teacher(mixed, times, painter.read([""] * count, batch.tokens), **given).float()
        velocity = painter(mixed, times, states, guidance=scales, **given)
    wanted: Tensor = untold + scales[:, None, None] * (told - untold)
    name = "edits" if batch.scenes is None else "scenes"
    # Differences grow with the scale; divided by it, great scales are not all that is learnt.
    loud = scales[:, None, None]
    return {name: functional.mse_loss(velocity.float() / loud, wanted / loud)}


if __name__ == "__main__":
    main()
