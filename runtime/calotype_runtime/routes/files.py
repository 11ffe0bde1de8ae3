"""Pictures by URL: signed, expiring, no key needed."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from calotype_runtime.image_runtime import ImageRuntime


@get("/files/{name:str}", sync_to_thread=False)
def get_file(
    name: FromPath[str],
    runtime: NamedDependency[ImageRuntime],
    expires: FromQuery[str] = "",
    signature: FromQuery[str] = "",
) -> Response[bytes]:
    """The picture under a name that an answer gave. 404 when the signature is wrong or the time is up."""
    file = runtime.store.get(name, expires=expires, signature=signature)
    return Response(
        file.data,
        media_type=file.media_type,
        headers={"cache-control": "private, immutable", "x-content-type-options": "nosniff"},
    )
