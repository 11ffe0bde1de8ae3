"""Every error in the gateway's words: the type is the client's class, the status says whether it tries again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from calotype_adapters.vercel.errors import (
    DETAIL_CHARACTERS_MAX,
    IN_VAIN,
    RETRY_WAIT_SECONDS_MAX,
    for_status,
    to_error,
)
from calotype_adapters.vercel.types import SpecVersion
from calotype_provider.errors import (
    APICallError,
    AuthenticationError,
    CallerLeftError,
    CalotypeError,
    ConfigError,
    DeadlineError,
    EngineError,
    FileExpiredError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    InvalidCallError,
    MalformedRequestError,
    ModelBusyError,
    ModelLoadError,
    NoImageGeneratedError,
    NoSuchFileError,
    NoSuchJobError,
    NoSuchModelError,
    NoSuchRequestError,
    RangeNotSatisfiableError,
    RequestTimeoutError,
    RequestTooLargeError,
    StorageError,
    StorageFullError,
    UnsupportedMediaTypeError,
)
from calotype_runtime.openapi import GATEWAY_ERRORS

URL = "https://api.example"
INVALID, INTERNAL, LIMITED = "invalid_request_error", "internal_server_error", "rate_limit_exceeded"

ANSWERS: list[tuple[CalotypeError, int, str, str, Any]] = [
    (InvalidCallError("n", parameter="n"), 400, INVALID, "invalid_parameter", "n"),
    (MalformedRequestError("m"), 400, INVALID, "malformed_request", None),
    (AuthenticationError("m"), 401, "authentication_error", "invalid_api_key", None),
    (ForbiddenError("m"), 403, "forbidden", "forbidden", None),
    (NoSuchModelError("m"), 404, "model_not_found", "model_not_found", {"modelId": "m"}),
    (NoSuchFileError("m"), 404, INVALID, "not_found", None),
    (FileExpiredError("m"), 404, INVALID, "not_found", None),
    (RangeNotSatisfiableError(bytes_total=9), 404, INVALID, "not_found", None),
    (NoSuchJobError("j"), 404, INVALID, "not_found", None),
    (NoSuchRequestError("r"), 404, INVALID, "not_found", None),
    (IdempotencyKeyReusedError("k"), 422, INVALID, "idempotency_key_reused", None),
    (RequestTooLargeError(bytes_max=9), 413, INVALID, "request_too_large", None),
    (RequestTimeoutError("m"), 400, INVALID, "request_timeout", None),
    (UnsupportedMediaTypeError("m"), 415, INVALID, "unsupported_media_type", None),
    (ModelBusyError("m", retry_after_seconds=1.2), 429, LIMITED, "model_busy", None),
    (DeadlineError("m", retry_after_seconds=2), 429, LIMITED, "deadline", None),
    (StorageFullError("m", retry_after_seconds=RETRY_WAIT_SECONDS_MAX), 507, INTERNAL, "storage_full", None),
    (StorageFullError("m", retry_after_seconds=RETRY_WAIT_SECONDS_MAX + 1), IN_VAIN, INTERNAL, "storage_full", None),
    (StorageError("m"), IN_VAIN, INTERNAL, "storage_failed", None),
    (StorageError("m", is_retryable=True), 503, INTERNAL, "storage_failed", None),
    (ModelLoadError("m", "no weights"), IN_VAIN, INTERNAL, "model_load_failed", None),
    (EngineError("m"), IN_VAIN, INTERNAL, "engine_error", None),
    (EngineError("m", is_retryable=True), 503, INTERNAL, "engine_error", None),
    (NoImageGeneratedError("m"), IN_VAIN, INTERNAL, "no_image_generated", None),
    (CallerLeftError("m"), 499, INVALID, "caller_left", None),
    (APICallError("m", url=URL), 502, "failed_dependency", "api_call_failed", None),
    (APICallError("m", url=URL, status_code=400), IN_VAIN, "failed_dependency", "api_call_failed", None),
    (ConfigError("m"), IN_VAIN, INTERNAL, "internal_error", None),
    (CalotypeError("m"), IN_VAIN, INTERNAL, "internal_error", None),
]


@pytest.mark.parametrize(("error", "status", "kind", "code", "param"), ANSWERS)
def test_an_error_in_the_gateways_words(error: CalotypeError, status: int, kind: str, code: str, param: Any) -> None:
    answer = to_error(error)
    told = {"message": str(error), "type": kind, "code": code} | ({} if param is None else {"param": param})
    assert msgspec.json.decode(msgspec.json.encode(answer.body)) == {"error": told}
    assert answer.status == status


@pytest.mark.parametrize("error", [error for error, *_ in ANSWERS])
def test_clients_try_again_what_may_succeed_and_nothing_else(error: CalotypeError) -> None:
    # As @ai-sdk/gateway has it.
    tried_again = to_error(error).status in (408, 409, 429) or to_error(error).status >= 500
    gives_up = isinstance(error, StorageFullError) and error.retry_after_seconds > RETRY_WAIT_SECONDS_MAX
    assert tried_again == (error.is_retryable and not gives_up)


def test_every_error_of_the_tree_is_in_the_table() -> None:
    def tree(root: type[CalotypeError]) -> Iterator[type[CalotypeError]]:
        if root.__module__.startswith("calotype_provider"):
            yield root
        for child in root.__subclasses__():
            yield from tree(child)

    assert {type(error) for error, *_ in ANSWERS} == set(tree(CalotypeError))


def test_a_busy_model_says_when_to_come_back() -> None:
    headers = {"retry-after": "2", "retry-after-ms": "1200"}
    assert to_error(ModelBusyError("m", retry_after_seconds=1.2)).headers == headers
    assert to_error(ModelBusyError("m", retry_after_seconds=-1)).headers["retry-after-ms"] == "1"
    assert to_error(EngineError("m", is_retryable=True)).headers == {"retry-after": "2", "retry-after-ms": "2000"}
    assert to_error(AuthenticationError("m")).headers == {"www-authenticate": "Bearer"}


@pytest.mark.parametrize(
    ("abstract", "wire"),
    [
        ("images", "files"),
        ("aspect_ratio", "aspectRatio"),
        ("guidance_scale", "guidance"),
        ("num_inference_steps", "numInferenceSteps"),
        ("provider_options", "providerOptions"),
        ("ai-model-id", "ai-model-id"),
        ("X-Calotype-Strict", "X-Calotype-Strict"),
        ("not_a_field", "not_a_field"),
    ],
)
def test_a_parameter_is_named_as_this_wire_names_it(abstract: str, wire: str) -> None:
    assert to_error(InvalidCallError("wrong", parameter=abstract)).body.error.param == wire


@pytest.mark.parametrize(
    ("status", "spec", "answered", "kind"),
    [
        (404, "v4", 404, "not_found"),
        (404, "v3", 404, INVALID),
        (404, "v2", 404, INVALID),
        (405, "v4", 405, INVALID),
        (400, "v4", 400, INVALID),
        (409, "v4", IN_VAIN, INTERNAL),
        (500, "v4", IN_VAIN, INTERNAL),
        (503, "v3", IN_VAIN, INTERNAL),
    ],
)
def test_the_frameworks_own_failures(status: int, spec: SpecVersion, answered: int, kind: str) -> None:
    answer = for_status(status, "x" * 10_000, spec=spec)
    assert (answer.status, answer.body.error.type) == (answered, kind)
    assert len(answer.body.error.message) <= DETAIL_CHARACTERS_MAX


def test_every_status_is_in_the_description_of_the_routes() -> None:
    assert {to_error(error).status for error, *_ in ANSWERS} <= set(GATEWAY_ERRORS)
