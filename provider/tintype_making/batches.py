"""What one step of training is shown: prompts, and pictures on their way to noise."""

import random
from typing import NamedTuple

import torch
from torch import Tensor

from .buckets import Bucket, random_bucket
from .captions import random_caption
from .edits import random_instruction
from .painter import Painter
from .pool import Pool
from .prompt_tokenizers import T5_TOKENS
from .random_scenes import chosen
from .scenes import Scene

#: Scenes in a batch; and edits, which have twice as many tokens.
BATCH, BATCH_OF_EDITS = 40, 24
SHARE_OF_EDITS = 0.45
#: How many tokens a batch's captions have: most fit in fewer than are served, and cost less there.
TOKENS = {32: 0.45, 40: 0.35, T5_TOKENS: 0.2}
#: Share of prompts that are emptied, so that guidance has something to lead away from.
SHARE_DROPPED = 0.1
#: Times are drawn as the sigmoid of a normal: mostly noisy ones, for there it is decided what is painted. And so many
#: are the very first of a picture, all noise; and so many the last ones, where it is learnt to believe what is seen.
TIME_MEAN, TIME_DEVIATION, SHARE_FIRST = 2.0, 1.5, 0.08
SHARE_LAST, LAST_TIME_MAX = 0.15, 0.6


class Batch(NamedTuple):
    """Prompts, and the latents [batch, tokens, 64] they ask for; the scenes they tell of, or the pictures to edit."""

    prompts: list[str]
    tokens: int
    bucket: Bucket
    pictures: Tensor
    reference: Tensor | None = None
    scenes: list[Scene] | None = None


def draw_batch(painter: Painter, pool: Pool, rng: random.Random, *, dropped: float) -> Batch:
    """Scenes or edits, that share of their prompts emptied."""
    bucket, tokens, device = random_bucket(rng), chosen(TOKENS, rng), painter.device
    if rng.random() < SHARE_OF_EDITS:
        edits, before, after = pool.draw_edits(bucket, BATCH_OF_EDITS, rng)
        instructions = ["" if rng.random() < dropped else random_instruction(edit, rng) for edit in edits]
        tokens = max(tokens, painter.tokens_for(instructions))
        return Batch(instructions, tokens, bucket, after.to(device), before.to(device))
    scenes, pictures = pool.draw_scenes(bucket, BATCH, rng)
    captions = ["" if rng.random() < dropped else fitting_caption(painter, scene, tokens, rng) for scene in scenes]
    return Batch(captions, tokens, bucket, pictures.to(device), scenes=scenes)


def fitting_caption(painter: Painter, scene: Scene, tokens: int, rng: random.Random) -> str:
    """A caption that so many tokens can hold."""
    while len(painter.t5_words(caption := random_caption(scene, rng)).input_ids) > tokens:
        pass
    return caption


def noised(pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The pictures between themselves and noise, how far [batch], and the velocity that leads from one to the other."""
    times, noise = drawn_times(len(pictures)).to(pictures.device), torch.randn_like(pictures)
    return pictures + times[:, None, None] * (noise - pictures), times, noise - pictures


def drawn_times(count: int) -> Tensor:
    """From 0 (picture) to 1 (noise), [count]."""
    times = torch.sigmoid(TIME_MEAN + TIME_DEVIATION * torch.randn(count))
    chance = torch.rand(count)
    last = (chance >= SHARE_FIRST) & (chance < SHARE_FIRST + SHARE_LAST)
    return times.where(chance >= SHARE_FIRST, 1).where(~last, LAST_TIME_MAX * (1 - torch.rand(count)))
