"""Prompts that were encoded already: the same words are encoded once by the same text encoders."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import msgspec
import torch

from calotype_provider.local.plain_values import plain_key

ENTRIES_MAX = 256
BYTES_MAX = 512 * 1024 * 1024


class PromptCacheStats(msgspec.Struct, frozen=True, kw_only=True):
    hits: int
    misses: int
    entries: int
    bytes: int


class PromptCache:
    """Least recently used first out, by number and by bytes."""

    def __init__(self, *, entries_max: int = ENTRIES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._hits = 0
        self._misses = 0

    def encoded(
        self, pipeline: object, encode: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """What `encode(*args, **kwargs)` answers, or has answered before for a pipeline of this class over these text
        encoders. Pictures and tensors among the arguments are not compared: with them it is asked every time."""
        arguments = plain_key((args, kwargs))
        if arguments is None:
            return encode(*args, **kwargs)
        key = (type(pipeline), _encoders(pipeline), arguments)
        known = self._entries.get(key)
        if known is not None:
            self._hits += 1
            self._entries.move_to_end(key)
            return _copied(known[0])
        self._misses += 1
        output = encode(*args, **kwargs)
        self._keep(key, output)
        return _copied(output)

    def clear(self) -> None:
        """For an owner who has changed or unloaded a pipeline's text encoders."""
        self._entries.clear()
        self._bytes = 0

    def stats(self) -> PromptCacheStats:
        return PromptCacheStats(hits=self._hits, misses=self._misses, entries=len(self._entries), bytes=self._bytes)

    def _keep(self, key: Hashable, output: Any) -> None:
        size = sum(tensor.nbytes for tensor in _tensors(output))
        if size > self._bytes_max:
            return
        self._entries[key] = (output, size)
        self._bytes += size
        while len(self._entries) > self._entries_max or self._bytes > self._bytes_max:
            _, (_, dropped) = self._entries.popitem(last=False)
            self._bytes -= dropped


def _encoders(pipeline: object) -> tuple[Hashable, ...]:
    """Weak references: they keep no unloaded model alive, and are never equal to those of a later one."""
    parts = [part for name, part in vars(pipeline).items() if name.startswith("text_encoder") and part is not None]
    return tuple(weakref.ref(part) for part in parts or [pipeline])


def _copied(output: Any) -> Any:
    """The same tensors in containers of their own: a pipeline may add to its list, but writes into no embedding."""
    if isinstance(output, list | tuple):
        return type(output)(_copied(part) for part in output)
    return output


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, list | tuple):
        for part in output:
            yield from _tensors(part)
