"""Calls of a denoiser: which can share one forward, how their rows are joined, and how the answer is parted again."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import msgspec
import torch
from torch import nn

from calotype_provider.local.merge_rules import LATENTS, MERGE_RULES, TEXTS, MergeRule
from calotype_provider.local.plain_values import plain_key
from calotype_provider.local.thin_products import ThinProductsByCall, adds_up_by_rows


class DenoiserCall(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What a pipeline called its denoiser with."""

    denoiser: nn.Module
    reader: CallReader
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    named: dict[str, Any]
    """The arguments by name, in the order of the signature, without those that are as if nobody had given them."""
    merge_key: Hashable | None
    rows: int
    tokens: int


def run_calls(calls: Sequence[DenoiserCall]) -> list[Any]:
    """One forward for all of them, whose merge keys are equal; each call's own answer."""
    first = calls[0]
    if len(calls) == 1:
        # As the pipeline called it, so that alone is bit-equal whatever the denoiser.
        return [first.denoiser(*first.args, **first.kwargs)]
    rows = [call.rows for call in calls]
    arguments = first.reader.joined(calls)
    with ThinProductsByCall(rows) if adds_up_by_rows(first.denoiser) else contextlib.nullcontext():
        answer = first.denoiser(**arguments)
    return _parted(answer, rows)


class CallReader:
    """Reads one request's calls of one denoiser, by the denoiser's signature and merge rule."""

    def __init__(self, denoiser: nn.Module) -> None:
        parameters = list(inspect.signature(type(denoiser).forward).parameters.values())[1:]
        self._denoiser = denoiser
        self._names = [parameter.name for parameter in parameters]
        self._defaults = [(parameter.name, parameter.default) for parameter in parameters]
        self._latents = next((name for name in LATENTS if name in self._names), "")
        self._text = next((name for name in TEXTS if name in self._names), "")
        self._rule: MergeRule | None = MERGE_RULES.get(type(denoiser).__name__)
        self._patch_side = _patch_side(denoiser)
        self._last: dict[str, tuple[torch.Tensor, Hashable | None]] = {}
        self._shapes: tuple[object, object] = (None, None)
        self._shapes_tokens = 0

    def read(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, alone: bool) -> DenoiserCall:
        given = {**dict(zip(self._names, args, strict=False)), **kwargs} if args else kwargs
        named = {name: value for name, default in self._defaults if (value := given.get(name, default)) is not default}
        latents = named.get(self._latents)
        rows = len(latents) if isinstance(latents, list | torch.Tensor) else 1
        return DenoiserCall(
            denoiser=self._denoiser,
            reader=self,
            args=args,
            kwargs=kwargs,
            named=named,
            merge_key=None if alone else self._merge_key(named, rows),
            rows=rows,
            tokens=self._tokens(latents, named.get(self._text)),
        )

    def _tokens(self, latents: Any, text: Any) -> int:
        shapes = getattr(latents, "shape", None), getattr(text, "shape", None)
        if None in shapes or shapes != self._shapes:
            self._shapes = shapes
            self._shapes_tokens = rows_tokens(latents, text, patch_side=self._patch_side)
        return self._shapes_tokens

    def _merge_key(self, named: dict[str, Any], rows: int) -> Hashable | None:
        if self._rule is None or rows < self._rule.rows_min:
            return None
        parts: list[Hashable] = [id(self._denoiser)]
        for name, value in named.items():
            # Most tensors are those of the step before.
            last = self._last.get(name)
            if last is not None and last[0] is value:
                part = last[1]
            else:
                part = self._part(self._rule, name, value, rows)
                if isinstance(value, torch.Tensor):
                    self._last[name] = (value, part)
            if part is None:
                return None
            parts += (name, part)
        return tuple(parts)

    def _part(self, rule: MergeRule, name: str, value: Any, rows: int) -> Hashable | None:
        if name in rule.rows:
            return _layout(value, rows)
        if name in rule.shared:
            return _content(value)
        if name in rule.lists:
            return _elements(value, rows, multiple=rule.lists[name])
        return plain_key(value)

    def joined(self, calls: Sequence[DenoiserCall]) -> dict[str, Any]:
        """The arguments of the one forward for all calls."""
        rule = self._rule
        assert rule is not None, "calls without a merge rule have no merge key"
        rows = [call.rows for call in calls]
        arguments = {}
        for name, value in calls[0].named.items():
            if name in rule.rows:
                arguments[name] = _joined([call.named[name] for call in calls], rows)
            elif name in rule.lists:
                arguments[name] = [element for call in calls for element in call.named[name]]
            else:
                arguments[name] = value
        return arguments


def rows_tokens(latents: Any, text: Any, *, patch_side: int) -> int:
    """Tokens of all rows, the picture's after the denoiser has cut it into patches, and the text's. 0 for a denoiser
    that calls them otherwise."""
    if isinstance(latents, list):
        pictures = sum(_spatial_tokens(row.shape[1:], patch_side) for row in latents if isinstance(row, torch.Tensor))
        return pictures + (sum(len(row) for row in text) if isinstance(text, list) else 0)
    if not isinstance(latents, torch.Tensor) or latents.ndim < 3:
        return 0
    words = text.shape[1] if isinstance(text, torch.Tensor) and text.ndim == 3 else 0
    # [rows, tokens, channels] where the pipeline cuts the patches, [rows, channels, height, width] where it does not.
    tokens = latents.shape[1] if latents.ndim == 3 else _spatial_tokens(latents.shape[2:], patch_side)
    return latents.shape[0] * (tokens + words)


def _patch_side(denoiser: nn.Module) -> int:
    config = getattr(denoiser, "config", None)
    if not isinstance(config, Mapping):
        return 1
    side = config.get("patch_size") or max(config.get("all_patch_size") or (1,))
    return side if isinstance(side, int) else 1


def _spatial_tokens(sides: Sequence[int], patch_side: int) -> int:
    return math.prod(sides) // patch_side**2


def _content(tensor: torch.Tensor) -> Hashable:
    content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return (tensor.shape, tensor.dtype, hashlib.blake2b(content, digest_size=16).digest())


def _layout(value: Any, rows: int) -> Hashable | None:
    """How a row lies in memory: kernels are chosen by strides too, and rows laid out otherwise would change theirs."""
    if isinstance(value, torch.Tensor):
        if value.ndim == 0:
            return (value.dtype, value.device)
        return (value.dtype, value.shape[1:], value.stride()[1:]) if value.shape[0] == rows else None
    if isinstance(value, dict):
        named = [(name, _layout(part, rows)) for name, part in sorted(value.items())]
        return None if any(layout is None for _, layout in named) else tuple(named)
    if isinstance(value, list | tuple):
        layouts = [_layout(part, rows) for part in value]
        return None if None in layouts else tuple(layouts)
    return plain_key(value)


def _elements(value: Any, rows: int, *, multiple: int) -> Hashable | None:
    if not isinstance(value, list) or len(value) != rows:
        return None
    keys = [_element(element, multiple) for element in value]
    # A set: what is alike within every call fits together in whatever number.
    return None if None in keys else frozenset(keys)


def _element(element: Any, multiple: int) -> Hashable | None:
    if isinstance(element, torch.Tensor):
        return (element.dtype, -(-len(element) // multiple), element.shape[1:], element.stride()[1:])
    return plain_key(element)


def _joined(values: list[Any], rows: list[int]) -> Any:
    first = values[0]
    if isinstance(first, torch.Tensor):
        if first.ndim == 0:
            return torch.cat([value.expand(count) for value, count in zip(values, rows, strict=True)])
        return torch.cat(values)
    if isinstance(first, dict):
        return {name: _joined([value[name] for value in values], rows) for name in first}
    if isinstance(first, list | tuple):
        return [_joined(list(parts), rows) for parts in zip(*values, strict=True)]
    return first


def _parted(output: Any, rows: list[int]) -> list[Any]:
    if isinstance(output, torch.Tensor):
        return list(output.split_with_sizes(rows))
    if isinstance(output, dict):
        parts = {name: _parted(value, rows) for name, value in output.items()}
        return [type(output)(**{name: part[index] for name, part in parts.items()}) for index in range(len(rows))]
    if isinstance(output, tuple):
        return list(zip(*(_parted(value, rows) for value in output), strict=True))
    assert isinstance(output, list), f"a denoiser with a merge rule answered with {type(output).__name__}"
    elements = iter(output)
    return [[next(elements) for _ in range(count)] for count in rows]
