"""Is the server alive, and can its default model paint."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency

from calotype_provider.local.engine import Readiness
from calotype_runtime.image_runtime import ImageRuntime


@get("/health", sync_to_thread=False)
def health() -> dict[str, str]:
    """Alive: answered as soon as the server listens, whatever the engine does."""
    return {"status": "ok"}


@get("/ready", sync_to_thread=False)
def ready(runtime: NamedDependency[ImageRuntime]) -> Response[Readiness]:
    """200 when the default model can paint, 503 before, with how far its loading is."""
    readiness = runtime.readiness()
    return Response(readiness, status_code=200 if readiness.state == "ready" else 503)
