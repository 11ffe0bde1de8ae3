"""Pictures by URL: signed, expiring, no key needed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from calotype_runtime.file_answer import file_answer
from calotype_runtime.image_runtime import ImageRuntime


@get("/files/{name:str}")
async def get_file(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    runtime: NamedDependency[ImageRuntime],
    expires: FromQuery[str] = "",
    signature: FromQuery[str] = "",
) -> Response[Any]:
    """The picture under a URL that an answer gave: 403 when it was not made here, 410 when its time is over."""
    picture = await runtime.store.open(name, expires=expires, signature=signature)
    seconds_left = runtime.store.seconds_left(picture)
    # The door shows HEAD as GET.
    method = request.state.record.method
    answer = file_answer(picture, request.headers, method=method, seconds_left=seconds_left)
    if answer.start == answer.stop:
        return Response(b"", status_code=answer.status, headers=answer.headers)
    pieces = runtime.store.read(picture, answer.start, answer.stop)
    # Before the status is sent: a picture that somebody has removed is a 404.
    first = await anext(pieces)
    return Stream(_again(first, pieces), status_code=answer.status, headers=answer.headers)


async def _again(first: bytes, others: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in others:
        yield piece
