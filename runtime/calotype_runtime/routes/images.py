"""OpenAI's images API: pictures from words, from pictures, and of one picture; whole, or as a stream."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, cast

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.types import ASGIApp

from calotype_adapters.openai.convert import to_call
from calotype_adapters.openai.types import (
    EventPrefix,
    ImageEditRequest,
    ImageGenerationRequest,
    ImageRequest,
    ImageVariationRequest,
)
from calotype_provider.errors import (
    CallerLeftError,
    CalotypeError,
    EngineError,
    InvalidCallError,
    MalformedRequestError,
)
from calotype_provider.types import (
    Caller,
    CallWarning,
    ImageEvent,
    ImageModelCall,
    ImagePreview,
    ImageQueued,
    ImageStep,
)
from calotype_runtime.error_answers import answer_for
from calotype_runtime.event_stream import Encode, EventStream, Work, event
from calotype_runtime.image_answers import encode_answer, encode_completed, encode_partial, encode_progress
from calotype_runtime.image_runtime import Delivery, ImageRuntime, Painting, TellOfCall
from calotype_runtime.jobs.snapshots import Snapshot
from calotype_runtime.late_answer import LateAnswer
from calotype_runtime.leaving import while_caller_waits
from calotype_runtime.preferences import Preferences, read_preferences
from calotype_runtime.repeats import Asked
from calotype_runtime.request_digest import request_digest
from calotype_runtime.request_log import RequestRecord
from calotype_runtime.routes.jobs import answer_accepted

STRICT_HEADER = "X-Calotype-Strict"

AnyRequest = Request[Any, Any, Any]
Runtime = NamedDependency[ImageRuntime]


@post("/v1/images/generations")
async def create_images(request: AnyRequest, runtime: Runtime) -> ASGIApp:
    """Pictures from words."""
    return await _answer(request, runtime, ImageGenerationRequest, prefix="image_generation")


@post("/v1/images/edits")
async def edit_images(request: AnyRequest, runtime: Runtime) -> ASGIApp:
    """Pictures from words and one picture or several."""
    return await _answer(request, runtime, ImageEditRequest, prefix="image_edit")


@post("/v1/images/variations")
async def vary_image(request: AnyRequest, runtime: Runtime) -> ASGIApp:
    """Pictures like one picture, without words."""
    return await _answer(request, runtime, ImageVariationRequest, prefix="image_edit")


async def _answer(
    request: AnyRequest, runtime: ImageRuntime, into: type[ImageRequest], *, prefix: EventPrefix
) -> ASGIApp:
    record = request.state.record
    origin = _origin(request, runtime)
    strict = _asks_strict(request.headers)
    preferences = read_preferences(request.headers)
    data, unknown = await runtime.bodies.read(request, into)
    previews = data.partial_images or 0
    if preferences.respond_async:
        # The job's own events take the place of the stream, and have its previews.
        data = msgspec.structs.replace(data, stream=None, partial_images=None, progress=None)
    call, warnings = to_call(data, caller=Caller(record.caller, record.request_id), unknown=unknown, strict=strict)
    asked = await _asked(request, runtime, data, call, preferences)

    if preferences.respond_async:
        accept = partial(
            runtime.accept,
            data.model,
            msgspec.structs.replace(call, partial_images=previews),
            delivery=_delivery(data),
            origin=origin,
            warnings=warnings,
            record=record,
        )
        return await _accepted(request, runtime, asked, accept)

    async def paint(tell: TellOfCall | None = None) -> Painting:
        work = partial(
            runtime.paint,
            data.model,
            call,
            delivery=_delivery(data),
            record=record,
            tell=tell,
            wait_seconds_max=preferences.wait_seconds,
        )
        painting = await runtime.repeats.answer(asked, work)
        record.note_result(painting.result, warnings=(*warnings, *painting.result.warnings))
        return painting

    async def paint_whole() -> list[bytes]:
        painting = await paint()
        with_base64 = data.response_format != "url"
        return await runtime.in_codec(
            partial(encode_answer, painting, warnings=warnings, origin=origin, with_base64=with_base64)
        )

    if data.stream:
        events = partial(_send_events, paint, prefix, warnings, origin, with_progress=bool(data.progress))
        return await _stream(request, runtime, events)
    return await _whole(request, runtime, asked, paint_whole())


async def _accepted(
    request: AnyRequest, runtime: ImageRuntime, asked: Asked, accept: Callable[[], Coroutine[Any, Any, Snapshot]]
) -> ASGIApp:
    """Two jobs of one seed are two jobs: only a repeat is told of the one that there is, and how it stands by now."""
    told = runtime.accepted.answer(msgspec.structs.replace(asked, has_seed=False), accept)
    snapshot = await while_caller_waits(request.receive, told)
    return answer_accepted(await runtime.jobs.get(snapshot.job.id, request.state.record.caller))


async def _asked(
    request: AnyRequest, runtime: ImageRuntime, data: ImageRequest, call: ImageModelCall, preferences: Preferences
) -> Asked:
    """What tells whether this request repeats another."""
    record, came = request.state.record, time.monotonic()
    digest = partial(request_digest, request.url.path, data)
    # Whoever needs no key is told apart by address.
    address = request.client.host if request.client and not runtime.settings.keys else ""
    return Asked(
        caller=f"{record.caller} {address}",
        body=await runtime.in_codec(digest) if call.images or call.mask or call.control_image else digest(),
        key=preferences.idempotency_key,
        keep=preferences.keep,
        has_seed=call.seed is not None,
        retry_count=preferences.retry_count or 0,
        asks_again=lambda: preferences.asks_again(time.monotonic() - came),
    )


async def _whole(
    request: AnyRequest, runtime: ImageRuntime, asked: Asked, work: Coroutine[Any, Any, list[bytes]]
) -> LateAnswer:
    record = request.state.record

    def tell_late(error: Exception) -> None:
        told = answer_for(error, record).body.error.message
        if not isinstance(error, CallerLeftError):
            final = isinstance(error, CalotypeError) and not error.is_retryable
            # The next attempt is told for good: it would come too late again.
            runtime.repeats.keep_failure(asked, cast(CalotypeError, error) if final else EngineError(told))

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


async def _stream(request: AnyRequest, runtime: ImageRuntime, work: Work) -> EventStream:
    record = request.state.record

    def tell_failure(error: Exception) -> bytes:
        return event(msgspec.json.encode(answer_for(error, record).body), name="error")

    stream = EventStream(work, run=runtime.in_codec, tell_failure=tell_failure)
    await while_caller_waits(request.receive, stream.begin())
    return stream


async def _send_events(
    paint: Callable[[TellOfCall], Awaitable[Painting]],
    prefix: EventPrefix,
    warnings: tuple[CallWarning, ...],
    origin: str,
    send: Callable[[Encode], None],
    *,
    with_progress: bool,
) -> None:
    shown = Counter[int]()

    def tell(call: ImageModelCall, told: ImageEvent) -> None:
        match told:
            case ImagePreview(index=index):
                send(partial(encode_partial, told, call=call, prefix=prefix, partial_image_index=shown[index]))
                shown[index] += 1
            case ImageQueued() | ImageStep() if with_progress:
                send(partial(encode_progress, told, prefix=prefix))

    painting = await paint(tell)
    for index in range(len(painting.result.images)):
        missing = _missing(painting, shown[index])
        send(partial(encode_completed, painting, index, prefix=prefix, warnings=(*warnings, *missing), origin=origin))


def _missing(painting: Painting, shown: int) -> tuple[CallWarning, ...]:
    asked = painting.call.partial_images
    told_why = any(warning.feature == "partial_images" for warning in painting.result.warnings)
    if shown >= asked or told_why:
        return ()
    return (CallWarning("other", "partial_images", f"asked for {asked}, {shown} came before the picture was done"),)


def _delivery(data: ImageRequest) -> Delivery | None:
    match data.response_format:
        case "url":
            return "url"
        case None if not data.stream:
            return None
        case _:
            return "b64_json"


def _asks_strict(headers: Mapping[str, str]) -> bool:
    value = headers.get(STRICT_HEADER, "false").strip().lower()
    if value not in ("true", "false", "1", "0"):
        raise InvalidCallError(f"{STRICT_HEADER} must be true or false, got {value[:40]!r}", parameter=STRICT_HEADER)
    return value in ("true", "1")


def _origin(request: AnyRequest, runtime: ImageRuntime) -> str:
    """What answers by URL begin with: where this request came to."""
    if runtime.settings.public_url is not None:
        return runtime.settings.public_url
    host = request.headers.get("host")
    if not host:
        raise MalformedRequestError("the request has no Host header, so no URL can be made for its answer")
    return f"{request.scope['scheme']}://{host}"
