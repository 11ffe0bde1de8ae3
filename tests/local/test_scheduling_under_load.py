"""Random loads, on a device that is only a clock: nobody is lost, and nobody waits longer than was promised."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from step_requests import SHAPES, call_of, costs_of, ids, request_of

from calotype_provider.local.scheduling import FIRST_COME_TIMES_MAX, Scheduler
from calotype_provider.local.step_costs import StepCosts, StepShape
from calotype_provider.local.waiting_call import WaitingCall


class Coming(msgspec.Struct, frozen=True):
    """One request of a random load: when, what, and after how many of its steps it is cancelled."""

    wait_seconds: float
    shape: StepShape
    steps: int
    merges: bool
    cancelled_after: int | None


comings = st.lists(
    st.builds(
        Coming,
        wait_seconds=st.floats(0, 3),
        shape=st.sampled_from(SHAPES),
        steps=st.integers(1, 20),
        merges=st.booleans(),
        cancelled_after=st.none() | st.integers(0, 10),
    ),
    min_size=1,
    max_size=25,
)
row_seconds = st.fixed_dictionaries({shape: st.sampled_from([0.01, 0.1, 0.25, 0.5]) for shape in SHAPES})
overheads = st.sampled_from([0.0, 0.5, 3.0])


class Load:
    """A random load on a device that takes as long as the table says, every answer checked on the way."""

    def __init__(self, coming: list[Coming], costs: StepCosts, *, slower: float = 1.0) -> None:
        self.coming = {str(index): one for index, one in enumerate(coming)}
        self.costs = costs
        self.slower = slower
        self.arrivals: dict[str, float] = {}
        self.ends: dict[str, float] = {}
        self.first_come_ends: dict[str, float] = {}
        """In first-come order, one at a time, nobody cancelling."""
        self.scheduler = Scheduler(costs)
        self._steps_done: dict[str, int] = {}
        arrived = free = 0.0
        for request_id, one in self.coming.items():
            arrived += one.wait_seconds
            free = max(free, arrived) + one.steps * costs.seconds(one.shape) * slower
            self.arrivals[request_id], self.first_come_ends[request_id] = arrived, free

    def run(self) -> None:
        now, to_come = 0.0, list(self.coming)
        while to_come or self._steps_done:
            if not self._steps_done:
                now = max(now, self.arrivals[to_come[0]])
            while to_come and self.arrivals[to_come[0]] <= now:
                request_id = to_come.pop(0)
                one = self.coming[request_id]
                self._steps_done[request_id] = 0
                self.scheduler.add(request_of(request_id, one.steps, shape=one.shape), self.arrivals[request_id])
            now = self._step(now)
        assert len(self.scheduler) == 0

    def _step(self, now: float) -> float:
        calls = [self._call(request_id) for request_id in self._steps_done]
        batch = self.scheduler.next_batch(calls, now)
        self._check(calls, batch)
        shape = self.coming[batch[0].request_id].shape
        now += self.costs.seconds(shape, len(batch)) * self.slower
        for call in batch:
            self._steps_done[call.request_id] += 1
        for request_id, done in list(self._steps_done.items()):
            one = self.coming[request_id]
            if done == one.steps:
                self.ends[request_id] = now
            if done == one.steps or (one.cancelled_after is not None and done >= one.cancelled_after):
                del self._steps_done[request_id]
                self.scheduler.remove(request_id)
        return now

    def _call(self, request_id: str) -> WaitingCall:
        one = self.coming[request_id]
        key = one.shape if one.merges else None
        return call_of(request_id, shape=one.shape, steps=one.steps, done=self._steps_done[request_id], merge_key=key)

    def _check(self, calls: list[WaitingCall], batch: tuple[WaitingCall, ...]) -> None:
        assert batch
        assert all(call in calls for call in batch)
        assert len(set(ids(batch))) == len(batch)
        assert len(batch) == 1 or {call.merge_key for call in batch} == {self.coming[batch[0].request_id].shape}
        assert len(batch) == 1 or sum(call.tokens for call in batch) <= self.costs.token_budget(
            self.coming[batch[0].request_id].shape
        )


@given(coming=comings, seconds=row_seconds, overhead=overheads)
@settings(max_examples=300, deadline=None)
def test_whatever_arrives_everybody_is_served_and_nobody_above_three_times_first_come(
    coming: list[Coming], seconds: dict[StepShape, float], overhead: float
) -> None:
    load = Load(coming, costs_of(seconds, overhead=overhead))
    load.run()
    for request_id, one in load.coming.items():
        if one.cancelled_after is None:
            first_come = load.first_come_ends[request_id] - load.arrivals[request_id]
            assert load.ends[request_id] - load.arrivals[request_id] <= FIRST_COME_TIMES_MAX * first_come + 1e-4


@given(coming=comings, seconds=row_seconds, slower=st.sampled_from([0.3, 2.0]))
@settings(max_examples=100, deadline=None)
def test_the_promise_holds_on_a_device_that_is_slower_or_quicker_than_its_table(
    coming: list[Coming], seconds: dict[StepShape, float], slower: float
) -> None:
    load = Load(coming, costs_of(seconds), slower=slower)
    load.run()
    # How far a step is, when somebody arrives in its middle, is only known by the table.
    step_seconds = max(seconds.values()) * max(1.0, slower)
    for request_id, end in load.ends.items():
        first_come = load.first_come_ends[request_id] - load.arrivals[request_id]
        assert end - load.arrivals[request_id] <= FIRST_COME_TIMES_MAX * (first_come + step_seconds)


@given(coming=comings, seconds=row_seconds, overhead=overheads)
@settings(max_examples=50, deadline=None)
def test_a_table_that_still_learns_serves_everybody(
    coming: list[Coming], seconds: dict[StepShape, float], overhead: float
) -> None:
    costs = StepCosts()
    load = Load(coming, costs)
    waiting = {request_id: 0 for request_id in load.coming}
    served = 0
    while waiting:
        calls = [
            call_of(
                request_id,
                shape=load.coming[request_id].shape,
                steps=load.coming[request_id].steps,
                done=done,
                merge_key=load.coming[request_id].shape,
            )
            for request_id, done in waiting.items()
        ]
        batch = load.scheduler.next_batch(calls, float(served))
        shape = load.coming[batch[0].request_id].shape
        costs.measured(shape, len(batch), seconds=seconds[shape] * (overhead + len(batch)))
        for call in batch:
            served += 1
            waiting[call.request_id] += 1
            if call.steps_left == 1:
                del waiting[call.request_id]
                load.scheduler.remove(call.request_id)
    assert served == sum(one.steps for one in coming)
