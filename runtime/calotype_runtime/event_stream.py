"""Work that sends events -> an answer of server-sent events. Knows no wire's events and no pictures.

Written here and not with Litestar's ServerSentEvent, which splits every event by lines on the event loop, or its
Stream, which does not close what it streams when the caller leaves while a part is being sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from litestar.types import Message, Receive, Scope, Send

from calotype_provider.errors import CallerLeftError, EngineError
from calotype_runtime.leaving import while_caller_waits

KEEP_ALIVE_SECONDS = 15.0
KEEP_ALIVE = b": at work\n\n"
"""A comment: clients pass over it, and whoever is between sees that the connection lives."""

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Asks a proxy not to collect what is meant to be seen at once.
    (b"x-accel-buffering", b"no"),
)

Encode = Callable[[], bytes]
"""Makes one event's bytes. Called away from the event loop, and only when the reader has taken the one before."""

Work = Callable[[Callable[[Encode], None]], Coroutine[Any, Any, None]]
"""Is given what it sends its events to."""


class EventStream:
    """The events that `work` sends, as they come, and a comment whenever none has come for a while: an ASGI app.

    `work` begins at once, in a task of its own, so that a slow reader does not keep the device waiting; it is stopped
    when the reader goes. `run` runs an Encode. `tell_failure` notes a failure, and makes the event that says it.
    """

    def __init__(
        self,
        work: Work,
        *,
        run: Callable[[Encode], Awaitable[bytes]],
        tell_failure: Callable[[Exception], bytes],
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        self._run = run
        self._tell_failure = tell_failure
        self._keep_alive_seconds = keep_alive_seconds
        self._sent: asyncio.Queue[Encode | None] = asyncio.Queue()
        self._first: bytes | None = None
        self._working = asyncio.create_task(work(self._sent.put_nowait))
        self._working.add_done_callback(self._end)

    async def begin(self) -> None:
        """Wait for the first event, or until a comment is due. What fails before that is raised, with a status of its
        own: nothing that was sent can be taken back, so nothing is sent before it has to be.
        """
        try:
            self._first = await self._next()
        except BaseException:
            self._working.cancel()
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await while_caller_waits(receive, self._send_events(send))
        except CallerLeftError as error:
            # It has been noted, and nobody reads the event.
            self._tell_failure(error)
        except asyncio.CancelledError:
            # The server stops, and this answer has not ended in the time it had. Nothing comes after this task.
            await send(_part(self._tell_failure(EngineError("the server is stopping", is_retryable=True))))
            await send(_LAST)
        finally:
            self._working.cancel()

    async def _send_events(self, send: Send) -> None:
        chunk = self._first
        while chunk is not None:
            await send(_part(chunk))
            try:
                chunk = await self._next()
            except Exception as error:  # noqa: BLE001  # The answer has begun: whatever fails is told in it.
                await send(_part(self._tell_failure(error)))
                break
        await send(_LAST)

    async def _next(self) -> bytes | None:
        """None at the end. Raises what `work` raised."""
        try:
            async with asyncio.timeout(self._keep_alive_seconds):
                encode = await self._sent.get()
        except TimeoutError:
            return KEEP_ALIVE
        if encode is not None:
            return await self._run(encode)
        await self._working
        return None

    def _end(self, working: asyncio.Task[None]) -> None:
        self._sent.put_nowait(None)
        if not working.cancelled():
            # Asked for here, lest asyncio complain of it when the reader has gone and nobody is left to tell.
            working.exception()


def event(data: bytes, *, name: str) -> bytes:
    """One event. `data` is JSON text, which has no line breaks of its own."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def _part(chunk: bytes) -> Message:
    return {"type": "http.response.body", "body": chunk, "more_body": True}


_LAST: Message = {"type": "http.response.body", "body": b"", "more_body": False}
