"""OpenAI's images API."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pybase64
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from calotype_adapters.openai.convert import to_call, to_model, to_model_list, to_response
from calotype_adapters.openai.types import ImageGenerationRequest, Model, ModelList
from calotype_provider.errors import MalformedRequestError
from calotype_provider.types import Caller, CallWarning
from calotype_runtime.image_runtime import ImageRuntime, Painting
from calotype_runtime.leaving import while_caller_waits


@post("/v1/images/generations", status_code=200)
async def create_images(request: Request[Any, Any, Any], runtime: NamedDependency[ImageRuntime]) -> Response[bytes]:
    """Pictures from words."""
    record = request.state.record
    origin = _origin(request, runtime)
    data, unknown = await runtime.bodies.read(request, ImageGenerationRequest)
    call, warnings = to_call(data, caller=Caller(record.caller, record.request_id), unknown=unknown)
    work = runtime.paint(data.model, call, delivery=data.response_format, record=record)
    painting = await while_caller_waits(request, work)
    record.warnings = [warning.feature for warning in (*warnings, *painting.result.warnings)]
    with_base64 = data.response_format != "url"
    body = await runtime.in_codec(lambda: _encode(painting, warnings, origin=origin, with_base64=with_base64))
    return Response(body, media_type="application/json")


@get("/v1/models", sync_to_thread=False)
def list_models(runtime: NamedDependency[ImageRuntime]) -> ModelList:
    """Every model that is served, with its card."""
    cards = (runtime.image_model(model_id).card for model_id in runtime.registry.model_ids())
    return to_model_list(cards, created=runtime.started_at)


@get("/v1/models/{model_id:path}", sync_to_thread=False)
def get_model(model_id: FromPath[str], runtime: NamedDependency[ImageRuntime]) -> Model:
    """One model, by its id in any case; ids contain slashes."""
    return to_model(runtime.image_model(model_id.removeprefix("/")).card, created=runtime.started_at)


def _origin(request: Request[Any, Any, Any], runtime: ImageRuntime) -> str:
    """What answers by URL begin with: where this request came to."""
    if runtime.settings.public_url is not None:
        return runtime.settings.public_url
    host = request.headers.get("host")
    if not host:
        raise MalformedRequestError("the request has no Host header, so no URL can be made for its answer")
    return f"{request.scope['scheme']}://{host}"


def _encode(painting: Painting, warnings: tuple[CallWarning, ...], *, origin: str, with_base64: bool) -> bytes:
    """The whole answer as JSON: base64 is made once and goes in as it is."""
    images = painting.result.images
    response = to_response(
        painting.result,
        created=int(time.time()),
        base64=[msgspec.Raw(b'"%b"' % pybase64.b64encode(image.data)) for image in images] if with_base64 else None,
        urls=[origin + path for path in painting.paths] if painting.paths is not None else None,
        warnings=warnings,
    )
    return msgspec.json.encode(response)
