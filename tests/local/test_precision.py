"""What models are loaded in where nobody says: what this machine multiplies quickest."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest
import torch
from engine_requests import FLUX

from calotype_provider.local.loader import TORCH_DTYPES, load_pipeline
from calotype_provider.local.messages import Dtype
from calotype_provider.local.precision import quickest_dtype


def seconds_of(dtype: torch.dtype) -> float:
    """The median of some products of the size that tintype's layers have."""
    left, right = torch.ones(1024, 192, dtype=dtype), torch.ones(192, 768, dtype=dtype)
    times = []
    for _ in range(7):
        started = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def test_the_quickest_is_not_many_times_slower_than_the_other() -> None:
    quickest = TORCH_DTYPES[quickest_dtype("cpu")]
    (other,) = {torch.bfloat16, torch.float32} - {quickest}
    assert seconds_of(quickest) < 3 * seconds_of(other)


def test_a_gpu_is_given_bfloat16() -> None:
    assert quickest_dtype("cuda") == "bfloat16"


@pytest.mark.parametrize("asked", [None, "float32", "bfloat16"])
def test_a_dtype_that_is_asked_for_is_what_is_loaded(folders: dict[str, Path], asked: Dtype | None) -> None:
    loaded = load_pipeline(folders[FLUX], model_id=FLUX, dtype=asked, on_progress=lambda progress: None)
    assert loaded.dtype == (asked or quickest_dtype(loaded.device))
    transformer = loaded.pipeline.components["transformer"]
    assert isinstance(transformer, torch.nn.Module)
    assert next(transformer.parameters()).dtype == TORCH_DTYPES[loaded.dtype]
