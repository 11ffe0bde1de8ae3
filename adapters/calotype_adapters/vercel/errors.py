"""Every error in the gateway's words. `type` is the client's class; the status alone says whether it tries again.

Clients try 408, 409, 429 and everything from 500 up three times in all, and read no header that says otherwise. So what
would fail again is a 424 here, where OpenAI's wire has a 500 with `x-should-retry: false`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from calotype_adapters.vercel.names import wire_name
from calotype_adapters.vercel.types import (
    GatewayErrorBody,
    GatewayErrorResponse,
    GatewayErrorType,
    SpecVersion,
)
from calotype_provider import errors
from calotype_provider.errors import CalotypeError

RETRY_WAIT_SECONDS_MAX = 60
"""A client that is told to wait longer comes back after two seconds: it is not told to come back."""

DETAIL_CHARACTERS_MAX = 500
IN_VAIN = 424

_CODES = {404: "not_found", 405: "method_not_allowed"}
_TRIED_AGAIN = (408, 409, 429)


class GatewayErrorAnswer(NamedTuple):
    status: int
    body: GatewayErrorResponse
    headers: dict[str, str]


def to_error(error: CalotypeError) -> GatewayErrorAnswer:
    message = str(error)
    match error:
        case errors.InvalidCallError(parameter=parameter):
            return _refusal(400, message, param=wire_name(parameter), code="invalid_parameter")
        case errors.MalformedRequestError():
            return _refusal(400, message, code="malformed_request")
        case errors.AuthenticationError():
            headers = {"www-authenticate": "Bearer"}
            return _answer(401, message, "authentication_error", code="invalid_api_key", headers=headers)
        case errors.ForbiddenError():
            return _answer(403, message, "forbidden", code="forbidden")
        case errors.NoSuchModelError(model_id=model_id):
            param = {"modelId": model_id[:DETAIL_CHARACTERS_MAX]}
            return _answer(404, message, "model_not_found", param=param, code="model_not_found")
        case errors.IdempotencyKeyReusedError():
            return _refusal(422, message, code="idempotency_key_reused")
        case errors.RequestTooLargeError():
            return _refusal(413, message, code="request_too_large")
        case errors.RequestTimeoutError():
            # Not 408, which clients try again: a body that was too slow once will be so again.
            return _refusal(400, message, code="request_timeout")
        case errors.UnsupportedMediaTypeError():
            return _refusal(415, message, code="unsupported_media_type")
        case errors.DeadlineError(retry_after_seconds=seconds):
            return _busy(message, code="deadline", seconds=seconds)
        case errors.ModelBusyError(retry_after_seconds=seconds):
            return _busy(message, code="model_busy", seconds=seconds)
        case errors.StorageFullError(retry_after_seconds=seconds):
            try_again = seconds <= RETRY_WAIT_SECONDS_MAX
            headers = _retry_after(seconds)
            return _failure(message, code="storage_full", status=507 if try_again else IN_VAIN, headers=headers)
        case errors.StorageError(is_retryable=try_again):
            return _failure(message, code="storage_failed", status=503 if try_again else IN_VAIN)
        case errors.ModelLoadError():
            return _failure(message, code="model_load_failed", status=IN_VAIN)
        case errors.EngineError(is_retryable=try_again):
            return _failure(message, code="engine_error", status=503 if try_again else IN_VAIN)
        case errors.NoImageGeneratedError():
            return _failure(message, code="no_image_generated", status=IN_VAIN)
        case (
            errors.NoSuchFileError()
            | errors.FileExpiredError()
            | errors.RangeNotSatisfiableError()
            | errors.NoSuchRequestError()
            | errors.NoSuchJobError()
        ):
            # Of other routes: nobody meets them here.
            return _refusal(404, message, code="not_found")
        case errors.CallerLeftError():
            return _refusal(499, message, code="caller_left")
        case errors.APICallError(is_retryable=try_again):
            status = 502 if try_again else IN_VAIN
            return _answer(status, message, "failed_dependency", code="api_call_failed")
        case _:
            return _failure(message, code="internal_error", status=503 if error.is_retryable else IN_VAIN)


def for_status(status: int, detail: str, *, spec: SpecVersion) -> GatewayErrorAnswer:
    """For what fails outside of Calotype's own code: no such route, a method not allowed, a mistake of ours."""
    message = detail[:DETAIL_CHARACTERS_MAX]
    if status >= 500 or status in _TRIED_AGAIN:
        return _failure(message, code="internal_error", status=IN_VAIN)
    if status == 404:
        message = "there is no such route: here are image-model and config, for pictures alone"
    if status == 404 and spec == "v4":
        return _answer(404, message, "not_found", code="not_found")
    # Older clients take `not_found` for a failure of the server.
    return _refusal(status, message, code=_CODES.get(status, "bad_request"))


def _refusal(status: int, message: str, *, param: str | UnsetType = UNSET, code: str) -> GatewayErrorAnswer:
    return _answer(status, message, "invalid_request_error", param=param, code=code)


def _busy(message: str, *, code: str, seconds: float) -> GatewayErrorAnswer:
    return _answer(429, message, "rate_limit_exceeded", code=code, headers=_retry_after(seconds))


def _failure(message: str, *, code: str, status: int, headers: dict[str, str] | None = None) -> GatewayErrorAnswer:
    if status == 503 and headers is None:
        headers = _retry_after(errors.RETRY_SOON_SECONDS)
    return _answer(status, message, "internal_server_error", code=code, headers=headers)


def _answer(
    status: int,
    message: str,
    kind: GatewayErrorType,
    *,
    param: str | dict[str, str] | UnsetType = UNSET,
    code: str,
    headers: dict[str, str] | None = None,
) -> GatewayErrorAnswer:
    body = GatewayErrorResponse(GatewayErrorBody(message=message, type=kind, param=param, code=code))
    return GatewayErrorAnswer(status, body, headers or {})


def _retry_after(seconds: float) -> dict[str, str]:
    milliseconds = max(1, math.ceil(seconds * 1000))
    return {"retry-after": str(math.ceil(milliseconds / 1000)), "retry-after-ms": str(milliseconds)}
