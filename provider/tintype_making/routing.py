"""Heads that lead each image token to the words for what stands at its place, planted in a new block.

Well as prompts of several things were read, a mixture of them was painted at each of their places: the way from a place
to its words is as hard to find as places were (positions.py). So the new block's heads begin as a look-up: queries tell
in which band of rows and of columns a token is, keys of a thing's words where the thing stands; both are fitted to what
the trained blocks before make of prompts and pictures. The block's way out is nothing, so that it changes nothing yet.

python -m tintype_making.routing
"""

import random
from typing import Any

import torch
from torch import Tensor, nn

from .architecture import HEAD_WIDTH, HEADS
from .buckets import SQUARE
from .captions import joined, named, plain_background, with_article
from .folders import UNFINISHED, save_part
from .growth import largest_difference, with_new_blocks
from .painter import Painter
from .pool import Pool
from .positions import set_rows
from .prompt_tokenizers import T5_TOKENS
from .scenes import Scene
from .word_places import BANDS, bands_of_words

#: The new block comes before this one.
BEFORE = 1
#: In the fit of keys, of a token that names nothing against one that does.
WEIGHT_OF_OTHERS = 0.05
#: Scale of queries and keys, for sharpness.
SHARPNESS = 1.6
#: Prompts of two or three things by which the look-up is fitted.
PROMPTS = 384


def main() -> None:
    torch.manual_seed(0)
    painter, pool, rng = Painter(UNFINISHED), Pool(), random.Random(0)
    pool.refresh()
    old = painter.transformer
    painter.transformer = with_new_blocks(old, (BEFORE,))
    plant_routing(painter, pool, rng)
    print("outputs differ by", largest_difference(old, painter.transformer))
    save_part(painter.transformer, UNFINISHED, "transformer")


@torch.no_grad()
def plant_routing(painter: Painter, pool: Pool, rng: random.Random) -> None:
    """Fit queries and keys of all heads of the new block; its values are its inputs."""
    scenes, pictures = draw_several(pool, rng)
    prompts = [spoken(scene, rng) for scene in scenes]
    attention = painter.transformer.single_transformer_blocks[BEFORE].attn
    inputs: list[Tensor] = []
    hook = attention.to_q.register_forward_hook(lambda _, given, __: inputs.append(given[0]))
    times = torch.rand(PROMPTS)
    noisy = pictures + times[:, None, None] * (torch.randn_like(pictures) - pictures)
    for part in torch.arange(PROMPTS).split(64):
        states = painter.read([prompts[number] for number in part])
        painter(noisy[part], times[part], states, SQUARE)
    hook.remove()
    given = torch.cat(inputs)
    words = bands_of_words(painter.t5_words, scenes, prompts, T5_TOKENS)
    # Neither the other words nor the picture's tokens name anything: no place is theirs.
    keys = torch.cat([2 * words - 1, -torch.ones(PROMPTS, given.shape[1] - T5_TOKENS, BANDS)], dim=1)
    weights = torch.where((keys > 0).any(-1), 1.0, WEIGHT_OF_OTHERS)
    queries = bands_of_tokens().expand(PROMPTS, -1, -1).flatten(0, 1)
    pictured = given[:, T5_TOKENS:].flatten(0, 1)
    fit(attention.to_q, pictured, queries, torch.ones(len(pictured)), "queries")
    fit(attention.to_k, given.flatten(0, 1), keys.flatten(0, 1), weights.flatten(), "keys")
    nn.init.eye_(attention.to_v.weight)
    nn.init.zeros_(attention.to_v.bias)
    for norm in (attention.norm_q, attention.norm_k):
        nn.init.constant_(norm.weight, SHARPNESS)


def draw_several(pool: Pool, rng: random.Random) -> tuple[list[Scene], Tensor]:
    """Scenes of different things, and their latents."""
    scenes: list[Scene] = []
    latents: list[Tensor] = []
    while len(scenes) < PROMPTS:
        (scene,), latent = pool.draw_scenes(SQUARE, 1, rng)
        if len(set(scene.things)) > 1:
            scenes.append(scene)
            latents.append(latent)
    return scenes, torch.cat(latents)


def spoken(scene: Scene, rng: random.Random) -> str:
    """Any of the ways to say where things are, by their own names."""
    subject = joined(scene, [with_article(named(thing)) for thing in scene.things], rng.randrange(100))
    return f"{subject} on {with_article(plain_background(scene.background))}"


def bands_of_tokens() -> Tensor:
    """How much each image token of the square is in each band, [tokens, BANDS]."""

    def bands(count: int) -> Tensor:
        middle = (torch.arange(count) + 0.5) / count
        first, last = ((0.5 - middle) * 4).clamp(0, 1), ((middle - 0.5) * 4).clamp(0, 1)
        return torch.stack([first, 1 - first - last, last], dim=1)

    rows = bands(SQUARE.tokens_down)[:, None].expand(-1, SQUARE.tokens_across, -1)
    columns = bands(SQUARE.tokens_across)[None].expand(SQUARE.tokens_down, -1, -1)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)


def fit(layer: Any, inputs: Tensor, targets: Tensor, weights: Tensor, name: str) -> None:
    """Weighted least squares, a little damped, to the same channels of every head."""
    padded = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1)
    weighted = padded * weights[:, None]
    damping = 1e-4 * weights.sum() * torch.eye(padded.shape[1])
    solution = torch.linalg.solve(padded.T @ weighted + damping, weighted.T @ targets)
    most = weights == weights.max()
    left = (padded[most] @ solution - targets[most]).var() / targets[most].var()
    print(f"{name}: {1 - left:.0%} of the variance fitted")
    for head in range(HEADS):
        set_rows(layer, slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH), bias=torch.zeros(HEAD_WIDTH))
        rows = slice(head * HEAD_WIDTH, head * HEAD_WIDTH + BANDS)
        layer.weight[rows] = solution[:-1].T
        layer.bias[rows] = solution[-1]


if __name__ == "__main__":
    main()
