"""Work that may take long -> an answer in JSON, whose connection is kept alive by spaces before it.

Clients and proxies give up on an answer that does not begin: Node's fetch after 300 s, some proxies after 100. White
space before JSON is JSON, so after a while the headers are sent, and a space now and then. Not sooner than they have to
be: until then the status can still tell the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from litestar.types import Receive, Scope, Send

from calotype_runtime.json_answer import JsonAnswer, send_pieces, start_of_json
from calotype_runtime.leaving import while_caller_waits

BEGIN_SECONDS_MAX = 60.0
SPACE_SECONDS = 15.0


class LateAnswer:
    """What `work` makes, whenever that is: an ASGI app. `headers` is asked when they are sent.

    `tell_late` hears of a failure after they were sent. It gives the body that tells of it, on wires whose clients read
    an error in a 200. On others, where it gives None, the connection breaks: nobody may take half of an answer for a
    whole one.
    """

    def __init__(
        self,
        work: Coroutine[Any, Any, list[bytes]],
        *,
        headers: Callable[[], Mapping[str, str]],
        tell_late: Callable[[Exception], list[bytes] | None],
        begin_seconds_max: float = BEGIN_SECONDS_MAX,
        space_seconds: float = SPACE_SECONDS,
    ) -> None:
        self._headers = headers
        self._tell_late = tell_late
        self._begin_seconds_max = begin_seconds_max
        self._space_seconds = space_seconds
        self._working = asyncio.ensure_future(work)

    async def begin(self) -> None:
        """Wait for the work, or until the answer must begin. Raises what the work raises in that time."""
        try:
            await asyncio.wait({self._working}, timeout=self._begin_seconds_max)
            if self._working.done():
                self._working.result()
        except BaseException:
            self._working.cancel()
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._working.done():
            await JsonAnswer(self._working.result(), headers=self._headers())(scope, receive, send)
            return
        await send(start_of_json(self._headers()))
        try:
            pieces = await while_caller_waits(receive, self._with_spaces(send))
        except Exception as error:  # noqa: BLE001  # The status is sent: whatever it was, the answer must not be whole.
            told = self._tell_late(error)
            if told is None:
                return
            pieces = told
        finally:
            self._working.cancel()
        await send_pieces(pieces, send)

    async def _with_spaces(self, send: Send) -> list[bytes]:
        while True:
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.wait({self._working}, timeout=self._space_seconds)
            if self._working.done():
                return self._working.result()
