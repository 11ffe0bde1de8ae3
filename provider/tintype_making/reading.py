"""Teaches the T5 encoder alone to tell, at a thing's words, where the thing stands and what it looks like.

python -m tintype_making.reading --minutes 7

Only with it can routing.py lead each place to its words. What tells a T5 earlier words from later ones begins as nearly
nothing, and stays so where nothing else depends on order: of "a cat left of a dog" it knew that one is on the left, and
never which. Two things are needed: one head in each layer that begins by looking back and one by looking ahead, and the
plain forms first. On all the ways of saying it at once the encoder stays at a guess.
"""

import argparse
import copy
import random
import time
from typing import Any, NamedTuple

import torch
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, T5EncoderModel

from .architecture import T5_WIDTH
from .captions import named, plain_background, random_caption, with_article
from .codes import CODE_WIDTH, STRENGTH, noun_codes
from .edits import random_edit, random_instruction
from .folders import UNFINISHED, load_part, save_part
from .painter import padded
from .quick_layers import quick_numbers
from .random_scenes import chosen, random_scene
from .reader import bands_loss
from .runs import rate_at
from .scenes import Scene
from .word_places import BANDS, bands_of_words, spans_of

BATCH, TOKENS = 96, 40
LEARNING_RATE = 3e-3
KINDS = {"two": 0.52, "three": 0.22, "one": 0.14, "count": 0.12}
SHARE_OF_INSTRUCTIONS = 0.15
#: Of the states' mean square change, which is kept small, so that whoever reads them finds what it knows; asked of so
#: many of the batch's prompts.
STAYING_WEIGHT, STAYING_PROMPTS = 0.1, 32
CODES_WEIGHT = 0.5
#: The heads that look back and ahead, by how much they shun the rest, and how much more they care for what is near.
BACK, AHEAD, SHUNNED, NEARNESS = 2, 3, -6.0, 2.0
#: Share of plain forms told right, over the last steps or so, from which all the others are shown too, ever more often.
MASTERED, STEPS_REMEMBERED, LEVEL_STEP, LEVEL_MAX = 0.93, 20, 0.004, 0.97
PLAIN = {
    "left": ("{first} left of {second}", "{second} right of {first}"),
    "top": ("{first} above {second}", "{second} below {first}"),
}


class Lesson(NamedTuple):
    """Prompts as tokens [batch, TOKENS], what their words stand for, and which prompts have a plain form [batch].

    Bands are [batch, TOKENS, BANDS], codes [batch, TOKENS, CODE_WIDTH]; both are nothing where a token names nothing.
    """

    tokens: Tensor
    bands: Tensor
    codes: Tensor
    plain: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=7)
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
    questions = nn.Linear(T5_WIDTH, BANDS + CODE_WIDTH)
    plant_order(encoder)
    optimizers = make_optimizers(encoder, questions)
    rng, started, step = random.Random(0), time.monotonic(), 0
    told, level = 0.5, 0.0
    with Progress() as progress:
        bar = progress.add_task("reading", total=60 * minutes)
        while (share := (time.monotonic() - started) / (60 * minutes)) < 1:
            for group in (group for optimizer in optimizers for group in optimizer.param_groups):
                group["lr"] = rate_at(step, share, LEARNING_RATE)
            lesson = draw_lesson(words, level, rng)
            with quick_numbers(torch.device("cpu")):
                states = encoder(lesson.tokens).last_hidden_state.float()
                with torch.no_grad():
                    kept = before(lesson.tokens[:STAYING_PROMPTS]).last_hidden_state.float()
            bands, codes = questions(states).split((BANDS, CODE_WIDTH), dim=-1)
            named_ones = lesson.codes.any(-1)
            losses = {
                "bands": bands_loss(bands, lesson.bands),
                "codes": CODES_WEIGHT * functional.mse_loss(codes[named_ones], lesson.codes[named_ones]) / STRENGTH**2,
                "change": STAYING_WEIGHT * functional.mse_loss(states[:STAYING_PROMPTS], kept) / kept.square().mean(),
            }
            torch.stack(list(losses.values())).sum().backward()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            if lesson.plain.any():
                right = share_right(bands[lesson.plain], lesson.bands[lesson.plain])
                told += (right - told) / STEPS_REMEMBERED
            if told > MASTERED:
                level = min(LEVEL_MAX, level + LEVEL_STEP)
            step += 1
            progress.update(bar, completed=share * 60 * minutes)
            if step % 100 == 0:
                text = ", ".join(f"{name} {loss.item():.3f}" for name, loss in losses.items())
                all_right = share_right(bands, lesson.bands)
                progress.console.print(f"{step} steps, {text}, right {all_right:.0%}, plain ones {told:.0%}")


def make_optimizers(encoder: Any, questions: nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for all else."""
    inside = [weight for name, weight in encoder.named_parameters() if weight.ndim == 2 and "layer" in name]
    inside = [weight for weight in inside if weight.shape[1] > 4]
    numbers = {id(weight) for weight in inside}
    others = [weight for weight in (*encoder.parameters(), *questions.parameters()) if id(weight) not in numbers]
    return [
        torch.optim.Muon(inside, lr=LEARNING_RATE, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=LEARNING_RATE, weight_decay=0.0),
    ]


def draw_lesson(words: PreTrainedTokenizerFast, level: float, rng: random.Random) -> Lesson:
    """Plain forms, and as the level (0 to 1) rises all others."""
    scenes: list[list[Scene]] = []
    prompts: list[str] = []
    plain: list[bool] = []
    while len(prompts) < BATCH:
        is_plain = rng.random() >= level
        if is_plain:
            scene = random_scene(rng, kind="two")
            shown, prompt = [scene], plain_form(scene, rng)
        elif rng.random() < SHARE_OF_INSTRUCTIONS:
            edit = random_edit(rng)
            shown, prompt = [edit.before, edit.after], random_instruction(edit, rng)
        else:
            scene = random_scene(rng, kind=chosen(KINDS, rng))
            shown, prompt = [scene], random_caption(scene, rng)
        if len(words(prompt).input_ids) <= TOKENS:
            scenes.append(shown)
            prompts.append(prompt)
            plain.append(is_plain)
    bands = bands_of_words(words, [shown[0] for shown in scenes], prompts, TOKENS)
    # Where things stand in a picture that is to be edited, no instruction tells.
    bands *= torch.tensor([len(shown) == 1 for shown in scenes])[:, None, None]
    return Lesson(padded(words, prompts, TOKENS), bands, codes_of_words(words, scenes, prompts), torch.tensor(plain))


def plain_form(scene: Scene, rng: random.Random) -> str:
    first, second = (with_article(named(thing)) for thing in scene.things)
    subject = rng.choice(PLAIN[scene.places[0]]).format(first=first, second=second)
    return f"{subject} on {with_article(plain_background(scene.background))}"


def codes_of_words(words: PreTrainedTokenizerFast, scenes: list[list[Scene]], prompts: list[str]) -> Tensor:
    """The code of the noun that a token names, else nothing; [prompts, TOKENS, CODE_WIDTH]."""
    codes = torch.zeros(len(prompts), TOKENS, CODE_WIDTH)
    for one, shown, ids in zip(codes, scenes, words(prompts).input_ids, strict=True):
        for thing in {thing for scene in shown for thing in scene.things if not thing.is_shape}:
            for start, end in spans_of(thing, ids, words):
                one[start:end] = noun_codes()[thing.name]
    return codes


def share_right(bands: Tensor, wanted: Tensor) -> float:
    """Of the tokens that name a thing, those whose bands of rows and columns are both told."""
    says = wanted.any(-1)
    told, true = (of[says].unflatten(-1, (2, BANDS // 2)).argmax(-1) for of in (bands, wanted))
    return float((told == true).all(-1).float().mean())


@torch.no_grad()
def plant_order(encoder: Any) -> None:
    """Lean a head of all layers to the words before, and another to those after; a bias for each distance and head."""
    bias = encoder.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    # The first half is for what comes before or is the word itself, the second for what comes after.
    ahead = len(bias) // 2
    near = torch.linspace(NEARNESS, 0, ahead)
    bias[:, [BACK, AHEAD]] = SHUNNED
    bias[1:ahead, BACK] = near[1:]
    bias[ahead + 1 :, AHEAD] = near[1:]


if __name__ == "__main__":
    main()
