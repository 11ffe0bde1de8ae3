"""OpenAI's images API: pictures from words, from pictures, and of one picture; whole, or as a stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

import msgspec
from litestar import post
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
from calotype_runtime.leaving import while_caller_waits
from calotype_runtime.picture_requests import AnyRequest, answer_whole, asked_of, asks_strict
from calotype_runtime.preferences import read_preferences
from calotype_runtime.repeats import Asked
from calotype_runtime.request_log import RequestRecord
from calotype_runtime.routes.jobs import answer_accepted

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
    strict = asks_strict(request.headers)
    preferences = read_preferences(request.headers)
    data, unknown = await runtime.bodies.read(request, into)
    previews = data.partial_images or 0
    if preferences.respond_async:
        # The job's own events take the place of the stream, and have its previews.
        data = msgspec.structs.replace(data, stream=None, partial_images=None, progress=None)
    call, warnings = to_call(data, caller=Caller(record.caller, record.request_id), unknown=unknown, strict=strict)
    asked = await asked_of(request, runtime, data, call, preferences)

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
        return await answer_accepted(request, runtime, asked, accept)

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
    tell_late = partial(_tell_late, runtime, asked, record)
    return await answer_whole(request, runtime, paint_whole(), tell_late=tell_late)


def _tell_late(runtime: ImageRuntime, asked: Asked, record: RequestRecord, error: Exception) -> None:
    """No error may stand in an answer that has begun: the connection breaks, and the next attempt is told."""
    told = answer_for(error, record).body.error.message
    if not isinstance(error, CallerLeftError):
        final = isinstance(error, CalotypeError) and not error.is_retryable
        # For good: it would come too late again.
        runtime.repeats.keep_failure(asked, cast(CalotypeError, error) if final else EngineError(told))


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


def _origin(request: AnyRequest, runtime: ImageRuntime) -> str:
    """What answers by URL begin with: where this request came to."""
    if runtime.settings.public_url is not None:
        return runtime.settings.public_url
    host = request.headers.get("host")
    if not host:
        raise MalformedRequestError("the request has no Host header, so no URL can be made for its answer")
    return f"{request.scope['scheme']}://{host}"
