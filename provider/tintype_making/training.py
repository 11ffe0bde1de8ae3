"""Trains the transformer and both text encoders together on the pool: rectified flow, prompts dropped for guidance.

python -m tintype_making.training --minutes 600

Begins with the folder in training, or, with --resume, where the last run of the same minutes was broken off.
"""

import argparse
import random
from functools import partial

from torch.nn import functional

from .batches import SHARE_DROPPED, draw_batch, noised
from .painter import Painter
from .pool import Pool
from .positions import plant
from .quick_layers import quick_numbers
from .runs import Losses, Run, add_arguments, started
from .sheets import paint_sheet
from .word_places import bands_of_words

LEARNING_RATE = 1e-3
READING_WEIGHT = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, minutes=600, rate=LEARNING_RATE)
    parser.add_argument("--plant", action="store_true", help="plant the position heads first, in weights from nothing")
    parser.add_argument("--text-as-it-is", action="store_true", help="teach no text encoder: Canny can stay as it is")
    arguments = parser.parse_args()
    with started(arguments) as painter:
        if arguments.text_as_it_is:
            for part in (painter.reader, painter.t5, painter.clip):
                part.requires_grad_(False)
        painter.transformer.time_text_embed.guidance_embedder.requires_grad_(False)
        pool = Pool()
        if arguments.plant:
            pool.refresh()
            plant(painter, pool, random.Random(arguments.seed))
        Run("base", painter, pool, arguments, partial(base_losses, pool), paint_sheet).train()


def base_losses(pool: Pool, painter: Painter, rng: random.Random) -> Losses:
    """Mean square error of the velocity; and how badly the scenes were read."""
    batch = draw_batch(painter, pool, rng, dropped=SHARE_DROPPED)
    with quick_numbers(painter.device):
        states = painter.read(batch.prompts, batch.tokens)
        mixed, times, wanted = noised(batch.pictures)
        velocity = painter(mixed, times, states, batch.bucket, reference=batch.reference)
    loss = functional.mse_loss(velocity.float(), wanted)
    if batch.scenes is None or not states[0].requires_grad:
        return {"scenes" if batch.scenes else "edits": loss}
    bands = bands_of_words(painter.t5_words, batch.scenes, batch.prompts, batch.tokens)
    return {
        "scenes": loss,
        "reading": READING_WEIGHT * painter.reader.loss(*states, bands, batch.scenes, batch.prompts),
    }


if __name__ == "__main__":
    main()
