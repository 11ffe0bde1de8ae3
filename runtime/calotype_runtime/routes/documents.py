"""What the server says of itself to tools that read OpenAPI."""

from __future__ import annotations

from functools import cache

import msgspec
from litestar import Response, get

from calotype_runtime.openapi import openapi_document


@get("/openapi.json", sync_to_thread=True)
def get_openapi() -> Response[bytes]:
    """Every route, field, error and header, in OpenAPI 3.1."""
    return Response(_document(), media_type="application/json")


@cache
def _document() -> bytes:
    return msgspec.json.encode(openapi_document())
