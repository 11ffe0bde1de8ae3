"""Every error in OpenAI's words: a status, a body, and whether another try is in vain."""

from __future__ import annotations

import math
from typing import NamedTuple

from calotype_adapters.openai.types import ErrorBody, ErrorResponse
from calotype_provider import errors
from calotype_provider.errors import CalotypeError

RETRY_WAIT_SECONDS_MAX = 60
"""A client that is told to wait longer gives up, or comes back at once: better that it knows."""

DETAIL_CHARACTERS_MAX = 500

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
        case errors.FileExpiredError():
            return _refusal(410, message, code="file_expired")
        case errors.RangeNotSatisfiableError(bytes_total=total):
            headers = {"content-range": f"bytes */{total}"}
            return _refusal(416, message, code="range_not_satisfiable", headers=headers)
        case errors.NoSuchRequestError():
            return _refusal(404, message, code="request_not_found")
        case errors.IdempotencyKeyReusedError():
            return _refusal(422, message, code="idempotency_key_reused")
        case errors.NoSuchJobError():
            return _refusal(404, message, code="job_not_found")
        case errors.RequestTooLargeError():
            return _refusal(413, message, code="request_too_large")
        case errors.RequestTimeoutError():
            # Clients try a 408 again by themselves: a body that was too slow once will be so again.
            headers = {"x-should-retry": "false"}
            return _refusal(408, message, code="request_timeout", headers=headers)
        case errors.UnsupportedMediaTypeError():
            return _refusal(415, message, code="unsupported_media_type")
        case errors.DeadlineError(retry_after_seconds=seconds):
            headers = {**_retry_after(seconds), "x-should-retry": "true"}
            return _answer(429, message, "rate_limit_error", code="deadline", headers=headers)
        case errors.ModelBusyError(retry_after_seconds=seconds):
            return _answer(429, message, "rate_limit_error", code="model_busy", headers=_retry_after(seconds))
        case errors.StorageFullError(retry_after_seconds=seconds):
            return _failure(
                507, message, code="storage_full", try_again=seconds <= RETRY_WAIT_SECONDS_MAX, wait=seconds
            )
        case errors.StorageError(is_retryable=try_again):
            return _failure(503 if try_again else 500, message, code="storage_failed", try_again=try_again)
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
    if status == 503 and try_again and wait is None:
        wait = errors.RETRY_SOON_SECONDS
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
