"""One worker for all tests that do not break it, and the folders that it loads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from engine_requests import CHROMA, FLUX, FLUX_SCHNELL, TINTYPE, TINTYPE_FOLDER

from calotype_provider.local.engine import EngineSettings
from calotype_provider.local.local_provider import LocalProvider
from calotype_provider.local.messages import LoadModel
from calotype_provider.local.subprocess_engine import SubprocessEngine

TESTS = Path(__file__).parent.parent

# Not a test module by its name: without this its assertions would not say what they compared.
pytest.register_assert_rewrite("local.engine_conformance")


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Made by a process of its own: this one has no need of torch."""
    parent = tmp_path_factory.mktemp("models")
    script = (
        "import sys; from pathlib import Path; from tiny_pipelines import save_tiny_chroma, save_tiny_flux\n"
        "parent = Path(sys.argv[1])\n"
        "save_tiny_flux(parent / 'flux'); save_tiny_flux(parent / 'schnell', guidance_embeds=False)\n"
        "save_tiny_chroma(parent / 'chroma')"
    )
    subprocess.run([sys.executable, "-c", script, parent], check=True, cwd=TESTS)
    return {FLUX: parent / "flux", FLUX_SCHNELL: parent / "schnell", CHROMA: parent / "chroma", TINTYPE: TINTYPE_FOLDER}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def provider(folders: dict[str, Path]) -> AsyncIterator[LocalProvider]:
    engine = SubprocessEngine(EngineSettings(threads=1, restarts_max=10))
    provider = LocalProvider({TINTYPE: folders[TINTYPE]}, engine, stop_seconds_max=0)
    for model_id in (FLUX, FLUX_SCHNELL, CHROMA):
        # Not through the provider, which warms up at the card's default size: a megapixel.
        engine.load(LoadModel(model_id=model_id, folder=str(folders[model_id])))
    engine.start()
    yield provider
    await provider.aclose()


@pytest.fixture(scope="session")
def engine(provider: LocalProvider) -> SubprocessEngine:
    assert isinstance(provider.engine, SubprocessEngine)
    return provider.engine
