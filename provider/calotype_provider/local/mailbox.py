"""The events of one picture on their way to whoever asked for it."""

from __future__ import annotations

import asyncio

from calotype_provider.errors import CalotypeError
from calotype_provider.local.engine import EngineEvent
from calotype_provider.local.messages import Cancelled, Painted


class Mailbox:
    """Holds at most one event of each kind, the newest, so that a slow reader costs nothing. Ends with Painted, with
    Cancelled, or by raising what it was given to `fail`.
    """

    def __init__(self) -> None:
        self._events: dict[type[EngineEvent], EngineEvent] = {}
        self._error: CalotypeError | None = None
        self._ended = False
        self._arrived = asyncio.Event()

    def put(self, event: EngineEvent) -> None:
        self._events.pop(type(event), None)
        self._events[type(event)] = event
        self._arrived.set()

    def fail(self, error: CalotypeError) -> None:
        self._error = error
        self._arrived.set()

    def __aiter__(self) -> Mailbox:
        return self

    async def __anext__(self) -> EngineEvent:
        if self._ended:
            raise StopAsyncIteration
        await self._arrived.wait()
        if not self._events:
            self._ended = True
            assert self._error is not None, "woken with nothing to tell"
            raise self._error
        event = self._events.pop(next(iter(self._events)))
        if not self._events and self._error is None:
            self._arrived.clear()
        self._ended = isinstance(event, Painted | Cancelled)
        return event
