"""A picture of tintype in bf16 and in fp32, on the CPU there is: what decision 0009 goes by.

The plain diffusers pipeline, 128x128, 8 steps. Pairs alternate; "times" is the median of their ratios.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import torch
from diffusers import FluxPipeline

import calotype_provider
from benchmarks.conditions import print_conditions
from calotype_provider.local.precision import quickest_dtype

PAIRS, STEPS = 3, 8
TINTYPE = Path(calotype_provider.__file__).parent / "tintype"


def main() -> None:
    print("precision: seconds a picture of tintype, by what it is computed in")
    print_conditions("torch", "diffusers")
    print(f"  {torch.get_num_threads()} threads, {PAIRS} pairs; loaded by default in {quickest_dtype('cpu')} here")
    pipelines = {"bfloat16": _pipeline(torch.bfloat16), "float32": _pipeline(torch.float32)}
    # The first picture of each also fills caches.
    _, *pairs = [{name: _seconds(pipeline) for name, pipeline in pipelines.items()} for _ in range(PAIRS + 1)]
    for name in pipelines:
        times = sorted(pair[name] for pair in pairs)
        print(f"  {name:>8}: {statistics.median(times):6.2f} s (from {times[0]:.2f} to {times[-1]:.2f})")
    ratios = sorted(pair["bfloat16"] / pair["float32"] for pair in pairs)
    print(f"  float32 is {statistics.median(ratios):.1f} times as quick ({ratios[0]:.1f} to {ratios[-1]:.1f})")


def _pipeline(dtype: torch.dtype) -> Any:
    # diffusers leaves it untyped.
    pipeline: Any = FluxPipeline.from_pretrained(TINTYPE, torch_dtype=dtype)  # type: ignore[no-untyped-call]
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _seconds(pipeline: Any) -> float:
    started = time.perf_counter()
    pipeline(
        "a fox on a blue background",
        num_inference_steps=STEPS,
        width=128,
        height=128,
        max_sequence_length=48,
        generator=torch.Generator().manual_seed(0),
        output_type="np",
    )
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
