"""A caller that leaves stops the work that was done for it. Litestar does not cancel a handler by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from litestar import Request

from calotype_provider.errors import CallerLeftError

T = TypeVar("T")


async def while_caller_waits(request: Request[Any, Any, Any], work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives; its body must have been read. Raises CallerLeftError, `work` cancelled, when nobody waits."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise CallerLeftError("the caller has left")
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
