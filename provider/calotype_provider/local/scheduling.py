"""Which waiting calls run next, together. Pure bookkeeping: no device, no asyncio, no clock of its own.

The shortest remaining time goes first, which is the order with the least mean time (Schrage 1968), except that nobody
may end later than three times what first-come order, one at a time, would have given. (Ageing was tried instead: in
simulation no constant kept both the gain and the three times.) Where calls share a forward, a remaining time is counted
at the price of a row in the batch that would run; counted at the price of running alone, full batches of long requests
lose to half-empty ones of short requests, and under load the device falls behind.

Why the guard keeps its promise, whatever arrives:

* The limit is known at arrival. First-come order would end a newcomer after all the work present and its own, and the
  work present is the same in every order that never idles: the backlog is the virtual first-come clock.
* What the guard keeps true: everybody would end in time if from now on the earliest limit always went first, each
  alone. A batch after which this is false is not run; the earliest limit alone never makes it false.
* A newcomer does not make it false either. Served after all others it would end when first-come order ends it, at a
  third of its limit. So some order keeps every limit; and if any does, earliest limit first does (Horn 1974).
* A shared forward is counted as no dearer than its rows alone, so it can only make the backlog less than was promised.

Time is counted in seconds of work by the table, whose word is taken once for a request, when it arrives. So a table
that learns moves no limit, and where the device is slower than its table, first-come order would have been slower too.
Not covered: calls that a request did not announce, device time outside of announced calls, and a request that is there
but has no call waiting when its limit is the earliest.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import msgspec

from calotype_provider.local.step_costs import StepCosts, StepShape
from calotype_provider.local.waiting_call import WaitingCall

FIRST_COME_TIMES_MAX = 3.0

ROUNDING_SECONDS = 1e-6
"""What sums of thousands of step times may be off."""


class StepRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A picture as it is announced: so many calls of the denoiser, each of them about this costly.

    `other_seconds` is its further time on the device, decoding above all; it is charged with the last call.
    """

    request_id: str
    shape: StepShape
    calls: int
    other_seconds: float = 0.0


class WaitEstimate(msgspec.Struct, frozen=True):
    """Seconds until a picture would be done: if nobody shorter comes, and at most."""

    seconds: float
    seconds_max: float


class Scheduler:
    """Orders the calls of the requests it was told of. One device, one caller."""

    def __init__(self, costs: StepCosts, *, first_come_times_max: float = FIRST_COME_TIMES_MAX) -> None:
        assert first_come_times_max >= 1.0, "no order ends everybody before first-come order does"
        self._costs = costs
        self._first_come_times_max = first_come_times_max
        self._requests: dict[str, _Request] = {}
        self._by_limit: list[_Request] = []
        self._arrivals = 0
        self._work_seconds = 0.0
        self._busy_until = -math.inf

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, request: StepRequest, now: float) -> None:
        """It is there, whether a call of it waits already or not: its limit counts from now.

        A request of which a call waits without this is added then, as the call announces it.
        """
        assert request.request_id not in self._requests, "two requests of one id"
        call_seconds = self._costs.seconds(request.shape)
        seconds_max = self._first_come_times_max * self._first_come_seconds(request, now)
        added = self._requests[request.request_id] = _Request(
            request_id=request.request_id,
            arrival=self._arrivals,
            limit=self._work_seconds - self._running_seconds(now) + seconds_max,
            call_seconds=call_seconds,
            calls_left=request.calls,
            other_seconds=request.other_seconds,
            seconds_left=request.calls * call_seconds + request.other_seconds,
        )
        self._arrivals += 1
        insort(self._by_limit, added, key=_EARLIEST_LIMIT_FIRST)

    def remove(self, request_id: str) -> None:
        """Done, failed or given up. Unknown ids are ignored."""
        request = self._requests.pop(request_id, None)
        if request is not None:
            self._by_limit.remove(request)

    def next_batch(self, calls: Iterable[WaitingCall], now: float) -> tuple[WaitingCall, ...]:
        """The calls that share the next forward, the one that decided it first; they count as served.

        To be asked when the device is free. Empty only where `calls` is.
        """
        waiting = [self._waiting(call, now) for call in calls]
        if not waiting:
            return ()
        batch = self._within_limits(waiting)
        self._work_seconds += batch.seconds
        self._busy_until = now + batch.seconds
        for request in batch.requests:
            request.serve()
        return tuple(request.call for request in batch.requests)

    def wait_seconds_estimate(self, request: StepRequest, now: float) -> WaitEstimate:
        """What a newcomer would have to expect if it came now."""
        own = self._seconds_of(request)
        shorter = sum(other.seconds_left for other in self._by_limit if other.seconds_left <= own)
        seconds_max = self._first_come_times_max * self._first_come_seconds(request, now)
        return WaitEstimate(self._running_seconds(now) + shorter + own, seconds_max)

    def _waiting(self, call: WaitingCall, now: float) -> _Request:
        if call.request_id not in self._requests:
            self.add(StepRequest(request_id=call.request_id, shape=_shape_of(call), calls=call.steps_left), now)
        request = self._requests[call.request_id]
        request.call = call
        if request.calls_left < max(1, call.steps_left):
            self._expect_calls(request, max(1, call.steps_left))
        return request

    def _expect_calls(self, request: _Request, calls: int) -> None:
        """More are left than were announced: nobody is to look short by that, nor late, and go before others."""
        seconds_more = (calls - max(0, request.calls_left)) * request.call_seconds
        self._by_limit.remove(request)
        request.calls_left = calls
        request.seconds_left = calls * request.call_seconds + request.other_seconds
        request.limit += self._first_come_times_max * seconds_more
        insort(self._by_limit, request, key=_EARLIEST_LIMIT_FIRST)

    def _within_limits(self, waiting: Sequence[_Request]) -> _Batch:
        alike: dict[Hashable | None, list[_Request]] = {}
        for request in sorted(waiting, key=_SHORTEST_FIRST):
            alike.setdefault(request.call.merge_key, []).append(request)
        # Of those without likes only the shortest can be first: there may be thousands, each with a key of its own.
        candidates = [likes for likes in alike.values() if len(likes) > 1]
        candidates += [likes for likes in alike.values() if len(likes) == 1][:1]
        shortest = min((self._batch(likes[0], likes) for likes in candidates), key=_Batch.shared_seconds_left)
        if not self._late_after(shortest):
            return shortest
        head = min(waiting, key=_EARLIEST_LIMIT_FIRST)
        earliest, alone = self._batch(head, alike[head.call.merge_key]), self._batch(head, ())
        return earliest if self._late_after(earliest) <= self._late_after(alone) else alone

    def _batch(self, head: _Request, likes: Sequence[_Request]) -> _Batch:
        """The head's call, and with it those like it in their order, as far as the token budget goes."""
        shape = _shape_of(head.call)
        budget = self._costs.token_budget(shape) if head.call.merge_key is not None and likes else 0
        requests, tokens = [head], shape.tokens
        for like in likes if tokens < budget else ():
            if like is not head:
                tokens += _shape_of(like.call).tokens
                if tokens > budget:
                    break
                requests.append(like)
        # The frozen estimates bound it, so that the backlog never falls by less than the time that passes.
        alone_seconds = sum(request.call_seconds for request in requests)
        return _Batch(requests, min(self._costs.seconds(shape, len(requests)), alone_seconds), alone_seconds)

    def _late_after(self, batch: _Batch) -> int:
        """How many would end too late if, after this batch, the earliest limit always went first, each alone."""
        served = {request.request_id: request.seconds_left_after_call for request in batch.requests}
        batch_ends = ends = self._work_seconds + batch.seconds
        late = 0
        for request in self._by_limit:
            left = served.get(request.request_id, request.seconds_left)
            ends += left
            if left:
                late += ends > request.limit + ROUNDING_SECONDS
            elif request.request_id in served:
                late += batch_ends > request.limit + ROUNDING_SECONDS
        return late

    def _running_seconds(self, now: float) -> float:
        return max(0.0, self._busy_until - now)

    def _first_come_seconds(self, request: StepRequest, now: float) -> float:
        """Until a newcomer would be done if it were served after all who are here, each alone."""
        backlog = sum(other.seconds_left for other in self._by_limit)
        return self._running_seconds(now) + backlog + self._seconds_of(request)

    def _seconds_of(self, request: StepRequest) -> float:
        return request.calls * self._costs.seconds(request.shape) + request.other_seconds


@dataclass(slots=True, eq=False)
class _Request:
    """`limit` is the reading of the clock of work at which it must have ended."""

    request_id: str
    arrival: int
    limit: float
    call_seconds: float
    calls_left: int
    other_seconds: float
    seconds_left: float
    call: WaitingCall = field(init=False)
    """The one that waits; only of requests that were asked about."""

    @property
    def seconds_left_after_call(self) -> float:
        return (self.calls_left - 1) * self.call_seconds + self.other_seconds if self.calls_left > 1 else 0.0

    def serve(self) -> None:
        self.seconds_left = self.seconds_left_after_call
        self.calls_left -= 1


@dataclass(slots=True)
class _Batch:
    requests: list[_Request]
    forward_seconds: float
    alone_seconds: float

    @property
    def seconds(self) -> float:
        return self.forward_seconds + sum(request.other_seconds for request in self.requests if request.calls_left == 1)

    def shared_seconds_left(self) -> tuple[float, int]:
        """What the head has left at the price of a row in this forward: who shares is done with the device sooner."""
        head = self.requests[0]
        return head.seconds_left * self.forward_seconds / self.alone_seconds, head.arrival


_SHORTEST_FIRST = attrgetter("seconds_left", "arrival")
_EARLIEST_LIMIT_FIRST = attrgetter("limit", "arrival")


def _shape_of(call: WaitingCall) -> StepShape:
    # A denoiser that nobody knows how to read has no tokens to count; it never merges either.
    return StepShape(call.model_id, max(1, call.tokens))
