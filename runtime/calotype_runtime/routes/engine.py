"""How the engine stands."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from calotype_provider.local.engine import EngineStats
from calotype_runtime.image_runtime import ImageRuntime


@get("/v1/engine", sync_to_thread=False)
def get_engine(runtime: NamedDependency[ImageRuntime]) -> EngineStats:
    """Models and their bytes, what waits and runs, forwards and how many pictures shared them, restarts, cache hits."""
    return runtime.engine_stats()
