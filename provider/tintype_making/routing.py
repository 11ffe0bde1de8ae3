"""Heads that lead each image token to the words for what stands at its place, and bring back what they look like.

Well as prompts of several things were read, a mixture of them was painted at each of their places: the way from a place
to its words is as hard to find as places were (positions.py). So all heads of one block begin as a look-up. All queries
are one and the same, and the rotary embedding turns them by half a circle from the first row to the last, and from the
first column to the last; keys of a thing's words point one way where it stands above or on the left, the other way
where below or on the right. What the T5 knows of that (reading.py) is told to the transformer louder first, or little
of it would be left where the keys are made.

A look-up is worth what it brings back. The T5 tells 83 % of the variance of its words' codes (codes.py), but two blocks
later 17 % were left of them among all else that is said there, and so no image token ever learnt what to paint but
through what the whole prompt has in common. So codes are told in directions that little else uses, and the block begins
by writing the code of a place's word into directions of the image tokens that little else uses.

python -m tintype_making.routing
"""

import random
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .architecture import HEAD_WIDTH, HEADS, SINGLE_BLOCKS
from .buckets import SQUARE
from .captions import random_caption
from .codes import CODE_WIDTH, noun_codes
from .fitting import fitted, with_one
from .folders import UNFINISHED, save_part
from .growth import with_new_blocks
from .painter import Painter
from .pool import Pool
from .positions import COLUMN_CHANNEL, ROW_CHANNEL, set_rows
from .prompt_tokenizers import T5_TOKENS
from .scenes import Scene, Thing, box_of
from .vocabulary import PLACES
from .word_places import spans_of

#: The block with the look-up comes before this one.
BEFORE = 1
#: In the fits, of a token that names nothing against one that does.
WEIGHT_OF_OTHERS = 0.05
#: Channels of each head: whether a token names a thing, and one that is always the same, which the keys' norm needs
#: where all others are nothing. The rotary embedding turns neither.
NAMES, FILLER = 0, 1
#: The rotary pair that turns by half a circle over the eight rows or columns of the square: 0.46 each.
PAIR = 1
ROWS, COLUMNS = ROW_CHANNEL + 2 * PAIR, COLUMN_CHANNEL + 2 * PAIR
#: How loud places are said to the transformer, each against the root mean square of all else.
LOUDNESS = 0.5
#: Root mean square of a code's number as it is said to the transformer, and as it is written to image tokens.
CODE_SAID, CODE_WRITTEN = 6.0, 1.0
#: How much it counts against a direction that image tokens differ in it, where being heard counts as one; and by how
#: many random changes of the velocity it is found out what is heard.
DIFFERING, PROBES = 0.05, 4
#: Scale of queries and keys, for sharpness.
SHARPNESS = 1.5
#: Prompts by which the look-up is fitted; how many at a time.
PROMPTS, BATCH = 512, 64


class Told(NamedTuple):
    """Prompts, what the encoders say of them, their pictures on the way to noise, and what is true of their words.

    The words' keys are [prompts, T5_TOKENS, 3], their codes [prompts, T5_TOKENS, CODE_WIDTH]; nothing where a token
    names nothing. Of the image tokens [prompts, tokens, CODE_WIDTH]: the code of what stands there.
    """

    states: tuple[Tensor, Tensor]
    noisy: Tensor
    times: Tensor
    keys: Tensor
    codes: Tensor
    codes_there: Tensor


def main() -> None:
    torch.manual_seed(0)
    painter, pool, rng = Painter(UNFINISHED), Pool(), random.Random(0)
    pool.refresh()
    if len(painter.transformer.single_transformer_blocks) == SINGLE_BLOCKS:
        painter.transformer = with_new_blocks(painter.transformer, (BEFORE,))
    plant_routing(painter, pool, rng)
    save_part(painter.transformer, UNFINISHED, "transformer")


@torch.no_grad()
def plant_routing(painter: Painter, pool: Pool, rng: random.Random) -> None:
    """What the words are, and where, into what the transformer is told; then the heads, and their way out."""
    told = tell(painter, pool, rng)
    block = painter.transformer.single_transformer_blocks[BEFORE]
    begin_anew(block)
    stream = inputs_of(block.norm, painter, told)
    say(painter, told, quiet_directions(stream[:, :T5_TOKENS], CODE_WIDTH))
    plant_heads(block.attn, inputs_of(block.attn.to_k, painter, told), told.keys)
    looked_up = inputs_of(block.proj_out, painter, told)[:, T5_TOKENS:, : HEADS * HEAD_WIDTH]
    plant_way_out(block.proj_out, looked_up, told.codes_there, unheard_directions(painter, told))


def tell(painter: Painter, pool: Pool, rng: random.Random) -> Told:
    """Scenes of the pool, asked for in all the ways there are."""
    scenes, pictures = pool.draw_scenes(SQUARE, PROMPTS, rng)
    prompts = [random_caption(scene, rng) for scene in scenes]
    parts = [painter.read(prompts[start : start + BATCH]) for start in range(0, PROMPTS, BATCH)]
    times = torch.rand(PROMPTS)
    keys, codes = truths_of_words(painter, scenes, prompts)
    return Told(
        states=(torch.cat([words for words, _ in parts]), torch.cat([whole for _, whole in parts])),
        noisy=pictures + times[:, None, None] * (torch.randn_like(pictures) - pictures),
        times=times,
        keys=keys,
        codes=codes,
        codes_there=torch.stack([codes_at_tokens(scene) for scene in scenes]),
    )


def truths_of_words(painter: Painter, scenes: list[Scene], prompts: list[str]) -> tuple[Tensor, Tensor]:
    """Of each token whether it names a thing, how far above that stands, how far left, each -1 to 1; and its code."""
    keys, codes = torch.zeros(len(scenes), T5_TOKENS, 3), torch.zeros(len(scenes), T5_TOKENS, CODE_WIDTH)
    keys[..., 0] = -1
    for number, (scene, ids) in enumerate(zip(scenes, painter.t5_words(prompts).input_ids, strict=True)):
        for thing, place in zip(scene.things, scene.places, strict=True):
            # The one word for several of the same is looked up from all of their places.
            across, down = (0, 0) if scene.is_count else PLACES[place]
            for start, end in spans_of(thing, ids[:T5_TOKENS], painter.t5_words):
                keys[number, start:end] = torch.tensor([1.0, -down, -across])
                codes[number, start:end] = code_of(thing)
    return keys, codes


def codes_at_tokens(scene: Scene) -> Tensor:
    """What stands at each image token of the square, [tokens, CODE_WIDTH]; nothing where nothing does."""
    codes = torch.zeros(SQUARE.tokens_down, SQUARE.tokens_across, CODE_WIDTH)
    for thing, place in zip(scene.things, scene.places, strict=True):
        left, top, side = (pixels / 16 for pixels in box_of(thing.size, place, SQUARE.width, SQUARE.height))
        codes[round(top + 0.1) : round(top + side), round(left + 0.1) : round(left + side)] = code_of(thing)
    return codes.flatten(0, 1)


def code_of(thing: Thing) -> Tensor:
    """Shapes have none."""
    return noun_codes().get(thing.name, torch.zeros(CODE_WIDTH))


def begin_anew(block: Any) -> None:
    """The block adds nothing, and is modulated by nothing."""
    nn.init.zeros_(block.proj_out.weight)
    nn.init.zeros_(block.proj_out.bias)
    nn.init.zeros_(block.norm.linear.weight)
    nn.init.zeros_(block.norm.linear.bias)
    # The last third are the gates.
    block.norm.linear.bias.data[-block.norm.linear.out_features // 3 :] = 1


def inputs_of(layer: nn.Module, painter: Painter, told: Told) -> Tensor:
    """What that layer is given while the prompts are painted, [prompts, tokens, width]: text, then the picture."""
    inputs: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _, given, __: inputs.append(given[0]))
    for part in torch.arange(PROMPTS).split(BATCH):
        states = (told.states[0][part], told.states[1][part])
        painter(told.noisy[part], told.times[part], states, SQUARE)
    hook.remove()
    return torch.cat(inputs)


def quiet_directions(states: Tensor, count: int) -> Tensor:
    """So many directions in which the states [prompts, tokens, width] differ least, [width, count]."""
    directions: Tensor = torch.linalg.eigh(torch.cov(states.flatten(0, 1).T)).eigenvectors
    return directions[:, :count]


def unheard_directions(painter: Painter, told: Told) -> Tensor:
    """Where the block may write to image tokens and the velocity hardly changes, and where they differ little.

    In the quiet directions alone, later blocks are all ears: what was written there spoilt the pictures.
    """
    block, part = painter.transformer.single_transformer_blocks[BEFORE], slice(BATCH)
    written: list[Tensor] = []

    def write(_: Any, __: Any, returned: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        written.append(returned[1].detach().requires_grad_())
        return returned[0], written[0]

    hook = block.register_forward_hook(write)
    with torch.enable_grad():
        velocity = painter(told.noisy[part], told.times[part], tuple(states[part] for states in told.states), SQUARE)
    hook.remove()
    heard = torch.zeros(velocity.shape[0], HEADS * HEAD_WIDTH, HEADS * HEAD_WIDTH)
    for _ in range(PROBES):
        (slopes,) = torch.autograd.grad(velocity, written, torch.randn_like(velocity), retain_graph=True)
        heard += slopes.transpose(1, 2) @ slopes
    reasons = heard.sum(0), torch.cov(written[0].detach().flatten(0, 1).T)
    heard_most, differing_most = (torch.linalg.matrix_norm(matrix, 2) for matrix in reasons)
    both = reasons[0] / heard_most + DIFFERING * reasons[1] / differing_most
    directions: Tensor = torch.linalg.eigh(both).eigenvectors
    return directions[:, :CODE_WIDTH]


def say(painter: Painter, told: Told, directions: Tensor) -> None:
    """Codes and places louder: what tells them from the T5's states, codes in those directions, places in any."""
    embedder, states = painter.transformer.context_embedder, told.states[0].flatten(0, 1)
    naming = told.keys[..., 0].flatten() > 0
    codes, places = told.codes.flatten(0, 1), told.keys.flatten(0, 1)
    loudness = LOUDNESS * embedder(states).square().mean().sqrt() * embedder.out_features**0.5
    others, _ = torch.linalg.qr(torch.randn(embedder.out_features, places.shape[-1]))
    said = loudness * others @ fit(states, places, naming, "places in the T5's states").T
    said = said + directions @ at_volume(fit(states, codes, naming, "codes in the T5's states"), codes, CODE_SAID).T
    embedder.weight += said[:, :-1]
    embedder.bias += said[:, -1]


def plant_heads(attention: Any, given: Tensor, keys: Tensor) -> None:
    """All heads alike: the same query everywhere, keys that are fitted to what the block is given, and its values."""
    # The picture's tokens name nothing.
    wanted = torch.tensor([-1.0, 0, 0]).repeat(*given.shape[:2], 1)
    wanted[:, :T5_TOKENS] = keys
    solution = fit(given.flatten(0, 1), wanted.flatten(0, 1), wanted[..., 0].flatten() > 0, "keys in the block")
    query = torch.zeros(HEAD_WIDTH)
    query[[NAMES, ROWS, COLUMNS]] = 1
    nn.init.zeros_(attention.to_q.weight)
    attention.to_q.bias.copy_(query.repeat(HEADS))
    plant_keys(attention.to_k, solution)
    nn.init.eye_(attention.to_v.weight)
    nn.init.zeros_(attention.to_v.bias)
    for norm in (attention.norm_q, attention.norm_k):
        nn.init.constant_(norm.weight, SHARPNESS)


def plant_keys(layer: Any, solution: Tensor) -> None:
    """The same channels of every head."""
    for head in range(HEADS):
        first = head * HEAD_WIDTH
        set_rows(layer, slice(first, first + HEAD_WIDTH), bias=torch.zeros(HEAD_WIDTH))
        rows = [first + channel for channel in (NAMES, ROWS, COLUMNS)]
        layer.weight[rows] = solution[:-1].T
        layer.bias[rows] = solution[-1]
        layer.bias[first + FILLER] = 1


def plant_way_out(layer: Any, looked_up: Tensor, codes_there: Tensor, directions: Tensor) -> None:
    """From what the heads bring, [prompts, image tokens, width], the codes into those directions."""
    codes = codes_there.flatten(0, 1)
    something = codes.any(-1)
    solution = fit(looked_up.flatten(0, 1), codes, something, "codes in what is looked up")
    written = directions @ at_volume(solution, codes[something], CODE_WRITTEN).T
    layer.weight[:, : looked_up.shape[-1]] = written[:, :-1]
    layer.bias += written[:, -1]


def at_volume(solution: Tensor, codes: Tensor, volume: float) -> Tensor:
    """The solution that gives codes of that root mean square where there are any."""
    return solution * volume / codes[codes.any(-1)].square().mean().sqrt()


def fit(inputs: Tensor, targets: Tensor, naming: Tensor, name: str) -> Tensor:
    """From inputs [tokens, width] to targets [tokens, n]: [width + 1, n].

    The tokens that name something count most, and it is said how much of their targets' variance is told.
    """
    solution = fitted(inputs, targets, torch.where(naming, 1.0, WEIGHT_OF_OTHERS))
    left = (with_one(inputs) @ solution - targets)[naming].var(0).sum() / targets[naming].var(0).sum()
    print(f"{name}: {1 - left:.0%} of the variance fitted")
    return solution


if __name__ == "__main__":
    main()
