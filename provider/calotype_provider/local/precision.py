"""Which numbers a device multiplies quickest. The same on every start: pictures depend on it."""

from __future__ import annotations

import torch

from calotype_provider.local.messages import Dtype


def quickest_dtype(device: str) -> Dtype:
    """bfloat16, but for CPUs without instructions for it (those that end at AVX2), where it is forty times slower.

    Those multiply it number by number: a picture of tintype took 14 s instead of 0.35 (AMD EPYC 7003, torch 2.13).
    """
    if device != "cpu":
        return "bfloat16"
    # torch leaves these untyped.
    has_kernels = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return "bfloat16" if has_kernels and torch.ops.mkldnn._is_mkldnn_bf16_supported() else "float32"
