"""What requests for pictures share, whatever the wire: their headers, what they repeat, and answers that come late."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import msgspec
from litestar import Request

from calotype_provider.errors import InvalidCallError
from calotype_provider.types import ImageModelCall
from calotype_runtime.image_inputs import is_url, picture_bytes, pictures_of
from calotype_runtime.image_runtime import ImageRuntime
from calotype_runtime.late_answer import LateAnswer
from calotype_runtime.leaving import while_caller_waits
from calotype_runtime.preferences import Preferences
from calotype_runtime.repeats import Asked
from calotype_runtime.request_digest import request_digest
from calotype_runtime.request_log import RequestRecord

STRICT_HEADER = "X-Calotype-Strict"

AnyRequest = Request[Any, Any, Any]


def asks_strict(headers: Mapping[str, str]) -> bool:
    value = headers.get(STRICT_HEADER, "false").strip().lower()
    if value not in ("true", "false", "1", "0"):
        raise InvalidCallError(f"{STRICT_HEADER} must be true or false, got {value[:40]!r}", parameter=STRICT_HEADER)
    return value in ("true", "1")


async def asked_of(
    request: AnyRequest,
    runtime: ImageRuntime,
    data: msgspec.Struct,
    call: ImageModelCall,
    preferences: Preferences,
    *,
    beside: str = "",
) -> Asked:
    """What tells whether this request repeats another. `beside` is what it asks for outside of its body."""
    record, came = request.state.record, time.monotonic()
    # A header may have made it strict, which changes what it is told.
    digest = partial(request_digest, f"{request.url.path} {beside} {call.strict}", data)
    # Whoever needs no key is told apart by address.
    address = request.client.host if request.client and not runtime.settings.keys else ""
    return Asked(
        caller=f"{record.caller} {address}",
        body=await runtime.in_codec(digest) if call.images or call.mask or call.control_image else digest(),
        key=preferences.idempotency_key,
        held_bytes=picture_bytes(call),
        keep=preferences.keep,
        # The same URL may have another picture by then.
        has_seed=call.seed is not None and not any(is_url(picture) for picture in pictures_of(call)),
        retry_count=preferences.retry_count,
        back_seconds=lambda: preferences.back_seconds(time.monotonic() - came),
    )


async def answer_whole(
    request: AnyRequest,
    runtime: ImageRuntime,
    work: Coroutine[Any, Any, list[bytes]],
    *,
    tell_late: Callable[[Exception], list[bytes] | None],
) -> LateAnswer:
    """What `work` makes, in one piece; a caller who leaves ends it. `tell_late`: see LateAnswer."""
    record = request.state.record
    answer = LateAnswer(
        work,
        headers=lambda: _queue_headers(record),
        tell_late=tell_late,
        begin_seconds_max=runtime.settings.answer_begin_seconds_max,
    )
    await while_caller_waits(request.receive, answer.begin())
    return answer


def _queue_headers(record: RequestRecord) -> dict[str, str]:
    """Where the call stood when it came. Nothing for one that joined another."""
    if record.queue_position is None or record.queue_seconds is None:
        return {}
    return {
        "x-calotype-queue-position": str(record.queue_position),
        "x-calotype-queue-seconds": f"{record.queue_seconds:g}",
    }
