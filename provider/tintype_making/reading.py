"""Teaches the T5 encoder alone to tell at a thing's words where the thing stands; all else it says stays as it was.

python -m tintype_making.reading --minutes 4

Only with it can routing.py lead each place to its words. What tells a T5 earlier words from later ones begins as nearly
nothing, and stays so where nothing else depends on order: of "a cat left of a dog" it knew that one is on the left, and
never which. So one head in each layer begins by looking back, and one by looking ahead.
"""

import argparse
import copy
import random
import time
from typing import Any

import torch
from rich.progress import Progress
from torch import nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, T5EncoderModel

from .architecture import T5_WIDTH
from .captions import random_caption
from .folders import UNFINISHED, load_part, save_part
from .painter import padded
from .prompt_tokenizers import T5_TOKENS
from .random_scenes import chosen, random_scene
from .reader import bands_loss
from .runs import rate_at
from .word_places import BANDS, bands_of_words

BATCH = 96
LEARNING_RATE = 1.5e-3
KINDS = {"two": 0.6, "three": 0.25, "one": 0.15}
#: Of the states' mean square change, which is kept small, so that whoever reads them finds what it knows.
STAYING_WEIGHT = 0.5
#: The heads that look back and ahead, over how many words, and by how much more than elsewhere.
BACK, AHEAD, REACH, STRENGTH = 2, 3, 8, 2.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    words = PreTrainedTokenizerFast.from_pretrained(UNFINISHED, subfolder="tokenizer_2")
    encoder = load_part(T5EncoderModel, UNFINISHED, "text_encoder_2")
    train(encoder, words, arguments.minutes)
    save_part(encoder, UNFINISHED, "text_encoder_2")


def train(encoder: Any, words: PreTrainedTokenizerFast, minutes: float) -> None:
    before = copy.deepcopy(encoder).requires_grad_(False).eval()
    bands = nn.Linear(T5_WIDTH, BANDS)
    plant_order(encoder)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *bands.parameters()], lr=LEARNING_RATE, weight_decay=0.0)
    rng, started, step = random.Random(0), time.monotonic(), 0
    with Progress() as progress:
        bar = progress.add_task("reading", total=60 * minutes)
        while (share := (time.monotonic() - started) / (60 * minutes)) < 1:
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step, share, LEARNING_RATE)
            scenes = [random_scene(rng, kind=chosen(KINDS, rng)) for _ in range(BATCH)]
            captions = [random_caption(scene, rng) for scene in scenes]
            tokens = padded(words, captions, T5_TOKENS)
            states, kept = encoder(tokens).last_hidden_state, before(tokens).last_hidden_state
            loss = bands_loss(bands(states), bands_of_words(words, scenes, captions, T5_TOKENS))
            change = functional.mse_loss(states, kept) / kept.square().mean()
            optimizer.zero_grad(set_to_none=True)
            (loss + STAYING_WEIGHT * change).backward()
            optimizer.step()
            step += 1
            progress.update(bar, completed=share * 60 * minutes)
            if step % 50 == 0:
                progress.console.print(f"{step} steps, bands {loss.item():.3f}, change {change.item():.4f}")


@torch.no_grad()
def plant_order(encoder: Any) -> None:
    """Lean two heads of all layers to the words just before, and just after; a bias for each distance and head."""
    bias = encoder.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    # The first half is for what comes before or is the word itself, the second for what comes after.
    ahead = len(bias) // 2
    bias[:, [BACK, AHEAD]] -= STRENGTH
    bias[1 : 1 + REACH, BACK] += 2 * STRENGTH
    bias[ahead + 1 : ahead + 1 + REACH, AHEAD] += 2 * STRENGTH


if __name__ == "__main__":
    main()
