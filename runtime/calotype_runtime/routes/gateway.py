"""The AI SDK's gateway: pictures, and which models there are, under the base path of each of its majors."""

from __future__ import annotations

from functools import partial

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.types import ASGIApp

from calotype_adapters.vercel.convert import to_call, to_config, to_empty_response
from calotype_adapters.vercel.names import spec_of_client
from calotype_adapters.vercel.types import BASES, GatewayConfig, GatewayImageRequest
from calotype_provider.errors import CallerLeftError, InvalidCallError, NoImageGeneratedError
from calotype_provider.types import Caller
from calotype_runtime.error_answers import answer_for
from calotype_runtime.image_answers import encode_gateway_answer
from calotype_runtime.image_runtime import ImageRuntime
from calotype_runtime.picture_requests import AnyRequest, answer_whole, asked_of, asks_strict
from calotype_runtime.preferences import read_preferences
from calotype_runtime.request_body import JSON
from calotype_runtime.request_log import RequestRecord
from calotype_runtime.routes.jobs import answer_accepted

MODEL_HEADER = "ai-model-id"
SPEC_HEADER = "ai-image-model-specification-version"
MODEL_ID_CHARACTERS_MAX = 200

Runtime = NamedDependency[ImageRuntime]


@post([f"{base}/image-model" for base in BASES])
async def create_gateway_images(request: AnyRequest, runtime: Runtime) -> ASGIApp:
    """Pictures from words, and from words and pictures."""
    record = request.state.record
    spec = spec_of_client(request.headers.get(SPEC_HEADER), path=record.path)
    model_id = _model_id(request)
    strict = asks_strict(request.headers)
    preferences = read_preferences(request.headers)
    data, unknown = await runtime.bodies.read(request, GatewayImageRequest, media_types=(JSON,))
    call, warnings = to_call(data, caller=Caller(record.caller, record.request_id), unknown=unknown, strict=strict)
    asked = await asked_of(request, runtime, data, call, preferences, beside=model_id)

    if preferences.respond_async:
        accept = partial(
            runtime.accept,
            model_id,
            call,
            delivery="b64_json",
            origin="",
            warnings=warnings,
            record=record,
            spec=spec,
        )
        return await answer_accepted(request, runtime, asked, accept)

    async def paint_whole() -> list[bytes]:
        work = partial(
            runtime.paint,
            model_id,
            call,
            delivery="b64_json",
            record=record,
            wait_seconds_max=preferences.wait_seconds,
        )
        try:
            painting = await runtime.repeats.answer(asked, work)
        except NoImageGeneratedError as error:
            record.error = type(error).__name__
            return [msgspec.json.encode(to_empty_response(str(error)))]
        record.note_result(painting.result, warnings=(*warnings, *painting.result.warnings))
        return await runtime.in_codec(
            partial(encode_gateway_answer, painting, warnings=warnings, spec=spec, request_id=record.request_id)
        )

    return await answer_whole(request, runtime, paint_whole(), tell_late=partial(_tell_late, record))


@get([f"{base}/config" for base in BASES], sync_to_thread=False)
def get_gateway_config(request: AnyRequest, runtime: Runtime) -> GatewayConfig:
    """Every model that is served, as the clients of this base read it."""
    cards = (runtime.image_model(model_id).card for model_id in runtime.registry.model_ids())
    return to_config(cards, spec=spec_of_client(None, path=request.state.record.path))


def _model_id(request: AnyRequest) -> str:
    model_id = request.headers.get(MODEL_HEADER, "").strip()
    if not model_id:
        raise InvalidCallError(f"the header {MODEL_HEADER} must name the model", parameter=MODEL_HEADER)
    if len(model_id) > MODEL_ID_CHARACTERS_MAX:
        raise InvalidCallError(
            f"{MODEL_HEADER} must have at most {MODEL_ID_CHARACTERS_MAX} characters, got {len(model_id)}",
            parameter=MODEL_HEADER,
        )
    return model_id


def _tell_late(record: RequestRecord, error: Exception) -> list[bytes] | None:
    """These clients read an error in an answer that has begun as well."""
    told = answer_for(error, record)
    return None if isinstance(error, CallerLeftError) else [msgspec.json.encode(told.body)]
