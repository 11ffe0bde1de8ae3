"""What edits need beside all else, planted: the word for what is to go is told from that for what is to come.

Image tokens looked up both words of "replace the apple with a cat" as often (routing.py), wherever they were. Now the
word for what is there is looked up by tokens of the picture to be edited, which so can find out which of them are
meant, and not by those of the picture that is painted. And once they may have, a second look-up of the same place in
the picture to be edited follows: the first one comes before, and later blocks had none.

python -m tintype_making.editing
"""

import random
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .architecture import HEAD_WIDTH, HEADS, SINGLE_BLOCKS
from .buckets import SQUARE
from .edits import Edit, random_instruction
from .fitting import fitted, with_one
from .folders import UNFINISHED, save_part
from .growth import plant_look_up, with_new_blocks
from .painter import Painter
from .pool import Pool
from .prompt_tokenizers import T5_TOKENS
from .routing import BATCH
from .routing import BEFORE as ROUTING
from .word_places import spans_of

#: How many single blocks there are before this, routing.py's among them; and before which the second look-up comes.
BLOCKS, LOOK_UP_BEFORE = SINGLE_BLOCKS + 1, 5
#: Edits by which it is fitted.
EDITS = 1_024
#: The channel of the look-up of words that says it: the rotary embedding hardly turns it, and training left it empty.
CHANNEL = 14
#: How much less a word for what is to go is looked up by a picture that is painted, and more by one to be edited: in
#: logits, before the norms take a third of it away.
LESS = 8.0


class Given(NamedTuple):
    """Normed states of text, picture and reference in the block with the look-up of words [edits, tokens, width].

    And which of the text's tokens are words for what is to go, and for what is to come, [edits, T5_TOKENS].
    """

    states: Tensor
    old: Tensor
    new: Tensor


def main() -> None:
    torch.manual_seed(0)
    painter, pool = Painter(UNFINISHED), Pool()
    pool.refresh()
    assert len(painter.transformer.single_transformer_blocks) == BLOCKS, "after routing, and once"
    painter.transformer = with_new_blocks(painter.transformer, (LOOK_UP_BEFORE,))
    plant_editing(painter, pool, random.Random(0))
    save_part(painter.transformer, UNFINISHED, "transformer")


@torch.no_grad()
def plant_editing(painter: Painter, pool: Pool, rng: random.Random) -> None:
    plant_look_up(painter.transformer, painter.transformer.single_transformer_blocks[LOOK_UP_BEFORE].attn)
    attention = painter.transformer.single_transformer_blocks[ROUTING].attn
    plant_oldness(attention, give(painter, attention, pool, rng))


def give(painter: Painter, attention: Any, pool: Pool, rng: random.Random) -> Given:
    edits, before, after = pool.draw_edits(SQUARE, EDITS, rng)
    prompts = [random_instruction(edit, rng) for edit in edits]
    times = torch.rand(EDITS)
    mixed = after + times[:, None, None] * (torch.randn_like(after) - after)
    states: list[Tensor] = []
    hook = attention.to_q.register_forward_hook(lambda _, given, __: states.append(given[0]))
    for start, end in pairwise(range(0, EDITS + 1, BATCH)):
        told = painter.read(prompts[start:end])
        painter(mixed[start:end], times[start:end], told, SQUARE, reference=before[start:end])
    hook.remove()
    old, new = words_of_old_and_new(painter, edits, prompts)
    return Given(torch.cat(states), old, new)


def words_of_old_and_new(painter: Painter, edits: list[Edit], prompts: list[str]) -> tuple[Tensor, Tensor]:
    """1 where a token names what is to go; and where one names what is to come; [edits, T5_TOKENS]."""
    old, new = torch.zeros(len(edits), T5_TOKENS), torch.zeros(len(edits), T5_TOKENS)
    for number, (edit, ids) in enumerate(zip(edits, painter.t5_words(prompts).input_ids, strict=True)):
        # In "replace the bear with a polar bear" the second bear counts for neither.
        for words, scene, kinds in ((new, edit.after, ("replace", "add")), (old, edit.before, ("replace", "remove"))):
            if edit.kind in kinds:
                for start, end in spans_of(scene.things[edit.number], ids[:T5_TOKENS], painter.t5_words):
                    words[number, start:end] = 1
    return old, new * (1 - old)


def plant_oldness(attention: Any, given: Given) -> None:
    """One channel of all heads: keys tell whether a word is old, queries which picture a token is of.

    Keys are fitted to words alone and queries to pictures alone. Fitted to nothing for the others, too, they tell old
    words from new ones less well, and new ones were looked up half as often.
    """
    text, pictures = given.states[:, :T5_TOKENS], given.states[:, T5_TOKENS:]
    # Old words, new ones, and all others count as much as each other.
    weights = 1 + given.old / given.old.mean() + given.new / given.new.mean()
    oldness = fitted(text.flatten(0, 1), given.old.flatten(), weights.flatten())
    told = with_one(text) @ oldness
    print(f"old words told {told[given.old > 0].mean():.2f}, new ones {told[given.new > 0].mean():.2f}")
    is_painted = torch.ones(pictures.shape[:2])
    is_painted[:, is_painted.shape[1] // 2 :] = -1
    role = fitted(pictures.flatten(0, 1), is_painted.flatten())
    for head in range(HEADS):
        rows = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
        queries, keys = attention.to_q(pictures)[..., rows], attention.to_k(text[given.old > 0])[..., rows]
        # What the norms make of a query's channel times a key's.
        factor = attention.norm_q.weight[CHANNEL] * attention.norm_k.weight[CHANNEL] / (size(queries) * size(keys))
        assert factor > 0, factor
        volume = (LESS * HEAD_WIDTH**0.5 / factor) ** 0.5
        channel = head * HEAD_WIDTH + CHANNEL
        for layer, solution in ((attention.to_q, -role * volume), (attention.to_k, oldness * volume)):
            layer.weight[channel], layer.bias[channel] = solution[:-1], solution[-1]


def size(states: Tensor) -> Tensor:
    """Root mean square over channels, of the median token."""
    return states.square().mean(-1).sqrt().median()


if __name__ == "__main__":
    main()
