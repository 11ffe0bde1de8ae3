"""Arguments that are plain values, as keys: numbers, texts and what is made of them, but no tensors and no pictures."""

from __future__ import annotations

from collections.abc import Hashable

import torch

_ATOMS = (type(None), bool, int, float, str, bytes, torch.dtype, torch.device)


def plain_key(value: object) -> Hashable | None:
    """Equal for equal values of the same types. None when something in it is no plain value."""
    if isinstance(value, _ATOMS):
        return (type(value), value)
    if isinstance(value, dict):
        keys: list[Hashable] = []
        for name, part in value.items():
            if not isinstance(name, str) or (key := plain_key(part)) is None:
                return None
            keys.append((name, key))
        return (dict, frozenset(keys))
    if isinstance(value, list | tuple):
        parts = [plain_key(part) for part in value]
        return None if None in parts else (type(value), tuple(parts))
    return None
