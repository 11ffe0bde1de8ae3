"""Which attention kernels there are here, under diffusers' names for them, and how one is chosen."""

from __future__ import annotations

import contextlib
import importlib.util
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

NATIVE = "native"
FLEX = "flex"
# diffusers' own functions of these names do the same; SD3, which has its own attention, never comes to them.
_SDPA_KERNELS = {
    "_native_cudnn": SDPBackend.CUDNN_ATTENTION,
    "_native_flash": SDPBackend.FLASH_ATTENTION,
    "_native_efficient": SDPBackend.EFFICIENT_ATTENTION,
}
_PACKAGES = {"_flash_3": "flash_attn_interface", "flash": "flash_attn", "xformers": "xformers", "sage": "sageattention"}


def available_attention(device: torch.device) -> tuple[str, ...]:
    """Torch's own choice first. Kernels that diffusers would fetch from the hub are not looked for."""
    names = [NATIVE, *(name for name, kernel in _SDPA_KERNELS.items() if _runs(kernel, device))]
    if device.type == "cuda":
        names += [name for name, package in _PACKAGES.items() if importlib.util.find_spec(package) is not None]
        names.append(FLEX)
    return tuple(names)


def why_not(name: str, model: Any, mode: str) -> str | None:
    if name == NATIVE or name in _SDPA_KERNELS:
        return None
    if name == FLEX and mode != "compiled":
        return "flex attention is a kernel only once compiled"
    processors = (getattr(module, "processor", None) for module in model.modules())
    if not any(hasattr(processor, "_attention_backend") for processor in processors):
        return f"{type(model).__name__} does not use diffusers' choice of attention"
    return None


@contextlib.contextmanager
def attention(name: str, model: Any) -> Iterator[None]:
    if name == NATIVE:
        yield
    elif name in _SDPA_KERNELS:
        with sdpa_kernel(_SDPA_KERNELS[name]):
            yield
    else:
        model.set_attention_backend(name)
        try:
            yield
        finally:
            model.reset_attention_backend()


def _runs(kernel: SDPBackend, device: torch.device) -> bool:
    query = torch.randn(1, 2, 64, 64, device=device, dtype=torch.bfloat16)
    with sdpa_kernel(kernel), warnings.catch_warnings():
        # Torch tells at length why a kernel is not there.
        warnings.simplefilter("ignore")
        try:
            torch.nn.functional.scaled_dot_product_attention(query, query, query)
        except RuntimeError:
            return False
    return True
