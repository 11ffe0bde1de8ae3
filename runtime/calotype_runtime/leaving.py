"""A caller that leaves stops the work that was done for it. Litestar does not cancel a handler by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from litestar.types import Receive

from calotype_provider.errors import CallerLeftError

T = TypeVar("T")


async def while_caller_waits(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives. Raises CallerLeftError, `work` cancelled, when nobody waits for it any more.

    `receive` is the request's, whose body must have been read.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise CallerLeftError("the caller has left")
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
