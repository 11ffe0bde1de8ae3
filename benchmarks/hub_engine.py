"""The worker's hub, scheduler and table over tintype, without the process around them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

import calotype_provider
from calotype_provider.local.forward_meter import ForwardCost
from calotype_provider.local.hub import Hub
from calotype_provider.local.hub_request import HubRequest
from calotype_provider.local.loader import load_pipeline, prepare_torch
from calotype_provider.local.messages import Paint
from calotype_provider.local.painting import pipeline_arguments
from calotype_provider.local.scheduling import Scheduler, StepRequest
from calotype_provider.local.step_costs import StepCosts, StepShape
from calotype_provider.local.waiting_call import WaitingCall

MODEL_ID = "calotype/tintype"
FOLDER = Path(calotype_provider.__file__).parent / "tintype"


def load_tintype() -> Any:
    """On as many threads as OMP_NUM_THREADS says, one if it says nothing."""
    prepare_torch(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return load_pipeline(FOLDER, model_id=MODEL_ID, dtype="bfloat16", on_progress=lambda progress: None).pipeline


def tintype_paint(request_id: str, *, steps: int, side: int) -> Paint:
    return Paint(
        request_id=request_id,
        model_id=MODEL_ID,
        prompt="a red fox on a blue background",
        negative_prompt="",
        seed=int(request_id),
        width=side,
        height=side,
        num_inference_steps=steps,
        true_cfg_scale=3.0,
        max_sequence_length=48,
    )


class HubEngine:
    """Keeps its table from one use to the next, as a server does."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._costs = StepCosts()
        self._scheduler = Scheduler(self._costs)
        self._announced: set[str] = set()
        self._hub = Hub(self._choose, on_forward=self._learn)
        self.batch_sizes: list[int] = []

    def submit(self, paint: Paint, on_done: Callable[[], None]) -> None:
        arguments = pipeline_arguments(self._pipeline, paint)
        request = HubRequest(
            request_id=paint.request_id, model_id=MODEL_ID, pipeline=self._pipeline, arguments=arguments
        )

        def done() -> None:
            self._scheduler.remove(paint.request_id)
            self._announced.discard(paint.request_id)
            on_done()

        self._hub.submit(request, _Listener(done))

    def run_step(self) -> bool:
        return self._hub.run_step()

    def paint_all(self, requests: Sequence[Paint]) -> None:
        for paint in requests:
            self.submit(paint, lambda: None)
        while self.run_step():
            pass

    def _choose(self, waiting: Sequence[WaitingCall]) -> Sequence[WaitingCall]:
        now = time.monotonic()
        for call in waiting:
            if call.request_id not in self._announced:
                self._announced.add(call.request_id)
                # With true guidance each step asks twice.
                request = StepRequest(request_id=call.request_id, shape=_shape(call), calls=2 * call.steps_left)
                self._scheduler.add(request, now)
        return self._scheduler.next_batch(waiting, now)

    def _learn(self, calls: Sequence[WaitingCall], cost: ForwardCost) -> None:
        self.batch_sizes.append(len(calls))
        self._costs.measured(_shape(calls[0]), len(calls), seconds=cost.seconds)


class _Listener:
    def __init__(self, done: Callable[[], None]) -> None:
        self._done = done

    def on_begin(self) -> None:
        pass

    def on_step(self, step: int, steps: int) -> None:
        pass

    def on_preview(self, step: int, images: torch.Tensor) -> None:
        pass

    def on_done(self, output: object) -> None:
        self._done()

    def on_error(self, error: BaseException) -> None:
        raise error


def _shape(call: WaitingCall) -> StepShape:
    return StepShape(call.model_id, max(1, call.tokens))
