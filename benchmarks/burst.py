"""A burst of pictures on one device: the engine, beside the same pipeline behind a lock, one call at a time.

Tintype in bf16, 48 text tokens, 16 pictures of 4, 4, 8 and 20 steps that all come at once. Pairs of runs alternate,
and the figure is the median of the ratios. The engine has learnt its table before, as a server has after a while.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

import calotype_provider
from benchmarks.conditions import print_conditions
from calotype_provider.local.forward_meter import ForwardCost
from calotype_provider.local.hub import Hub
from calotype_provider.local.hub_request import HubRequest
from calotype_provider.local.loader import load_pipeline, prepare_torch
from calotype_provider.local.messages import Paint
from calotype_provider.local.painting import pipeline_arguments
from calotype_provider.local.scheduling import Scheduler
from calotype_provider.local.step_costs import StepCosts, StepShape
from calotype_provider.local.waiting_call import WaitingCall

STEPS = (4, 4, 8, 20) * 4
PAIRS = 5
WARM_UPS = 4
SIDES = (64, 128, 256)
MODEL_ID = "calotype/tintype"
FOLDER = Path(calotype_provider.__file__).parent / "tintype"


def main() -> None:
    print("burst: 16 pictures at once, the engine beside one pipeline behind a lock")
    print_conditions("torch", "diffusers", "greenlet")
    prepare_torch(int(os.environ.get("OMP_NUM_THREADS", "1")))
    pipeline = load_pipeline(FOLDER, model_id=MODEL_ID, dtype="bfloat16", on_progress=lambda progress: None).pipeline
    print(f"  tintype, bf16, 48 text tokens, steps {STEPS[:4]} four times, {PAIRS} alternating pairs")
    for side in SIDES:
        _measure(pipeline, side)


def _measure(pipeline: Any, side: int) -> None:
    engine = _Engine(pipeline)
    for _ in range(WARM_UPS):
        engine.paint(_requests(side))
    _one_by_one(pipeline, _requests(side)[:2])
    engine.batch_sizes.clear()
    pairs = []
    for number in range(PAIRS):
        seconds = [
            _timed(lambda: _one_by_one(pipeline, _requests(side))),
            _timed(lambda: engine.paint(_requests(side))),
        ]
        pairs.append((seconds[0], seconds[1]))
        _show_progress(side, number)
    ratios = sorted(locked / batched for locked, batched in pairs)
    locked, batched = (statistics.median(pair[index] for pair in pairs) for index in (0, 1))
    mean_rows = statistics.mean(engine.batch_sizes)
    print(
        f"  {side:>3} px ({(side // 16) ** 2:>3} latent tokens): "
        f"{len(STEPS) / locked:5.2f} -> {len(STEPS) / batched:5.2f} images/s, "
        f"{statistics.median(ratios):.2f} times ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
        f"{mean_rows:.1f} pictures a forward"
    )


class _Engine:
    """The worker's hub, scheduler and table, without the process around them."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._costs = StepCosts()
        self.batch_sizes: list[int] = []

    def paint(self, requests: list[Paint]) -> None:
        scheduler = Scheduler(self._costs)
        hub = Hub(lambda waiting: scheduler.next_batch(waiting, time.monotonic()), on_forward=self._learn)
        for paint in requests:
            arguments = pipeline_arguments(self._pipeline, paint)
            request = HubRequest(
                request_id=paint.request_id, model_id=MODEL_ID, pipeline=self._pipeline, arguments=arguments
            )
            hub.submit(request, _Listener(scheduler, paint.request_id))
        while hub.run_step():
            pass

    def _learn(self, calls: Any, cost: ForwardCost) -> None:
        self.batch_sizes.append(len(calls))
        self._costs.measured(_shape(calls[0]), len(calls), seconds=cost.seconds)


class _Listener:
    def __init__(self, scheduler: Scheduler, request_id: str) -> None:
        self._scheduler = scheduler
        self._request_id = request_id

    def on_begin(self) -> None:
        pass

    def on_step(self, step: int, steps: int) -> None:
        pass

    def on_preview(self, step: int, images: torch.Tensor) -> None:
        pass

    def on_done(self, output: Any) -> None:
        self._scheduler.remove(self._request_id)

    def on_error(self, error: BaseException) -> None:
        raise error


def _one_by_one(pipeline: Any, requests: list[Paint]) -> None:
    for paint in requests:
        pipeline(**pipeline_arguments(pipeline, paint))


def _requests(side: int) -> list[Paint]:
    return [
        Paint(
            request_id=str(number),
            model_id=MODEL_ID,
            prompt="a red fox on a blue background",
            negative_prompt="",
            seed=number,
            width=side,
            height=side,
            num_inference_steps=steps,
            true_cfg_scale=3.0,
            max_sequence_length=48,
        )
        for number, steps in enumerate(STEPS)
    ]


def _shape(call: WaitingCall) -> StepShape:
    return StepShape(call.model_id, max(1, call.tokens))


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _show_progress(side: int, number: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r  {side} px: pair {number + 1} of {PAIRS}\r")


if __name__ == "__main__":
    main()
