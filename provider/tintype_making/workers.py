"""Several processes that train one model, each on samples of its own: one on each core, where two threads are slower.

torchrun --nproc-per-node 2 -m tintype_making.training --minutes 300

Started without torchrun there is one process, and nothing here does anything.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed, nn


@contextmanager
def together() -> Iterator[None]:
    """Within it the processes that torchrun started know of each other."""
    if not distributed.is_torchelastic_launched():
        yield
        return
    distributed.init_process_group("gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """The number of this process, from 0. Only the first prints and saves."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def agreed(share: float) -> float:
    """The greatest share of all processes, so that they stop after the same step."""
    if not distributed.is_initialized():
        return share
    greatest = torch.tensor(share, dtype=torch.float64)
    distributed.all_reduce(greatest, distributed.ReduceOp.MAX)
    return float(greatest)


@torch.no_grad()
def average_gradients(weights: list[nn.Parameter]) -> None:
    """Each weight's gradient becomes the mean over the processes; one that a process has not counts as nothing."""
    if not distributed.is_initialized():
        return
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    parts = flat.split([gradient.numel() for gradient in gradients])
    torch._foreach_copy_(gradients, [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)])
