"""Admission: who may start now, who waits, who is told to come back. Fair between callers; knows no model.

Deficit round robin (Shreedhar and Varghese, SIGCOMM 1995) over the callers, by the device time that their calls are
estimated to take: somebody who asks for a hundred large pictures does not keep others from their one small one.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from calotype_provider.errors import DeadlineError, ModelBusyError

RETRY_AFTER_SECONDS_MAX = 59.0
"""Clients ignore an advice of a minute or more."""

QUANTUM_SECONDS = 1.0
"""Device time that each waiting caller is granted a round; only its size beside a call's cost matters, and little."""


class Place(msgspec.Struct, frozen=True):
    """Where a call stands that comes now: so many wait before it, for about so long."""

    position: int
    seconds: float


class _Turn:
    """One call that waits."""

    def __init__(self, caller: str, cost_seconds: float) -> None:
        self.caller = caller
        self.cost_seconds = cost_seconds
        self.admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class AdmissionQueue:
    """At most `running_max` calls run at once, at most `waiting_max` wait, `waiting_per_caller_max` of one caller.

    Where all of them wait, whoever has the most makes way for whoever has fewer: nobody fills it for the others.
    """

    def __init__(
        self,
        *,
        running_max: int,
        waiting_max: int,
        waiting_per_caller_max: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._running_max = running_max
        self._waiting_max = waiting_max
        self._waiting_per_caller_max = waiting_per_caller_max if waiting_per_caller_max is not None else waiting_max
        self._clock = clock
        self._running_costs: list[float] = []
        # In the order of the next round; each has somebody waiting, so that an idle caller saves up no credit.
        self._waiting: dict[str, deque[_Turn]] = {}
        self._credit_seconds: dict[str, float] = {}

    @property
    def running(self) -> int:
        return len(self._running_costs)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def slot(
        self,
        *,
        caller: str = "",
        cost_seconds: float = 1.0,
        wait_seconds_max: float | None = None,
        placed: Callable[[Place], None] | None = None,
    ) -> AsyncIterator[float]:
        """Hold one of the running places; gives the seconds waited for it. `placed` is told at once how it stands.

        Raises ModelBusyError when as many wait as may, also later, when the call has to make way for a caller who has
        fewer; DeadlineError at once when the estimated wait is over `wait_seconds_max`, and as soon as the wait passes
        it.
        """
        arrived = self._clock()
        await self._enter(caller, cost_seconds, wait_seconds_max, placed or _unheard)
        try:
            yield self._clock() - arrived
        finally:
            self._running_costs.remove(cost_seconds)
            self._admit_next()

    def wait_seconds_estimate(self) -> float:
        """How long a call that came now would wait, if all that is before it takes what it is estimated to."""
        if self.running < self._running_max:
            return 0.0
        waiting = sum(turn.cost_seconds for turns in self._waiting.values() for turn in turns)
        # The device does one thing at a time: places at the front are no faster for being many.
        return sum(self._running_costs) / 2 + waiting

    async def _enter(
        self, caller: str, cost_seconds: float, wait_seconds_max: float | None, placed: Callable[[Place], None]
    ) -> None:
        if self.running < self._running_max:
            placed(Place(0, 0.0))
            self._running_costs.append(cost_seconds)
            return
        self._make_room(caller, wait_seconds_max)
        placed(Place(self.waiting, self.wait_seconds_estimate()))
        turn = _Turn(caller, cost_seconds)
        self._waiting.setdefault(caller, deque()).append(turn)
        try:
            async with asyncio.timeout(wait_seconds_max):
                await turn.admitted
        except TimeoutError as error:
            self._leave(turn)
            raise self._late(f"the call has waited {wait_seconds_max:g} s, as long as it may") from error
        except asyncio.CancelledError:
            self._leave(turn)
            raise

    def _make_room(self, caller: str, wait_seconds_max: float | None) -> None:
        is_full = self.waiting >= self._waiting_max
        greediest = self._greediest() if is_full else None
        own = len(self._waiting.get(caller, ()))
        # One fewer would not do: two callers would put out each other's calls for ever.
        if is_full and (greediest is None or own + 1 >= len(self._waiting[greediest])):
            raise self._busy(f"{self.waiting} calls wait already, which is as many as may")
        if own >= self._waiting_per_caller_max:
            raise self._busy(f"{own} of your calls wait already, which is as many as may")
        if wait_seconds_max is not None and self.wait_seconds_estimate() > wait_seconds_max:
            raise self._late(f"the wait would be {self.wait_seconds_estimate():.1f} s, over {wait_seconds_max:g} s")
        if greediest is not None:
            self._put_out_newest(greediest)

    def _greediest(self) -> str | None:
        return max(self._waiting, key=lambda caller: len(self._waiting[caller]), default=None)

    def _put_out_newest(self, caller: str) -> None:
        """Its caller is told to come back: it has waited the shortest, and nothing of it has been painted."""
        busy = self._busy(f"{self.waiting} calls wait, which is as many as may, and most of them are yours")
        turn = self._waiting[caller].pop()
        self._forget_idle(caller)
        if not turn.admitted.cancelled():
            turn.admitted.set_exception(busy)

    def _busy(self, message: str) -> ModelBusyError:
        return ModelBusyError(message, retry_after_seconds=self._retry_after_seconds())

    def _late(self, message: str) -> DeadlineError:
        return DeadlineError(message, retry_after_seconds=self._retry_after_seconds())

    def _retry_after_seconds(self) -> float:
        return min(max(1.0, self.wait_seconds_estimate()), RETRY_AFTER_SECONDS_MAX)

    def _leave(self, turn: _Turn) -> None:
        """The caller is gone. In the very moment of its turn it holds a place already, which passes on."""
        if turn.admitted.done() and not turn.admitted.cancelled() and turn.admitted.exception() is None:
            self._running_costs.remove(turn.cost_seconds)
            self._admit_next()
        elif turn in self._waiting.get(turn.caller, ()):
            self._waiting[turn.caller].remove(turn)
            self._forget_idle(turn.caller)

    def _admit_next(self) -> None:
        # The place goes straight to whoever is next, so that a newcomer cannot slip in between.
        while self._waiting and self.running < self._running_max:
            turn = self._take_next()
            if not turn.admitted.cancelled():
                self._running_costs.append(turn.cost_seconds)
                turn.admitted.set_result(None)

    def _take_next(self) -> _Turn:
        """The first whose credit covers its oldest call; as many rounds are granted as the nearest needs."""
        rounds = {caller: self._rounds_needed(caller) for caller in self._waiting}
        chosen = min(self._waiting, key=lambda caller: rounds[caller])
        for caller in self._waiting:
            self._credit_seconds[caller] = self._credit_seconds.get(caller, 0.0) + rounds[chosen] * QUANTUM_SECONDS
        turns = self._waiting.pop(chosen)
        turn = turns.popleft()
        self._credit_seconds[chosen] -= turn.cost_seconds
        # To the end of the line.
        self._waiting[chosen] = turns
        self._forget_idle(chosen)
        return turn

    def _rounds_needed(self, caller: str) -> int:
        missing = self._waiting[caller][0].cost_seconds - self._credit_seconds.get(caller, 0.0)
        return max(0, math.ceil(missing / QUANTUM_SECONDS))

    def _forget_idle(self, caller: str) -> None:
        if not self._waiting[caller]:
            del self._waiting[caller]
            self._credit_seconds.pop(caller, None)


def _unheard(place: Place) -> None:
    """Nobody asked."""
