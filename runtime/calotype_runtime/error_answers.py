"""Every failure, the framework's own included, as one shape of answer."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from calotype_adapters.openai.errors import ErrorAnswer, for_status, to_error
from calotype_provider.errors import CalotypeError
from calotype_runtime.request_log import RequestRecord

logger = logging.getLogger("calotype.errors")


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return _response(answer_for(error, request.state.record))


def answer_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """No route, no such method, and whatever else Litestar refuses before a handler runs."""
    request.state.record.error = type(error).__name__
    answer = for_status(error.status_code, error.detail)
    return _response(answer._replace(headers={**(error.headers or {}), **answer.headers}))


def answer_for(error: Exception, record: RequestRecord) -> ErrorAnswer:
    """What the caller is told. Of our own mistakes the log has the traceback, the caller only the request's id."""
    record.error = type(error).__name__
    if isinstance(error, CalotypeError):
        return to_error(error)
    logger.error("request %s failed", record.request_id, exc_info=error)
    return for_status(500, f"internal error; the server's log has it under {record.request_id}")


def _response(answer: ErrorAnswer) -> Response[bytes]:
    body = msgspec.json.encode(answer.body)
    return Response(body, status_code=answer.status, headers=answer.headers, media_type="application/json")


EXCEPTION_HANDLERS: dict[int | type[Exception], Any] = {
    HTTPException: answer_http_exception,
    Exception: answer_error,
}
