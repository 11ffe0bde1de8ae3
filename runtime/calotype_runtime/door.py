"""The outermost layer, raw ASGI: who may come in, the request's id, and its log record. Knows no route's work.

It stands outside Litestar because Litestar's own middleware does not see paths that have no route.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec
from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from calotype_provider.errors import CalotypeError, EngineError
from calotype_runtime.access import ApiKey, authenticate, check_host, check_origin, cors_headers, preflight_headers
from calotype_runtime.config import Settings
from calotype_runtime.error_answers import answer_for
from calotype_runtime.proxies import Proxies
from calotype_runtime.request_log import RequestRecord, new_record, write_record

PIECE_BYTES_MAX = 256 * 1024

OPEN_PATHS = ("/health", "/ready", "/files/")
"""What needs no key: probes, and URLs that are signed themselves."""


PROBE_PATHS = ("/health", "/ready")
"""Answered however many connections there are: whoever runs the server would take it for dead."""


class Door:
    """`connections` says how many there are now: only the HTTP server underneath sees those that ask for nothing."""

    def __init__(self, app: ASGIApp, settings: Settings, *, connections: Callable[[], int]) -> None:
        self._app = app
        self._connections = connections
        self._connections_max = settings.connections_max
        self._keys = {name: ApiKey(key) for name, key in settings.keys.items()}
        self._hosts = settings.hosts
        self._proxies = Proxies(settings.proxies)
        # Behind a proxy the server's own origin is the one that the proxy shows.
        self._own_origins = (settings.public_url,) if settings.public_url else ()
        self._cors_origins = settings.cors_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            await self._serve(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        scope = self._as_callers_see(scope)
        headers = _decoded(scope["headers"])
        record = new_record(method=scope["method"], path=scope["path"], request_id=headers.get("x-request-id"))
        started = time.perf_counter()
        marks = {
            "x-request-id": record.request_id,
            **cors_headers(headers.get("origin"), cors_origins=self._cors_origins),
        }

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message["headers"] = [*message.get("headers", []), *_encoded(marks)]
            for piece in _pieces(message):
                await send(piece)

        try:
            await self._enter(scope, receive, send_marked, headers, record)
        except asyncio.CancelledError:
            # The server stops, and this request has not ended in the time it had. Nothing comes after this task.
            if record.status is not None:
                raise
            await _refuse(send_marked, EngineError("the server is stopping", is_retryable=True), record)
        finally:
            write_record(record, started=started)

    async def _enter(
        self, scope: HTTPScope, receive: Receive, send: Send, headers: Mapping[str, str], record: RequestRecord
    ) -> None:
        try:
            self._refuse_when_crowded(scope["path"])
        except CalotypeError as error:
            # A connection that is kept would keep the others out.
            await _refuse(send, error, record, headers={"connection": "close"})
            return
        try:
            preflight = self._admit(scope, headers, record)
        except CalotypeError as error:
            await _refuse(send, error, record)
            return
        if preflight is not None:
            await _answer(send, 204, preflight, b"")
            return
        scope.setdefault("state", {})["record"] = record
        if scope["method"] == "HEAD":
            # What GET answers, without its body, which the HTTP server leaves out.
            scope = {**scope, "method": HttpMethod.GET}
        await self._app(scope, receive, send)

    def _refuse_when_crowded(self, path: str) -> None:
        if self._connections() > self._connections_max and path not in PROBE_PATHS:
            raise EngineError(f"there are more than {self._connections_max} connections", is_retryable=True)

    def _as_callers_see(self, scope: HTTPScope) -> HTTPScope:
        """With the scheme and the Host that a configured proxy was called by, and its caller's address, so that nothing
        behind has to know it.
        """
        peer = scope["client"][0] if scope["client"] else None
        if not self._proxies.include(peer):
            return scope
        said = _decoded(scope["headers"])
        seen = self._proxies.seen_origin(peer, said)
        scope = {**scope, "client": (self._proxies.seen_address(peer, said) or "", 0)}
        if seen.host is not None:
            others = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
            scope = {**scope, "headers": [*others, *_encoded({"host": seen.host})]}
        return scope if seen.scheme is None else {**scope, "scheme": seen.scheme}

    def _admit(self, scope: HTTPScope, headers: Mapping[str, str], record: RequestRecord) -> dict[str, str] | None:
        """Raises what keeps the request out; gives the headers of the answer when it is only a preflight."""
        host, origin = headers.get("host"), headers.get("origin")
        if not self._keys:
            check_host(host, allowed_hosts=self._hosts)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            requested = headers.get("access-control-request-headers")
            return preflight_headers(origin, requested_headers=requested, cors_origins=self._cors_origins)
        allowed = (*self._own_origins, *self._cors_origins)
        check_origin(origin, scheme=scope["scheme"], host=host or "", cors_origins=allowed)
        if not scope["path"].startswith(OPEN_PATHS):
            record.caller = authenticate(headers.get("authorization"), self._keys)
        return None


def _pieces(message: Message) -> Iterator[Message]:
    """A large body in parts, each sent before the next is buffered: asyncio moves what it buffers again and again."""
    if message["type"] != "http.response.body" or len(message["body"]) <= PIECE_BYTES_MAX:
        yield message
        return
    body = memoryview(message["body"])
    for start in range(0, len(body), PIECE_BYTES_MAX):
        last = start + PIECE_BYTES_MAX >= len(body)
        piece = bytes(body[start : start + PIECE_BYTES_MAX])
        yield {"type": "http.response.body", "body": piece, "more_body": message["more_body"] or not last}


async def _refuse(
    send: Send, error: CalotypeError, record: RequestRecord, *, headers: Mapping[str, str] | None = None
) -> None:
    answer = answer_for(error, record)
    body = msgspec.json.encode(answer.body)
    named = {"content-type": "application/json", **answer.headers, **(headers or {})}
    await _answer(send, answer.status, named, body)


async def _answer(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    length = {} if status == 204 else {"content-length": str(len(body))}
    await send({"type": "http.response.start", "status": status, "headers": _encoded({**headers, **length})})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
