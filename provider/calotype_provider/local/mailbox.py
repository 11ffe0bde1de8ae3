"""The events of one picture on their way to whoever reads of it: nobody, one, or several."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from calotype_provider.errors import CalotypeError
from calotype_provider.local.engine import EngineEvent, Queued
from calotype_provider.local.messages import Cancelled, Painted, Preview, Started, Step

MakeError = Callable[[], CalotypeError]
"""Each reader is given an error of its own, so that none keeps the frames of another."""

Outcome = Painted | Cancelled | MakeError


class Mailbox:
    """Holds one event of each kind, the newest, whoever reads: readers cost nothing, however slow and many they are."""

    def __init__(self) -> None:
        # In the order in which they came, each with its number.
        self._events: dict[type[EngineEvent], tuple[int, EngineEvent]] = {}
        self._count = 0
        self._failure: MakeError | None = None
        self._arrived = asyncio.Event()

    @property
    def failure(self) -> MakeError | None:
        """How it ended, if it ended so."""
        return self._failure

    def put(self, event: EngineEvent) -> None:
        self._events.pop(type(event), None)
        self._count += 1
        self._events[type(event)] = (self._count, event)
        self._wake()

    def end(self, outcome: Outcome) -> None:
        if isinstance(outcome, Painted | Cancelled):
            self.put(outcome)
        else:
            self._failure = outcome
            self._wake()

    def start_over(self) -> None:
        """What was told of its progress is true no more."""
        for kind in (Started, Step, Preview):
            self._events.pop(kind, None)

    def read(self) -> Reader:
        """What is known now, and then what comes."""
        return Reader(self, after=self._events[Queued][0] if Started in self._events else 0)

    def next_told(self, *, after: int) -> tuple[int, EngineEvent] | None:
        return next((told for told in self._events.values() if told[0] > after), None)

    async def arrival(self) -> None:
        """Wait for what comes next."""
        await self._arrived.wait()

    def _wake(self) -> None:
        # Each waits on a new event, so that nobody has to clear it.
        self._arrived.set()
        self._arrived = asyncio.Event()


class Reader:
    """Ends with Painted, with Cancelled, or by raising the failure. Leaving off costs nobody anything."""

    def __init__(self, mailbox: Mailbox, *, after: int) -> None:
        self._mailbox = mailbox
        self._read = after
        self._ended = False

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> EngineEvent:
        while not self._ended:
            told = self._mailbox.next_told(after=self._read)
            if told is not None:
                self._read, event = told
                self._ended = isinstance(event, Painted | Cancelled)
                return event
            if self._mailbox.failure is not None:
                self._ended = True
                raise self._mailbox.failure()
            await self._mailbox.arrival()
        raise StopAsyncIteration
