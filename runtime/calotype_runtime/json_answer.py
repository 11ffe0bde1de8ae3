"""JSON that was made in pieces, as an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from litestar.types import Receive, Scope, Send


class JsonAnswer:
    """Sends each piece as it is: an ASGI app. They are never joined, which would copy megabytes on the event loop."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = str(sum(map(len, self._pieces))).encode()
        headers = ((b"content-type", b"application/json"), (b"content-length", length))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            # A reader who takes it as fast as it comes would have the loop for itself until the end.
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
