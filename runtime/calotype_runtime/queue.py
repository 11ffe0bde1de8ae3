"""Admission: who may start now, who waits, who is told to come back. First come, first served; knows no model."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from calotype_provider.errors import ModelBusyError

RETRY_AFTER_SECONDS_MAX = 59.0
"""Clients ignore an advice of a minute or more."""


class AdmissionQueue:
    """At most `running_max` calls run at once; at most `waiting_max` wait for them."""

    def __init__(self, *, running_max: int, waiting_max: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._running_max = running_max
        self._waiting_max = waiting_max
        self._clock = clock
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._seconds_per_call = 1.0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[float]:
        """Hold one of the running places; gives the seconds waited for it.

        Raises ModelBusyError at once when `waiting_max` calls wait already.
        """
        arrived = self._clock()
        await self._enter()
        started = self._clock()
        try:
            yield started - arrived
        finally:
            self._seconds_per_call += 0.2 * (self._clock() - started - self._seconds_per_call)
            self._leave()

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def _enter(self) -> None:
        if self._running < self._running_max:
            self._running += 1
            return
        if len(self._waiting) >= self._waiting_max:
            raise ModelBusyError(
                f"{len(self._waiting)} calls wait already, which is as many as may",
                retry_after_seconds=self._wait_seconds(),
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            else:
                self._waiting.remove(turn)
            raise

    def _leave(self) -> None:
        # The place goes straight to the next in line, so that a newcomer cannot slip in between.
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.cancelled():
                turn.set_result(None)
                return
        self._running -= 1

    def _wait_seconds(self) -> float:
        rounds = (len(self._waiting) + 1) / self._running_max
        return min(max(1.0, rounds * self._seconds_per_call), RETRY_AFTER_SECONDS_MAX)
