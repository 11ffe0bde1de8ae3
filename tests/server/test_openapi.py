"""The OpenAPI document is whole, and the server does what it says, whatever is sent."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from server_process import ServerProcess

from calotype_adapters.openai.errors import to_error
from calotype_provider import errors
from calotype_provider.errors import CalotypeError
from calotype_provider.png import encode_png
from calotype_runtime.app import ROUTES
from calotype_runtime.openapi import ERRORS, openapi_document

DOCUMENT = openapi_document()


def test_the_server_gives_the_document(server: ServerProcess) -> None:
    assert server.get("/openapi.json") == (200, json.loads(json.dumps(DOCUMENT)))


def test_every_route_is_in_the_document_and_no_other() -> None:
    served = {
        (path.replace(":str", "").replace(":path", ""), method.lower())
        for handler in ROUTES
        for path in handler.paths
        for method in handler.http_methods - {"OPTIONS"}
    }
    described = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == served


def test_every_field_is_described() -> None:
    silent = [
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, property_ in schema["properties"].items()
        if "description" not in property_ and field != "type"
    ]
    assert silent == []


def test_every_status_of_an_error_is_in_the_document() -> None:
    def kinds(base: type[CalotypeError]) -> list[type[CalotypeError]]:
        return [base, *(kind for child in base.__subclasses__() for kind in kinds(child))]

    examples: dict[type[CalotypeError], dict[str, Any]] = {
        errors.InvalidCallError: {"parameter": "a"},
        errors.RequestTooLargeError: {"bytes_max": 1},
        errors.ModelBusyError: {"retry_after_seconds": 1},
        errors.StorageFullError: {"retry_after_seconds": 1},
        errors.APICallError: {"url": "a"},
        errors.RangeNotSatisfiableError: {"bytes_total": 1},
    }
    for kind in kinds(CalotypeError):
        if kind.__module__ == errors.__name__:
            texts = {
                errors.RequestTooLargeError: [],
                errors.RangeNotSatisfiableError: [],
                errors.ModelLoadError: ["a", "b"],
            }.get(kind, ["a"])
            more = next((examples[base] for base in kind.__mro__ if base in examples), {})
            assert to_error(kind(*texts, **more)).status in ERRORS, kind


SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
EXAMPLES_MAX = 200
PICTURE = base64.b64encode(encode_png(np.zeros((64, 64, 3), np.uint8))).decode()
LIKELY = {"prompt": "a red fox", "model": "calotype/tintype", "image": PICTURE, "mask": PICTURE, "strength": 1.0}
"""Instead of texts that are no pictures, so that some requests are painted."""
COMMON = {*LIKELY, "num_inference_steps", "n", "size", "quality", "stream", "output_format", "response_format"}
SAID = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


# One handler serves the bases of all versions of the gateway.
PAINTING = [
    path for path, methods in DOCUMENT["paths"].items() if "post" in methods and path[:7] not in ("/v1/ai/", "/v3/ai/")
]


def make_small(case: Any, *, likely: bool) -> None:
    """What is asked of the device is kept small."""
    if "ai-model-id" in (case.headers or {}):
        few = {"calotype": {"numInferenceSteps": 2}}
        case.body = {**case.body, "n": 1, "size": "128x128", "providerOptions": few}
        if likely:
            case.headers["ai-model-id"] = "calotype/tintype"
            case.body |= {"prompt": "a red fox", "files": None, "mask": None, "aspectRatio": None}
        return
    case.body = {**case.body, "num_inference_steps": 2, "n": 1, "size": "128x128"}
    if likely and case.media_type == "application/json":
        case.body = {name: LIKELY.get(name, value) for name, value in case.body.items() if name in COMMON}


@pytest.mark.parametrize("path", PAINTING)
def test_no_request_for_pictures_is_answered_500_and_each_answer_is_as_described(
    server: ServerProcess, path: str
) -> None:
    statuses = set()

    @settings(max_examples=EXAMPLES_MAX, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=SCHEMA[path]["POST"].as_strategy(), likely=st.booleans())
    def ask(case: Any, likely: bool) -> None:
        if isinstance(case.body, dict):
            make_small(case, likely=likely)
        response = case.call(base_url=server.url)
        case.validate_response(response, checks=SAID)
        statuses.add(response.status_code)

    ask()
    assert statuses >= {200, 400}
