"""A slow copy of a model in training, which is what ships. Averages floats, copies the rest."""

import copy
from typing import Any

import torch
from torch import nn


class Average:
    """Exponential moving average of one module's weights."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model: Any = copy.deepcopy(model).requires_grad_(False).eval()
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.steps += 1
        # Follow closely at first, when the weights still are noise.
        decay = min(self.decay, self.steps / (self.steps + 10))
        averages = [weight for weight in self.model.parameters()]
        torch._foreach_lerp_(averages, [weight.detach() for weight in model.parameters()], 1 - decay)
