"""A device that is only a clock, and what arrives at it: to see what an order does to waiting times, in no time."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from calotype_provider.local.scheduling import Scheduler, StepRequest
from calotype_provider.local.step_costs import StepCosts, StepShape
from calotype_provider.local.waiting_call import WaitingCall

ForwardSeconds = Callable[[int], float]
"""What one forward of so many rows takes."""


class Arrival(msgspec.Struct, frozen=True):
    request_id: str
    seconds: float
    shape: StepShape
    steps: int

    def call(self, steps_done: int) -> WaitingCall:
        return WaitingCall(
            request_id=self.request_id,
            model_id=self.shape.model_id,
            merge_key=self.shape,
            rows=1,
            tokens=self.shape.tokens,
            steps_done=steps_done,
            steps=self.steps,
        )


class Kind(msgspec.Struct, frozen=True):
    """A share of what arrives."""

    shape: StepShape
    steps: int
    share: float


class Order(Protocol):
    """Which calls run next, and who is told when somebody comes and goes."""

    def arrive(self, arrival: Arrival) -> None: ...

    def choose(self, calls: Sequence[WaitingCall], now: float) -> Sequence[WaitingCall]: ...

    def end(self, request_id: str) -> None: ...


class OurOrder:
    """The scheduler as the engine uses it."""

    def __init__(self, costs: StepCosts) -> None:
        self._scheduler = Scheduler(costs)
        self.seconds_max: dict[str, float] = {}
        """Within which each was promised to end."""

    def arrive(self, arrival: Arrival) -> None:
        request = StepRequest(request_id=arrival.request_id, shape=arrival.shape, calls=arrival.steps)
        estimate = self._scheduler.wait_seconds_estimate(request, arrival.seconds)
        self.seconds_max[arrival.request_id] = estimate.seconds_max
        self._scheduler.add(request, arrival.seconds)

    def choose(self, calls: Sequence[WaitingCall], now: float) -> Sequence[WaitingCall]:
        return self._scheduler.next_batch(calls, now)

    def end(self, request_id: str) -> None:
        self._scheduler.remove(request_id)


class FirstComeOrder:
    """The oldest, and with it those like it up to `rows_max`: one at a time with 1, as behind a lock."""

    def __init__(self, rows_max: int = 1) -> None:
        self._rows_max = rows_max

    def arrive(self, arrival: Arrival) -> None:
        pass

    def choose(self, calls: Sequence[WaitingCall], now: float) -> Sequence[WaitingCall]:
        return [call for call in calls if call.merge_key == calls[0].merge_key][: self._rows_max]

    def end(self, request_id: str) -> None:
        pass


def arrivals_of(kinds: Sequence[Kind], *, load: float, count: int, step_seconds: float, seed: int) -> list[Arrival]:
    """Poisson arrivals; at load 1 they bring as much work as the device can do one row at a time."""
    draw = random.Random(seed)
    shares = [kind.share for kind in kinds]
    work_seconds = sum(kind.steps * kind.share for kind in kinds) / sum(shares) * step_seconds
    arrivals, now = [], 0.0
    for index in range(count):
        now += draw.expovariate(load / work_seconds)
        [kind] = draw.choices(kinds, shares)
        arrivals.append(Arrival(str(index), now, kind.shape, kind.steps))
    return arrivals


def ends_of(arrivals: Sequence[Arrival], order: Order, forward_seconds: ForwardSeconds) -> dict[str, float]:
    """When each picture is done."""
    by_id = {arrival.request_id: arrival for arrival in arrivals}
    coming = iter(arrivals)
    coming_next = next(coming, None)
    waiting: dict[str, WaitingCall] = {}
    ends: dict[str, float] = {}
    now = 0.0
    while waiting or coming_next is not None:
        if not waiting and coming_next is not None:
            now = max(now, coming_next.seconds)
        while coming_next is not None and coming_next.seconds <= now:
            order.arrive(coming_next)
            waiting[coming_next.request_id] = coming_next.call(0)
            coming_next = next(coming, None)
        chosen = order.choose(list(waiting.values()), now)
        now += forward_seconds(len(chosen))
        for call in chosen:
            if call.steps_left > 1:
                waiting[call.request_id] = by_id[call.request_id].call(call.steps_done + 1)
            else:
                del waiting[call.request_id]
                ends[call.request_id] = now
                order.end(call.request_id)
    return ends
