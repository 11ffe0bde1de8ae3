"""The same layers for training on CPUs, where the small parts of diffusers' and torch's own take most of a step."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from diffusers.models.transformers import transformer_flux
from torch import Tensor
from torch.nn import functional
from torch.optim import _muon

from calotype_provider.local.loader import TORCH_DTYPES
from calotype_provider.local.precision import quickest_dtype

plain_sdpa = functional.scaled_dot_product_attention


def quick_dtype(device: torch.device) -> torch.dtype:
    """What the server, too, would load a pipeline in on that device."""
    return TORCH_DTYPES[quickest_dtype(device.type)]


def quick_numbers(device: torch.device) -> torch.autocast:
    """Within it layers compute in bf16, if the device has instructions for that."""
    return torch.autocast(device.type, torch.bfloat16, enabled=quick_dtype(device) == torch.bfloat16)


@contextmanager
def quick_layers(device: torch.device) -> Iterator[None]:
    """Within it, attention, its norms and its rotary embedding are these, unless the device is a GPU."""
    with ExitStack() as stack:
        if device.type == "cpu":
            stack.enter_context(mock.patch.object(functional, "scaled_dot_product_attention", attention))
            stack.enter_context(mock.patch.object(functional, "rms_norm", rms_norm))
            stack.enter_context(mock.patch.object(transformer_flux, "apply_rotary_emb", rotate))
            stack.enter_context(mock.patch.object(_muon, "_zeropower_via_newtonschulz", orthogonal))
        yield


def attention(query: Tensor, key: Tensor, value: Tensor, *rest: Any, **options: Any) -> Tensor:
    """Attention as two matrix products wherever nothing is masked."""
    if options.get("attn_mask") is not None or options.get("is_causal") or rest:
        return plain_sdpa(query, key, value, *rest, **options)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    mixed: Tensor = scores.softmax(-1, dtype=value.dtype) @ value
    return mixed


def rotate(states: Tensor, angles: tuple[Tensor, Tensor], sequence_dim: int) -> Tensor:
    """Pairs of channels as complex numbers, turned. states are [batch, sequence, heads, channels]."""
    assert sequence_dim == 1, sequence_dim
    cosine, sine = (part[:, None, ::2] for part in angles)
    pairs = torch.view_as_complex(states.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * torch.complex(cosine, sine)).flatten(-2).to(states.dtype)


def rms_norm(states: Tensor, shape: tuple[int, ...], weight: Tensor, eps: float) -> Tensor:
    assert len(shape) == 1, shape
    normed: Tensor = RootMeanSquareNorm.apply(states, weight, eps)
    return normed


class RootMeanSquareNorm(torch.autograd.Function):
    """torch's own falls apart into a dozen passes where the states are bf16 and the weight is not."""

    @staticmethod
    def forward(context: Any, states: Tensor, weight: Tensor, eps: float) -> Tensor:
        length = torch.linalg.vector_norm(states, dim=-1, keepdim=True, dtype=torch.float32)
        scale = (length.square() / states.shape[-1] + eps).rsqrt().to(states.dtype)
        normed = states * scale
        context.save_for_backward(normed, scale, weight)
        weighted: Tensor = normed * weight.to(states.dtype)
        return weighted

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        normed, scale, weight = context.saved_tensors
        (gradient,) = gradients
        inner = gradient * weight.to(gradient.dtype)
        for_states = (inner - normed * (inner * normed).mean(-1, keepdim=True)) * scale
        return for_states, (gradient * normed).flatten(0, -2).sum(0, dtype=torch.float32), None


def orthogonal(gradient: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Muon's own, in the numbers that the device multiplies quickly."""
    a, b, c = coefficients
    tall = gradient.shape[0] > gradient.shape[1]
    matrix = (gradient.T if tall else gradient).to(quick_dtype(gradient.device))
    matrix = matrix / matrix.norm().clamp(min=eps)
    for _ in range(steps):
        gram = matrix @ matrix.T
        matrix = torch.addmm(matrix, torch.addmm(gram, gram, gram, beta=b, alpha=c), matrix, beta=a)
    return matrix.T if tall else matrix
