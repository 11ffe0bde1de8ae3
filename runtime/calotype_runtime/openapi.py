"""The OpenAPI document: every route, field, error and header, made of the very structs that requests are decoded into.

OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0); schemas are JSON Schema 2020-12, as msgspec writes it.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from typing import Any

import msgspec

from calotype_adapters.openai.types import (
    CompletedEvent,
    ErrorResponse,
    ImageEditRequest,
    ImageGenerationRequest,
    ImageRequest,
    ImagesResponse,
    ImageVariationRequest,
    Model,
    ModelList,
    PartialImageEvent,
)
from calotype_adapters.pictures import PICTURES_MAX, ImageInputs
from calotype_provider.local.engine import EngineStats, Readiness
from calotype_runtime.attribute_docs import attribute_docs

Json = dict[str, Any]

REQUESTS = (ImageGenerationRequest, ImageEditRequest, ImageVariationRequest)
ANSWERS = (ImagesResponse, PartialImageEvent, CompletedEvent, Model, ModelList, ErrorResponse, EngineStats, Readiness)

ERRORS = {
    400: "Something in the request is wrong; `error.param` names the field.",
    401: "No key, or not a known one.",
    403: "The server is not open to this Host or Origin.",
    404: "There is no such model, picture or route.",
    405: "The route takes another method.",
    408: "The body did not arrive in time.",
    410: "The picture's URL is genuine, and its time is over.",
    413: "The body is larger than the server reads.",
    415: "The body is of a kind that is not read here.",
    416: "The range begins behind the end of the picture.",
    422: "The `Idempotency-Key` came with another body before.",
    429: "Too many wait already: come back after `retry-after`.",
    499: "The caller left before the answer; the log has it, and nobody reads it.",
    500: "The engine failed, and would again.",
    502: "A hosted model behind this server failed.",
    503: "The engine cannot paint now; another try may succeed.",
    507: "An answer by URL was asked for, and the store of pictures is full.",
}
ERRORS_OF_EVERY_ROUTE = (400, 401, 403, 404, 405, 500)
ERRORS_OF_FILES = (410, 416)
ERRORS_TO_TRY_AGAIN = (429, 503, 507)

RESPONSE_HEADERS = {
    "x-request-id": "The request's id: the caller's own where it was well formed.",
    "retry-after": "Whole seconds after which another try may succeed; less than a minute.",
    "retry-after-ms": "The same in milliseconds.",
    "x-should-retry": "`false` where another try would do the same work in vain.",
}

_PICTURE = {"type": "string", "description": "Base64, a data URI, or an http(s) URL."}
_FILE = {"type": "string", "format": "binary"}
_BASE64 = {"type": "string", "contentEncoding": "base64"}


def openapi_document() -> Json:
    """The whole document. It takes some milliseconds: make it once."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Calotype",
            "version": importlib.metadata.version("calotype"),
            "description": "Pictures from one shared local engine, in OpenAI's words.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "headers": {
                name: {"description": text, "schema": {"type": "string"}} for name, text in RESPONSE_HEADERS.items()
            },
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        # Where the settings have no keys, none is needed.
        "security": [{}, {"key": []}],
    }


def _paths() -> Json:
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    model_id = {**name, "name": "model_id", "description": "In any case; it may contain slashes."}
    return {
        "/v1/images/generations": {"post": _painting("Pictures from words.", ImageGenerationRequest)},
        "/v1/images/edits": {"post": _painting("Pictures from words and pictures.", ImageEditRequest)},
        "/v1/images/variations": {"post": _painting("Pictures like a picture.", ImageVariationRequest)},
        "/v1/models": {"get": _reading("Every model that is served, with its card.", ModelList)},
        "/v1/models/{model_id}": {
            "get": _reading("One model, with its card.", Model, parameters=[model_id]),
        },
        "/v1/engine": {"get": _reading("How the engine stands.", EngineStats)},
        "/files/{name}": {"get": _file_route(name)},
        "/health": {"get": _reading("Whether the server is alive.", None)},
        "/ready": {
            "get": _reading("Whether the default model can paint.", Readiness)
            | {"responses": _answers(Readiness) | {"503": _answer("Not yet.", _json(Readiness))}}
        },
        "/openapi.json": {"get": _reading("This document.", None)},
    }


def _painting(summary: str, request: type[ImageRequest]) -> Json:
    events = {"oneOf": [_reference(PartialImageEvent), _reference(CompletedEvent), _reference(ErrorResponse)]}
    description = "The pictures; with `stream: true`, events: pictures on the way, finished ones, a late failure."
    # OpenAPI 3.1 has no word for what a stream's events hold.
    content = {**_json(ImagesResponse), "text/event-stream": {"x-event-schema": events}}
    strict = {
        "name": "X-Calotype-Strict",
        "in": "header",
        "description": "`true`: what cannot be done exactly as asked is refused, where it would be a warning.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    }
    return {
        "summary": summary,
        "parameters": [strict],
        "requestBody": {
            "required": True,
            "content": {**_json(request), "multipart/form-data": {"schema": _form_schema(request)}},
        },
        "responses": {
            "200": _answer(description, content),
            **_errors(status for status in ERRORS if status not in ERRORS_OF_FILES),
        },
    }


def _reading(summary: str, answer: type | None, *, parameters: Iterable[Json] = ()) -> Json:
    return {"summary": summary, "parameters": list(parameters), "responses": _answers(answer)}


def _file_route(name: Json) -> Json:
    query = [
        {"name": key, "in": "query", "description": text, "schema": {"type": "string"}}
        for key, text in (("expires", "As the answer's URL has it."), ("signature", "As the answer's URL has it."))
    ]
    picture = {f"image/{kind}": {"schema": _FILE} for kind in ("png", "jpeg", "webp")}
    return {
        "summary": "A picture by the URL that an answer gave. Needs no key.",
        "security": [{}],
        "parameters": [name, *query],
        "responses": {
            "200": _answer("The picture.", picture),
            "206": _answer("The part of it that `Range` asked for.", picture),
            "304": _answer("The caller has it already, by `If-None-Match`.", {}),
            **_errors((*ERRORS_OF_EVERY_ROUTE, *ERRORS_OF_FILES, 503)),
        },
    }


def _answers(answer: type | None) -> Json:
    content = {"application/json": {"schema": {"type": "object"}}} if answer is None else _json(answer)
    return {"200": _answer("As it stands now.", content), **_errors(ERRORS_OF_EVERY_ROUTE)}


def _errors(statuses: Iterable[int]) -> Json:
    return {
        str(status): _answer(ERRORS[status], _json(ErrorResponse), again=status in ERRORS_TO_TRY_AGAIN)
        for status in statuses
    }


def _answer(description: str, content: Json, *, again: bool = False) -> Json:
    names = ["x-request-id", *(("retry-after", "retry-after-ms", "x-should-retry") if again else ())]
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return {"description": description, "headers": headers, "content": content}


def _json(type_: type) -> Json:
    return {"application/json": {"schema": _reference(type_)}}


def _reference(type_: type) -> Json:
    return {"$ref": f"#/components/schemas/{type_.__name__}"}


def _form_schema(request: type[ImageRequest]) -> Json:
    """The same fields as texts; pictures as files, several under one name."""
    schema: Json = _schemas_of((request,))[request.__name__]
    pictures = [field.name for field in msgspec.structs.fields(request) if ImageInputs in _types_in(field.type)]
    files = {name: {"anyOf": [_FILE, {"type": "array", "items": _FILE, "maxItems": PICTURES_MAX}]} for name in pictures}
    described = {
        name: {**files.get(name, {"type": "string"}), "description": property_.get("description", "")}
        for name, property_ in schema["properties"].items()
    }
    return {**schema, "properties": described, "title": f"{request.__name__}Form"}


def _types_in(annotation: Any) -> tuple[Any, ...]:
    return (annotation, *getattr(annotation, "__args__", ()))


def _schemas() -> Json:
    return _schemas_of((*REQUESTS, *ANSWERS))


def _schemas_of(types: tuple[type, ...]) -> Json:
    _, schemas = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}", schema_hook=_schema_of_inputs
    )
    for struct in _structs_in(types):
        _describe(schemas[struct.__name__], struct)
        if issubclass(struct, ImageEditRequest | ImageVariationRequest):
            schemas[struct.__name__]["anyOf"] = [{"required": ["image"]}, {"required": ["input_images"]}]
    return schemas


def _schema_of_inputs(type_: type) -> Json:
    assert type_ is ImageInputs, f"no schema for {type_}"
    return {"anyOf": [_PICTURE, {"type": "array", "items": _PICTURE, "minItems": 1, "maxItems": PICTURES_MAX}]}


def _structs_in(types: Iterable[type]) -> Iterable[type[msgspec.Struct]]:
    """Those types, and all that their fields lead to."""
    seen: dict[type[msgspec.Struct], None] = {}
    waiting: list[Any] = list(types)
    while waiting:
        type_ = waiting.pop()
        if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
            if type_ not in seen:
                seen[type_] = None
                waiting += [field.type for field in msgspec.structs.fields(type_)]
        else:
            waiting += getattr(type_, "__args__", ())
    return seen


def _describe(schema: Json, struct: type[msgspec.Struct]) -> None:
    docs = attribute_docs(struct)
    for field in msgspec.structs.fields(struct):
        property_ = schema["properties"][field.encode_name]
        if msgspec.Raw in _types_in(field.type):
            property_ |= _BASE64
        if field.name in docs:
            property_["description"] = docs[field.name]
