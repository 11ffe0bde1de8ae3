"""Prompts are encoded once, and what is kept is bounded."""

from __future__ import annotations

import gc
from typing import Any

import torch
from torch import nn

from calotype_provider.local.prompt_cache import PromptCache

EMBEDDING_BYTES = 64 * 4


class Words:
    """A pipeline that encodes; it counts how often it was asked."""

    def __init__(self) -> None:
        self.text_encoder = nn.Identity()
        self.asked = 0

    def encode_prompt(self, prompt: str, **_: Any) -> tuple[list[torch.Tensor], None]:
        self.asked += 1
        return [torch.full((64,), float(len(prompt)))], None


def encoded(cache: PromptCache, words: Words, *args: Any, **kwargs: Any) -> Any:
    return cache.encoded(words, words.encode_prompt, args, kwargs)


def test_equal_arguments_are_encoded_once() -> None:
    cache, words = PromptCache(), Words()
    first = encoded(cache, words, "a cat", device=torch.device("cpu"), lengths=[1, 2])
    again = encoded(cache, words, "a cat", device=torch.device("cpu"), lengths=[1, 2])
    assert words.asked == 1
    assert first[0][0] is again[0][0]
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.entries, stats.bytes) == (1, 1, 1, EMBEDDING_BYTES)


def test_any_other_argument_is_another_prompt() -> None:
    cache, words = PromptCache(), Words()
    for arguments in ({}, {"length": 1}, {"length": True}, {"length": 1.0}, {"length": "1"}):
        encoded(cache, words, "a cat", **arguments)
    assert words.asked == 5


def test_what_a_pipeline_adds_to_its_list_stays_its_own() -> None:
    cache, words = PromptCache(), Words()
    encoded(cache, words, "a cat")[0].append(torch.zeros(1))
    assert len(encoded(cache, words, "a cat")[0]) == 1


def test_prompts_with_tensors_are_encoded_every_time() -> None:
    cache, words = PromptCache(), Words()
    for _ in range(2):
        encoded(cache, words, "a cat", image=torch.zeros(1))
    assert words.asked == 2
    assert cache.stats().entries == 0


def test_the_least_recently_used_goes_first() -> None:
    cache, words = PromptCache(entries_max=2), Words()
    for prompt in ("a", "b", "a", "c", "a", "b"):
        encoded(cache, words, prompt)
    assert words.asked == 4
    assert cache.stats().entries == 2


def test_bytes_are_bounded() -> None:
    cache, words = PromptCache(bytes_max=2 * EMBEDDING_BYTES), Words()
    for prompt in ("a", "b", "c"):
        encoded(cache, words, prompt)
    assert cache.stats().bytes == 2 * EMBEDDING_BYTES
    too_small = PromptCache(bytes_max=EMBEDDING_BYTES - 1)
    encoded(too_small, words, "a")
    assert too_small.stats().entries == 0


def test_pipelines_over_the_same_text_encoders_share_their_prompts_and_others_do_not() -> None:
    cache, words, sibling, stranger = PromptCache(), Words(), Words(), Words()
    sibling.text_encoder = words.text_encoder
    for pipeline in (words, sibling, stranger):
        encoded(cache, pipeline, "a cat")
    assert (words.asked, sibling.asked, stranger.asked) == (1, 0, 1)


def test_an_unloaded_pipeline_is_not_kept_alive_nor_mistaken_for_a_later_one() -> None:
    cache = PromptCache()
    for _ in range(20):
        words = Words()
        encoded(cache, words, "a cat")
        assert words.asked == 1
        del words
    gc.collect()
    cache.clear()
    assert (cache.stats().entries, cache.stats().bytes) == (0, 0)
