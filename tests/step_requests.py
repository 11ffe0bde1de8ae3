"""Requests, calls and tables of costs that the tests of scheduling share."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from calotype_provider.local.scheduling import StepRequest
from calotype_provider.local.step_costs import MEASUREMENTS_MIN, StepCosts, StepShape
from calotype_provider.local.waiting_call import WaitingCall

SMALL = StepShape("tests/flux", 64)
LARGE = StepShape("tests/flux", 256)
OTHER = StepShape("tests/sd3", 100)
SHAPES = (SMALL, LARGE, OTHER)


def costs_of(seconds: dict[StepShape, float], *, overhead: float = 0.0) -> StepCosts:
    """A forward takes `overhead` times its first row, and each row what stands there."""
    costs = StepCosts(explores=False)
    for shape, row_seconds in seconds.items():
        while (rows := costs.rows_to_try(shape)) is not None:
            for _ in range(MEASUREMENTS_MIN):
                costs.measured(shape, rows, seconds=row_seconds * (overhead + rows))
    return costs


def call_of(
    request_id: str, *, shape: StepShape = SMALL, steps: int = 4, done: int = 0, merge_key: Hashable | None = None
) -> WaitingCall:
    return WaitingCall(
        request_id=request_id,
        model_id=shape.model_id,
        merge_key=merge_key,
        rows=1,
        tokens=shape.tokens,
        steps_done=done,
        steps=steps,
    )


def request_of(request_id: str, steps: int, *, shape: StepShape = SMALL) -> StepRequest:
    return StepRequest(request_id=request_id, shape=shape, calls=steps)


def ids(batch: Iterable[WaitingCall]) -> list[str]:
    return [call.request_id for call in batch]
