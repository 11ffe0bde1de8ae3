"""The real worker, with a denoiser that fails for some sizes of pictures: tokens of 16 x 16 pixels tell which."""

from __future__ import annotations

import functools
import os
import time
from typing import Any

import diffusers
import torch

from calotype_provider.local import worker

FATAL_TOKENS = 6 * 6
"""A picture of 96 x 96: the worker dies."""
HANGING_TOKENS = 5 * 5
"""80 x 80: the forward does not come back."""
FAILING_TOKENS = 3 * 3
"""48 x 48: the forward raises."""
TOKENS_THAT_FIT = 4 * 4
"""One picture of 64 x 64: more in one forward do not fit into memory."""

real_forward = diffusers.FluxTransformer2DModel.forward


# The hub reads the arguments' names from the signature: without them no call could be merged.
@functools.wraps(real_forward)
def forward(self: Any, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    rows, tokens, _ = hidden_states.shape
    if tokens == FATAL_TOKENS:
        os._exit(9)
    if tokens == HANGING_TOKENS:
        time.sleep(3600)
    if tokens == FAILING_TOKENS:
        raise ValueError("a fault of the denoiser")
    if rows * tokens > TOKENS_THAT_FIT:
        raise torch.OutOfMemoryError(f"{rows * tokens} tokens do not fit")
    return real_forward(self, hidden_states, *args, **kwargs)


if __name__ == "__main__":
    diffusers.FluxTransformer2DModel.forward = forward  # type: ignore[attr-defined]  # diffusers leaves it so
    worker.main()
