"""Products of few rows, made call by call within a forward that several calls share. It knows no denoiser and no hub.

In fp32 a CPU's libraries choose the kernel of a product by its number of rows, as long as those are few, and each
kernel adds up in an order of its own: what was made of a picture's time and guidance depended, in the last bits, on how
many pictures shared the forward. Products of many rows do not (docs/decisions/0009-precision.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

ROWS_MANY = 16
"""Of a row of the batch: with so many the kernel is always the same."""


def adds_up_by_rows(module: nn.Module) -> bool:
    """Whether the number of rows changes the last bits of its products."""
    weight = next(module.parameters())
    return weight.dtype == torch.float32 and weight.device.type == "cpu"


class ThinProductsByCall(TorchFunctionMode):
    """Within it, what was joined of calls of so many rows each is multiplied as each call alone would be."""

    def __init__(self, rows: Sequence[int]) -> None:
        super().__init__()
        self._rows, self._rows_of_all = list(rows), sum(rows)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.linear and self._is_thin(args[0]):
            parts = args[0].split_with_sizes(self._rows)
            return torch.cat([func(part, *args[1:], **kwargs or {}) for part in parts])
        return func(*args, **kwargs or {})

    def _is_thin(self, given: torch.Tensor) -> bool:
        return given.ndim > 1 and len(given) == self._rows_of_all and math.prod(given.shape[1:-1]) < ROWS_MANY
