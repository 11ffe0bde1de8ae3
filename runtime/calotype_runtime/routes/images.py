"""OpenAI's images API: pictures from words, from pictures, and of one picture; whole, or as a stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

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
from calotype_provider.errors import InvalidCallError, MalformedRequestError
from calotype_provider.types import Caller, CallWarning, ImageEvent, ImageModelCall, ImagePreview
from calotype_runtime.error_answers import answer_for
from calotype_runtime.event_stream import Encode, EventStream, Work, event
from calotype_runtime.image_answers import encode_answer, encode_completed, encode_partial
from calotype_runtime.image_runtime import Delivery, ImageRuntime, Painting, TellOfCall
from calotype_runtime.json_answer import JsonAnswer
from calotype_runtime.leaving import while_caller_waits

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
    data, unknown = await runtime.bodies.read(request, into)
    call, warnings = to_call(data, caller=Caller(record.caller, record.request_id), unknown=unknown, strict=strict)

    async def paint(tell: TellOfCall | None = None) -> Painting:
        painting = await runtime.paint(data.model, call, delivery=_delivery(data), record=record, tell=tell)
        record.warnings = [warning.feature for warning in (*warnings, *painting.result.warnings)]
        return painting

    if data.stream:
        return await _stream(request, runtime, partial(_send_events, paint, prefix, warnings, origin))
    painting = await while_caller_waits(request.receive, paint())
    with_base64 = data.response_format != "url"
    pieces = await runtime.in_codec(
        partial(encode_answer, painting, warnings=warnings, origin=origin, with_base64=with_base64)
    )
    return JsonAnswer(pieces)


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
) -> None:
    shown = Counter[int]()

    def tell(call: ImageModelCall, told: ImageEvent) -> None:
        if isinstance(told, ImagePreview):
            send(partial(encode_partial, told, call=call, prefix=prefix, partial_image_index=shown[told.index]))
            shown[told.index] += 1

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
