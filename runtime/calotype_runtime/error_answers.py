"""Every failure, the framework's own included, as one answer in the words of the wire that its path belongs to."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from calotype_adapters.openai.errors import ErrorAnswer, for_status, to_error
from calotype_adapters.vercel.errors import GatewayErrorAnswer
from calotype_adapters.vercel.errors import for_status as gateway_for_status
from calotype_adapters.vercel.errors import to_error as to_gateway_error
from calotype_adapters.vercel.names import spec_of_path
from calotype_provider.errors import CalotypeError
from calotype_runtime.request_log import RequestRecord

logger = logging.getLogger("calotype.errors")

AnyErrorAnswer = ErrorAnswer | GatewayErrorAnswer


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return _response(answer_for(error, request.state.record))


def answer_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """No route, no such method, and whatever else Litestar refuses before a handler runs."""
    record = request.state.record
    record.error = type(error).__name__
    answer = _for_status(error.status_code, error.detail, record)
    return _response(answer._replace(headers={**(error.headers or {}), **answer.headers}))


def answer_for(error: Exception, record: RequestRecord) -> AnyErrorAnswer:
    """What the caller is told. Of our own mistakes the log has the traceback, the caller only the request's id."""
    record.error = type(error).__name__
    if isinstance(error, CalotypeError):
        return to_error(error) if spec_of_path(record.path) is None else to_gateway_error(error)
    logger.error("request %s failed", record.request_id, exc_info=error)
    return _for_status(500, f"internal error; the server's log has it under {record.request_id}", record)


def _for_status(status: int, detail: str, record: RequestRecord) -> AnyErrorAnswer:
    spec = spec_of_path(record.path)
    return for_status(status, detail) if spec is None else gateway_for_status(status, detail, spec=spec)


def _response(answer: AnyErrorAnswer) -> Response[bytes]:
    body = msgspec.json.encode(answer.body)
    return Response(body, status_code=answer.status, headers=answer.headers, media_type="application/json")


EXCEPTION_HANDLERS: dict[int | type[Exception], Any] = {
    HTTPException: answer_http_exception,
    Exception: answer_error,
}
