"""What a layer is fitted to when it is planted: linear, by weighted least squares."""

import torch
from torch import Tensor


def fitted(inputs: Tensor, targets: Tensor, weights: Tensor | None = None, *, damping: float = 1e-4) -> Tensor:
    """Least squares, a little damped, from inputs [n, width] to targets [n, ...]: [width + 1, ...], a bias last."""
    weights = torch.ones(len(inputs)) if weights is None else weights
    padded = with_one(inputs)
    weighted = padded * weights[:, None]
    damped = padded.T @ weighted + damping * weights.sum() * torch.eye(padded.shape[1])
    solution: Tensor = torch.linalg.solve(damped, weighted.T @ targets)
    return solution


def with_one(inputs: Tensor) -> Tensor:
    """The inputs [..., width] and a one beside each, by which a fit has its bias."""
    return torch.cat([inputs, torch.ones(*inputs.shape[:-1], 1)], dim=-1)
