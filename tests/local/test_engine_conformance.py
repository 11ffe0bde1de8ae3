"""The engine whose device belongs to a worker process, held against what every engine does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from engine_requests import TINTYPE_FOLDER
from local.engine_conformance import *  # noqa: F403  # Every test of the suite is a test of this module.
from local.engine_conformance import MODEL, MakeEngine

from calotype_provider.local.engine import Engine, EngineSettings
from calotype_provider.local.messages import LoadModel
from calotype_provider.local.subprocess_engine import SubprocessEngine


@pytest.fixture(scope="session")
def make_engine() -> MakeEngine:
    @asynccontextmanager
    async def make(*, requests_max: int = 64) -> AsyncIterator[Engine]:
        engine = SubprocessEngine(EngineSettings(threads=1, requests_max=requests_max))
        engine.load(LoadModel(model_id=MODEL, folder=str(TINTYPE_FOLDER)))
        engine.start()
        try:
            yield engine
        finally:
            await engine.aclose(0)

    return make
