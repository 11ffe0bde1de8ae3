"""Between OpenAI's words and the abstract call. Pure: no clock, no network, no base64."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from calotype_adapters.openai.types import (
    ErrorBody,
    ErrorResponse,
    ImageData,
    ImageGenerationRequest,
    ImagesResponse,
    Model,
    ModelList,
    Usage,
)
from calotype_adapters.pictures import to_image, to_images
from calotype_adapters.sizes import asked_size
from calotype_provider import errors
from calotype_provider.errors import CalotypeError, InvalidCallError
from calotype_provider.geometry import parse_aspect_ratio
from calotype_provider.model_card import ModelCard
from calotype_provider.types import (
    MEDIA_TYPES,
    Caller,
    CallWarning,
    ImageModelCall,
    ImageModelResult,
    ImageUsage,
    OutputFormat,
)

RETRY_WAIT_SECONDS_MAX = 60
"""A client that is told to wait longer gives up, or comes back at once: better that it knows."""

DETAIL_CHARACTERS_MAX = 500
MODEL_ID_CHARACTERS_MAX = 200

_NOBODY = Caller()
_FORMATS: dict[str, OutputFormat] = {media_type: name for name, media_type in MEDIA_TYPES.items()}
_PARAMETERS = {"guidance_scale": "guidance", "images": "image"}
"""What this wire calls the abstract call's fields, where it is not the same word."""

_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "request_too_large",
    415: "unsupported_media_type",
}


def to_call(
    request: ImageGenerationRequest, *, caller: Caller = _NOBODY, unknown: Sequence[str] = ()
) -> tuple[ImageModelCall, tuple[CallWarning, ...]]:
    """The call, and what of the request it does not carry. Raises InvalidCallError.

    `unknown` are the names of fields that the request's struct does not have.
    """
    if request.model is not None and len(request.model) > MODEL_ID_CHARACTERS_MAX:
        raise InvalidCallError(
            f"model must have at most {MODEL_ID_CHARACTERS_MAX} characters, got {len(request.model)}", parameter="model"
        )
    if request.stream:
        raise InvalidCallError("stream: streamed answers are not served yet; leave it out", parameter="stream")
    call = ImageModelCall(
        prompt=request.prompt,
        n=1 if request.n is None else request.n,
        size=asked_size(request.size, width=request.width, height=request.height),
        aspect_ratio=None if request.aspect_ratio is None else parse_aspect_ratio(request.aspect_ratio),
        seed=request.seed,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance,
        negative_prompt=request.negative_prompt,
        strength=request.strength,
        images=(
            *to_images(request.image, parameter="images"),
            *to_images(request.input_images, parameter="input_images"),
        ),
        mask=to_image(request.mask, parameter="mask"),
        control_image=to_image(request.control_image, parameter="control_image"),
        output_format=request.output_format or "png",
        output_compression=request.output_compression,
        caller=caller,
    )
    return call, tuple(_warnings(request, unknown))


def _warnings(request: ImageGenerationRequest, unknown: Sequence[str]) -> Iterator[CallWarning]:
    # `user` and `safety_identifier` ask for nothing.
    if request.quality not in (None, "auto", "standard"):
        yield CallWarning("unsupported", "quality", "there is one quality; num_inference_steps may change it")
    if request.style is not None:
        yield CallWarning("unsupported", "style", "say it in the prompt")
    if request.background == "transparent":
        yield CallWarning("unsupported", "background", "painted opaque")
    if request.moderation is not None:
        yield CallWarning("unsupported", "moderation", "nothing is moderated here")
    if request.partial_images:
        yield CallWarning("unsupported", "partial_images", "nothing is streamed")
    for name in unknown:
        yield CallWarning("unsupported", name, "not a field of this request")


def to_response(
    result: ImageModelResult,
    *,
    created: int,
    base64: Sequence[msgspec.Raw] | None,
    urls: Sequence[str] | None,
    warnings: Iterable[CallWarning] = (),
) -> ImagesResponse:
    """`base64` and `urls` hold one entry for each picture, or are None where the answer has none.

    `warnings` come before the result's own.
    """
    first = result.images[0] if result.images else None
    return ImagesResponse(
        created=created,
        model=result.model_id,
        data=tuple(
            ImageData(
                b64_json=UNSET if base64 is None else base64[index],
                url=UNSET if urls is None else urls[index],
                seed=image.seed,
            )
            for index, image in enumerate(result.images)
        ),
        size=UNSET if first is None else str(first.size),
        output_format=UNSET if first is None else _FORMATS.get(first.media_type, UNSET),
        usage=UNSET if result.usage is None else _usage(result.usage),
        warnings=(*warnings, *result.warnings),
    )


def _usage(usage: ImageUsage) -> Usage:
    return Usage(
        input_tokens=_counted(usage.input_tokens),
        output_tokens=_counted(usage.output_tokens),
        total_tokens=_counted(usage.total_tokens),
    )


def _counted(tokens: int | None) -> int | UnsetType:
    return UNSET if tokens is None else tokens


def to_model(card: ModelCard, *, created: int) -> Model:
    owner, slash, _ = card.model_id.partition("/")
    return Model(id=card.model_id, created=created, owned_by=owner if slash else "calotype", calotype=card)


def to_model_list(cards: Iterable[ModelCard], *, created: int) -> ModelList:
    return ModelList(data=tuple(to_model(card, created=created) for card in cards))


class ErrorAnswer(NamedTuple):
    status: int
    body: ErrorResponse
    headers: dict[str, str]


def to_error(error: CalotypeError) -> ErrorAnswer:
    """Clients try every 5xx again unless `x-should-retry` says that it is in vain."""
    message = str(error)
    match error:
        case errors.InvalidCallError(parameter=parameter):
            return _refusal(400, message, param=_PARAMETERS.get(parameter, parameter), code="invalid_parameter")
        case errors.MalformedRequestError():
            return _refusal(400, message, code="malformed_request")
        case errors.AuthenticationError():
            return _refusal(401, message, code="invalid_api_key", headers={"www-authenticate": "Bearer"})
        case errors.ForbiddenError():
            return _refusal(403, message, code="forbidden")
        case errors.NoSuchModelError():
            return _refusal(404, message, param="model", code="model_not_found")
        case errors.NoSuchFileError():
            return _refusal(404, message, code="file_not_found")
        case errors.RequestTooLargeError():
            return _refusal(413, message, code="request_too_large")
        case errors.RequestTimeoutError():
            # Clients try a 408 again by themselves: a body that was too slow once will be so again.
            headers = {"x-should-retry": "false"}
            return _refusal(408, message, code="request_timeout", headers=headers)
        case errors.UnsupportedMediaTypeError():
            return _refusal(415, message, code="unsupported_media_type")
        case errors.ModelBusyError(retry_after_seconds=seconds):
            return _answer(429, message, "rate_limit_error", code="model_busy", headers=_retry_after(seconds))
        case errors.StorageFullError(retry_after_seconds=seconds):
            return _failure(
                507, message, code="storage_full", try_again=seconds <= RETRY_WAIT_SECONDS_MAX, wait=seconds
            )
        case errors.ModelLoadError():
            return _failure(500, message, code="model_load_failed", try_again=False)
        case errors.EngineError(is_retryable=try_again):
            return _failure(503 if try_again else 500, message, code="engine_error", try_again=try_again)
        case errors.NoImageGeneratedError():
            return _failure(500, message, code="no_image_generated", try_again=False)
        case errors.CallerLeftError():
            return _refusal(499, message, code="caller_left")
        case errors.APICallError(is_retryable=try_again):
            return _failure(502, message, code="api_call_failed", try_again=try_again)
        case _:
            return _failure(500, message, code="internal_error", try_again=error.is_retryable)


def for_status(status: int, detail: str) -> ErrorAnswer:
    """For what fails outside of Calotype's own code: no such route, a method not allowed, a mistake of ours."""
    message = detail[:DETAIL_CHARACTERS_MAX]
    if status >= 500:
        return _failure(status, message, code=_CODES.get(status, "internal_error"), try_again=False)
    return _refusal(status, message, code=_CODES.get(status))


def _refusal(
    status: int, message: str, *, param: str | None = None, code: str | None, headers: dict[str, str] | None = None
) -> ErrorAnswer:
    return _answer(status, message, "invalid_request_error", param=param, code=code, headers=headers or {})


def _failure(status: int, message: str, *, code: str, try_again: bool, wait: float | None = None) -> ErrorAnswer:
    headers = {} if wait is None else _retry_after(wait)
    if not try_again:
        headers["x-should-retry"] = "false"
    return _answer(status, message, "server_error", code=code, headers=headers)


def _answer(
    status: int, message: str, kind: str, *, param: str | None = None, code: str | None, headers: dict[str, str]
) -> ErrorAnswer:
    return ErrorAnswer(status, ErrorResponse(ErrorBody(message=message, type=kind, param=param, code=code)), headers)


def _retry_after(seconds: float) -> dict[str, str]:
    milliseconds = max(1, math.ceil(seconds * 1000))
    return {"retry-after": str(math.ceil(milliseconds / 1000)), "retry-after-ms": str(milliseconds)}
