"""Which tokens of a prompt name a thing of the scene, and where that thing stands. Knows tokenizers, and no models."""

from functools import cache

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from .nouns import NOUNS
from .plurals import plural
from .scenes import Scene, Thing
from .vocabulary import PLACES

#: Three bands of rows, then three of columns.
BANDS = 6


def bands_of_words(words: PreTrainedTokenizerFast, scenes: list[Scene], prompts: list[str], tokens: int) -> Tensor:
    """1 in the bands where the thing stands that a token names, else 0; [prompts, tokens, BANDS].

    Words for several of the same name no place of their own.
    """
    bands = torch.zeros(len(prompts), tokens, BANDS)
    for one, scene, ids in zip(bands, scenes, words(prompts).input_ids, strict=True):
        if not scene.is_count:
            for thing, place in zip(scene.things, scene.places, strict=True):
                for start, end in spans_of(thing, ids[:tokens], words):
                    one[start:end] = bands_of_place(place)
    return bands


def spans_of(thing: Thing, ids: list[int], words: PreTrainedTokenizerFast) -> list[tuple[int, int]]:
    """Where the longest of its names is said."""
    for name in names_of(thing, words):
        spans = [
            (start, start + len(name)) for start in range(len(ids)) if tuple(ids[start : start + len(name)]) == name
        ]
        if spans:
            return spans
    return []


@cache
def names_of(thing: Thing, words: PreTrainedTokenizerFast) -> tuple[tuple[int, ...], ...]:
    """The tokens of every name and its plural, the longest first; a shape's colour is part of its name."""
    names = (f"{thing.colour} {thing.name}", thing.name) if thing.is_shape else NOUNS[thing.name].words
    names = (*names, *map(plural, names))
    tokens = (tuple(words(name, add_special_tokens=False).input_ids) for name in names)
    return tuple(sorted(tokens, key=len, reverse=True))


@cache
def bands_of_place(place: str) -> Tensor:
    """1 in the band of rows and in that of columns where the place is, [BANDS]."""
    across, down = PLACES[place]
    bands = torch.zeros(BANDS)
    bands[1 + down] = bands[4 + across] = 1
    return bands
