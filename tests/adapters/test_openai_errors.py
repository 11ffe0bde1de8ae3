"""Every error has a status, a type, a code, and says whether another try is in vain."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from calotype_adapters.openai.errors import DETAIL_CHARACTERS_MAX, RETRY_WAIT_SECONDS_MAX, for_status, to_error
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

FALSE = {"x-should-retry": "false"}
SOON = {"retry-after": "2", "retry-after-ms": "2000"}
URL = "https://api.example"

ANSWERS: list[tuple[CalotypeError, int, str, str | None, str, dict[str, str]]] = [
    (InvalidCallError("n", parameter="n"), 400, "invalid_request_error", "n", "invalid_parameter", {}),
    (MalformedRequestError("m"), 400, "invalid_request_error", None, "malformed_request", {}),
    (AuthenticationError("m"), 401, "invalid_request_error", None, "invalid_api_key", {"www-authenticate": "Bearer"}),
    (ForbiddenError("m"), 403, "invalid_request_error", None, "forbidden", {}),
    (NoSuchModelError("m"), 404, "invalid_request_error", "model", "model_not_found", {}),
    (NoSuchFileError("m"), 404, "invalid_request_error", None, "file_not_found", {}),
    (FileExpiredError("m"), 410, "invalid_request_error", None, "file_expired", {}),
    (
        RangeNotSatisfiableError(bytes_total=9),
        416,
        "invalid_request_error",
        None,
        "range_not_satisfiable",
        {"content-range": "bytes */9"},
    ),
    (
        DeadlineError("m", retry_after_seconds=2),
        429,
        "rate_limit_error",
        None,
        "deadline",
        {"retry-after": "2", "retry-after-ms": "2000", "x-should-retry": "true"},
    ),
    (StorageError("m"), 500, "server_error", None, "storage_failed", FALSE),
    (StorageError("m", is_retryable=True), 503, "server_error", None, "storage_failed", SOON),
    (NoSuchJobError("j"), 404, "invalid_request_error", None, "job_not_found", {}),
    (NoSuchRequestError("r"), 404, "invalid_request_error", None, "request_not_found", {}),
    (IdempotencyKeyReusedError("k"), 422, "invalid_request_error", None, "idempotency_key_reused", {}),
    (RequestTooLargeError(bytes_max=9), 413, "invalid_request_error", None, "request_too_large", {}),
    (UnsupportedMediaTypeError("m"), 415, "invalid_request_error", None, "unsupported_media_type", {}),
    (
        ModelBusyError("m", retry_after_seconds=1.2),
        429,
        "rate_limit_error",
        None,
        "model_busy",
        {"retry-after": "2", "retry-after-ms": "1200"},
    ),
    (
        StorageFullError("m", retry_after_seconds=RETRY_WAIT_SECONDS_MAX),
        507,
        "server_error",
        None,
        "storage_full",
        {"retry-after": "60", "retry-after-ms": "60000"},
    ),
    (
        StorageFullError("m", retry_after_seconds=RETRY_WAIT_SECONDS_MAX + 1),
        507,
        "server_error",
        None,
        "storage_full",
        {"retry-after": "61", "retry-after-ms": "61000", **FALSE},
    ),
    (ModelLoadError("m", "no weights"), 500, "server_error", None, "model_load_failed", FALSE),
    (EngineError("m"), 500, "server_error", None, "engine_error", FALSE),
    (EngineError("m", is_retryable=True), 503, "server_error", None, "engine_error", SOON),
    (NoImageGeneratedError("m"), 500, "server_error", None, "no_image_generated", FALSE),
    (CallerLeftError("m"), 499, "invalid_request_error", None, "caller_left", {}),
    (RequestTimeoutError("m"), 408, "invalid_request_error", None, "request_timeout", FALSE),
    (APICallError("m", url=URL), 502, "server_error", None, "api_call_failed", {}),
    (APICallError("m", url=URL, status_code=400), 502, "server_error", None, "api_call_failed", FALSE),
    (ConfigError("m"), 500, "server_error", None, "internal_error", FALSE),
    (CalotypeError("m"), 500, "server_error", None, "internal_error", FALSE),
]


@pytest.mark.parametrize(("error", "status", "kind", "param", "code", "headers"), ANSWERS)
def test_an_error_in_openais_words(
    error: CalotypeError, status: int, kind: str, param: str | None, code: str, headers: dict[str, str]
) -> None:
    answer = to_error(error)
    assert answer.status == status
    assert answer.headers == headers
    assert msgspec.json.decode(msgspec.json.encode(answer.body)) == {
        "error": {"message": str(error), "type": kind, "param": param, "code": code}
    }


def test_every_error_of_the_tree_is_in_the_table() -> None:
    assert {type(error) for error, *_ in ANSWERS} == set(_tree(CalotypeError))


def _tree(root: type[CalotypeError]) -> Iterator[type[CalotypeError]]:
    if root.__module__.startswith("calotype_provider"):
        yield root
    for child in root.__subclasses__():
        yield from _tree(child)


def test_a_plug_ins_own_error_is_answered_as_its_parent() -> None:
    class TooManyCats(InvalidCallError):
        pass

    assert to_error(TooManyCats("cats", parameter="prompt")).status == 400


@pytest.mark.parametrize(
    ("abstract", "wire"), [("guidance_scale", "guidance"), ("images", "image"), ("mask", "mask"), ("size", "size")]
)
def test_a_parameter_is_named_as_this_wire_names_it(abstract: str, wire: str) -> None:
    assert to_error(InvalidCallError("wrong", parameter=abstract)).body.error.param == wire


@pytest.mark.parametrize(
    ("seconds", "headers"),
    [
        (0.0, {"retry-after": "1", "retry-after-ms": "1"}),
        (-5.0, {"retry-after": "1", "retry-after-ms": "1"}),
        (0.2, {"retry-after": "1", "retry-after-ms": "200"}),
        (2.0, {"retry-after": "2", "retry-after-ms": "2000"}),
    ],
)
def test_a_wait_is_never_nothing(seconds: float, headers: dict[str, str]) -> None:
    assert to_error(ModelBusyError("busy", retry_after_seconds=seconds)).headers == headers


@pytest.mark.parametrize(
    ("status", "kind", "code", "headers"),
    [
        (404, "invalid_request_error", "not_found", {}),
        (405, "invalid_request_error", "method_not_allowed", {}),
        (413, "invalid_request_error", "request_too_large", {}),
        (415, "invalid_request_error", "unsupported_media_type", {}),
        (418, "invalid_request_error", None, {}),
        (500, "server_error", "internal_error", FALSE),
        (503, "server_error", "internal_error", FALSE),
    ],
)
def test_the_frameworks_own_failures(status: int, kind: str, code: str | None, headers: dict[str, str]) -> None:
    answer = for_status(status, "x" * 10_000)
    assert answer.status == status
    assert answer.headers == headers
    assert answer.body.error.type == kind
    assert answer.body.error.code == code
    assert len(answer.body.error.message) == DETAIL_CHARACTERS_MAX
