"""A burst of pictures on one device: the engine, beside the same pipeline behind a lock, one call at a time.

Tintype in bf16, 48 text tokens, 16 pictures of 4, 4, 8 and 20 steps that all come at once. Pairs of runs alternate,
and the figure is the median of the ratios. The engine has learnt its table before, as a server has after a while.
Two threads are reported beside one, from a process of their own: torch sizes its pool once.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.conditions import print_conditions
from benchmarks.hub_engine import HubEngine, load_tintype, tintype_paint
from calotype_provider.local.messages import Paint
from calotype_provider.local.painting import pipeline_arguments

STEPS = (4, 4, 8, 20) * 4
PAIRS = 5
PAIRS_BESIDE = 3
"""With two threads, which nothing is claimed of."""
WARM_UPS = 2
"""Each has 288 calls of the denoiser, of which the table learns what sharing brings."""
SIDES = (64, 128, 256)
BESIDE = "--beside"
BESIDE_SECONDS_MAX = 60.0
"""Two threads that share a core with somebody else wait for each other: a burst of seconds takes minutes."""


def main() -> None:
    print("burst: 16 pictures at once, the engine beside one pipeline behind a lock")
    print_conditions("torch", "diffusers", "greenlet")
    print(f"  tintype, bf16, 48 text tokens, steps {STEPS[:4]} four times, {PAIRS} alternating pairs")
    _measure_all(PAIRS)
    print(f"  the same with two threads, {PAIRS_BESIDE} alternating pairs", flush=True)
    try:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.burst", BESIDE],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "2"},
            timeout=BESIDE_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired:
        print(f"  stopped after {BESIDE_SECONDS_MAX:g} s")


def _measure_all(pairs: int) -> None:
    pipeline = load_tintype()
    for side in SIDES:
        _measure(pipeline, side, pairs)


def _measure(pipeline: Any, side: int, count: int) -> None:
    engine = HubEngine(pipeline)
    for _ in range(WARM_UPS):
        engine.paint_all(_requests(side))
    _one_by_one(pipeline, _requests(side)[:2])
    engine.batch_sizes.clear()
    pairs = []
    for number in range(count):
        seconds = [
            _timed(lambda: _one_by_one(pipeline, _requests(side))),
            _timed(lambda: engine.paint_all(_requests(side))),
        ]
        pairs.append((seconds[0], seconds[1]))
        _show_progress(f"{side} px: pair {number + 1} of {count}")
    ratios = sorted(locked / batched for locked, batched in pairs)
    locked, batched = (statistics.median(pair[index] for pair in pairs) for index in (0, 1))
    mean_rows = statistics.mean(engine.batch_sizes)
    print(
        f"  {side:>3} px ({(side // 16) ** 2:>3} latent tokens): "
        f"{len(STEPS) / locked:5.2f} -> {len(STEPS) / batched:5.2f} images/s, "
        f"{statistics.median(ratios):.2f} times ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
        f"{mean_rows:.1f} pictures a forward",
        flush=True,
    )


def _one_by_one(pipeline: Any, requests: list[Paint]) -> None:
    for paint in requests:
        pipeline(**pipeline_arguments(pipeline, paint))


def _requests(side: int) -> list[Paint]:
    return [tintype_paint(str(number), steps=steps, side=side) for number, steps in enumerate(STEPS)]


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _show_progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r  {text}\r")


if __name__ == "__main__":
    if BESIDE in sys.argv:
        _measure_all(PAIRS_BESIDE)
    else:
        main()
