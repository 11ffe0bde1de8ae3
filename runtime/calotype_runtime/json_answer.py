"""JSON that was made in pieces, as an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from litestar.types import Message, Receive, Scope, Send


class JsonAnswer:
    """Sends each piece as it is: an ASGI app. They are never joined, which would copy megabytes on the event loop."""

    def __init__(self, pieces: Sequence[bytes], *, headers: Mapping[str, str] | None = None) -> None:
        self._pieces = pieces
        self._headers = headers or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = str(sum(map(len, self._pieces)))
        await send(start_of_json({**self._headers, "content-length": length}))
        await send_pieces(self._pieces, send)


def start_of_json(headers: Mapping[str, str]) -> Message:
    """Of an answer 200, `headers` beside its type."""
    named = {"content-type": "application/json", **headers}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
    return {"type": "http.response.start", "status": 200, "headers": encoded}


async def send_pieces(pieces: Sequence[bytes], send: Send) -> None:
    """To the end of the body."""
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        # A reader who takes it as fast as it comes would have the loop for itself until the end.
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
