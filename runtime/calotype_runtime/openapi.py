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
    ProgressEvent,
    QueuedEvent,
)
from calotype_adapters.pictures import PICTURES_MAX, ImageInputs
from calotype_adapters.vercel.types import (
    BASES,
    GatewayConfig,
    GatewayErrorResponse,
    GatewayImageRequest,
    GatewayImageResponse,
)
from calotype_provider.local.engine import EngineStats, Readiness
from calotype_runtime.attribute_docs import attribute_docs
from calotype_runtime.jobs.job import Job

Json = dict[str, Any]

REQUESTS = (ImageGenerationRequest, ImageEditRequest, ImageVariationRequest)
EVENTS = (QueuedEvent, ProgressEvent, PartialImageEvent, CompletedEvent, ErrorResponse)
ANSWERS = (ImagesResponse, *EVENTS, Model, ModelList, EngineStats, Readiness, Job)
GATEWAY = (GatewayImageRequest, GatewayImageResponse, GatewayConfig, GatewayErrorResponse)

ERRORS = {
    400: "Something in the request is wrong; `error.param` names the field.",
    401: "No key, or not a known one.",
    403: "The server is not open to this Host or Origin.",
    404: "There is no such model, picture, job or route.",
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
    507: "An answer by URL, or a job, was asked for, and the store of pictures, or of jobs, is full.",
}
GATEWAY_ERRORS = {
    400: "Something in the request is wrong; `error.param` names the field.",
    401: "No key, or not a known one.",
    403: "The server is not open to this Host or Origin.",
    404: "There is no such model or route.",
    405: "The route takes another method.",
    413: "The body is larger than the server reads.",
    415: "The body is of a kind that is not read here.",
    422: "The `Idempotency-Key` came with another body before.",
    424: "The engine, or a hosted model, failed and would again: clients try every 5xx again.",
    429: "Too many wait already: come back after `retry-after`.",
    499: "The caller left before the answer; the log has it, and nobody reads it.",
    502: "A hosted model behind this server failed; another try may succeed.",
    503: "The engine cannot paint now; another try may succeed.",
    507: "A job was asked for, and the store of jobs is full.",
}
GATEWAY_ERRORS_OF_EVERY_ROUTE = (400, 401, 403, 404, 405, 424)
ERRORS_OF_EVERY_ROUTE = (400, 401, 403, 404, 405, 500)
ERRORS_OF_FILES = (410, 416)
ERRORS_TO_TRY_AGAIN = (429, 503, 507)

RESPONSE_HEADERS = {
    "x-request-id": "The request's id: the caller's own where it was well formed.",
    "retry-after": "Whole seconds after which another try may succeed; less than a minute.",
    "retry-after-ms": "The same in milliseconds.",
    "x-should-retry": "`false` where another try would do the same work in vain.",
    "x-calotype-queue-position": "How many calls waited before this one when it came.",
    "x-calotype-queue-seconds": "About how long it would wait, as was thought then.",
    "location": "Where the job is.",
    "preference-applied": "`respond-async`.",
}

REQUEST_HEADERS: tuple[Json, ...] = (
    {
        "name": "X-Calotype-Strict",
        "description": "`true`: what cannot be done exactly as asked is refused, where it would be a warning.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    },
    {
        "name": "Idempotency-Key",
        "description": "The same key and body are answered once, for ten minutes; another body is a 422.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    },
    {
        "name": "X-Calotype-Keep",
        "description": "`true`, with a key: the work is finished though the caller has left.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    },
    {
        "name": "Prefer",
        "description": "`respond-async`: the answer is 202 and a job. `wait=10`: what the queue cannot begin in "
        "10 seconds is refused.",
        "schema": {"type": "string", "enum": ["respond-async", "wait=10", "wait=60"]},
    },
)

GATEWAY_HEADERS: tuple[Json, ...] = (
    {
        "name": "ai-model-id",
        "description": "The model, in any case.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    },
    {
        "name": "ai-image-model-specification-version",
        "description": "Of the client: it says which warnings it reads. Without it, what its path stands for.",
        "schema": {"type": "string", "enum": ["2", "3", "4"]},
    },
    *REQUEST_HEADERS,
)

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
    job_id = {**name, "name": "job_id", "description": "As the answer 202 gave it; of the caller's own jobs."}
    preview = {
        "name": "preview",
        "in": "query",
        "description": "`true`: with the newest preview, where the request asked for `partial_images`.",
        "schema": {"type": "boolean", "default": False},
    }
    return {
        "/v1/images/generations": {"post": _painting("Pictures from words.", ImageGenerationRequest)},
        "/v1/images/edits": {"post": _painting("Pictures from words and pictures.", ImageEditRequest)},
        "/v1/images/variations": {"post": _painting("Pictures like a picture.", ImageVariationRequest)},
        **{f"{base}/image-model": {"post": _gateway_painting()} for base in BASES},
        **{f"{base}/config": {"get": _gateway_config()} for base in BASES},
        "/v1/models": {"get": _reading("Every model that is served, with its card.", ModelList)},
        "/v1/models/{model_id}": {
            "get": _reading("One model, with its card.", Model, parameters=[model_id]),
        },
        "/v1/jobs/{job_id}": {
            "get": _reading("How a job stands; its result.", Job, parameters=[job_id, preview]),
            "delete": _reading("Stop a job. One that has ended stays as it is.", Job, parameters=[job_id]),
        },
        "/v1/jobs/{job_id}/events": {"get": _job_events(job_id)},
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
    events = {"oneOf": [_reference(event) for event in EVENTS]}
    description = "The pictures; with `stream: true`, events: pictures on the way, finished ones, a late failure."
    # OpenAPI 3.1 has no word for what a stream's events hold.
    content = {**_json(ImagesResponse), "text/event-stream": {"x-event-schema": events}}
    return {
        "summary": summary,
        "parameters": [{"in": "header", **header} for header in REQUEST_HEADERS],
        "requestBody": {
            "required": True,
            "content": {**_json(request), "multipart/form-data": {"schema": _form_schema(request)}},
        },
        "responses": {
            "200": _answer(description, content, "x-calotype-queue-position", "x-calotype-queue-seconds"),
            "202": _accepted(),
            **_errors(status for status in ERRORS if status not in ERRORS_OF_FILES),
        },
    }


def _gateway_painting() -> Json:
    description = "The pictures. An answer that had to begin before they were there may hold an error instead."
    content = {
        "application/json": {"schema": {"anyOf": [_reference(GatewayImageResponse), _reference(GatewayErrorResponse)]}}
    }
    return {
        "summary": "Pictures for the AI SDK's gateway client.",
        "parameters": [{"in": "header", **header} for header in GATEWAY_HEADERS],
        "requestBody": {"required": True, "content": _json(GatewayImageRequest)},
        "responses": {
            "200": _answer(description, content, "x-calotype-queue-position", "x-calotype-queue-seconds"),
            "202": _accepted(),
            **_gateway_errors(GATEWAY_ERRORS),
        },
    }


def _gateway_config() -> Json:
    return {
        "summary": "Every model that is served, for the AI SDK's gateway client.",
        "parameters": [],
        "responses": {
            "200": _answer("As it stands now.", _json(GatewayConfig)),
            **_gateway_errors(GATEWAY_ERRORS_OF_EVERY_ROUTE),
        },
    }


def _gateway_errors(statuses: Iterable[int]) -> Json:
    return {
        str(status): _answer(GATEWAY_ERRORS[status], _json(GatewayErrorResponse), again=status in ERRORS_TO_TRY_AGAIN)
        for status in statuses
    }


def _accepted() -> Json:
    answer = _answer("The job that was asked for by `Prefer: respond-async`; it is kept.", _json(Job))
    own = {name: {"$ref": f"#/components/headers/{name}"} for name in ("location", "preference-applied")}
    return {**answer, "headers": {**answer["headers"], **own}}


def _job_events(job_id: Json) -> Json:
    events = {"text/event-stream": {"x-event-schema": _reference(Job)}}
    return {
        "summary": "The job as it stands now, then whenever that changes, until its end.",
        "parameters": [job_id],
        "responses": {"200": _answer("Events, each with the whole job.", events), **_errors(ERRORS_OF_EVERY_ROUTE)},
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


def _answer(description: str, content: Json, *headers_besides: str, again: bool = False) -> Json:
    retry = ("retry-after", "retry-after-ms", "x-should-retry") if again else ()
    names = ["x-request-id", *headers_besides, *retry]
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
    return _schemas_of((*REQUESTS, *ANSWERS, *GATEWAY))


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
            property_ |= {"items": _BASE64} if property_.get("type") == "array" else _BASE64
        if field.name in docs:
            property_["description"] = docs[field.name]
