"""What an engine meets that has a worker process. What every engine does is in engine_conformance.py."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from engine_requests import FLUX, first, is_alive, paint, painted, until

from calotype_provider.errors import EngineError, ModelLoadError
from calotype_provider.local.engine import EngineSettings, Queued, Readiness
from calotype_provider.local.local_provider import LocalProvider
from calotype_provider.local.messages import LoadModel, Step
from calotype_provider.local.subprocess_engine import SubprocessEngine

pytestmark = pytest.mark.asyncio(loop_scope="session")

FAKE_WORKER = Path(__file__).parent / "fake_worker.py"


@asynccontextmanager
async def engine_with(kind: str, settings: EngineSettings | None = None) -> AsyncIterator[SubprocessEngine]:
    """An engine whose worker misbehaves."""
    engine = SubprocessEngine(settings, worker_command=(sys.executable, str(FAKE_WORKER), kind))
    engine.start()
    try:
        yield engine
    finally:
        await engine.aclose(0)


def kill_worker(engine: SubprocessEngine) -> int:
    pid = engine.stats().worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


async def test_a_killed_worker_loses_no_picture(engine: SubprocessEngine) -> None:
    seeds = range(4)
    undisturbed = [(await painted(engine.submit(paint(seed=seed, steps=100)))).data for seed in seeds]
    restarts = engine.stats().restarts
    streams = [engine.submit(paint(seed=seed, steps=100)) for seed in seeds]
    await first(streams[1], Step)
    killed = kill_worker(engine)
    assert [(await painted(stream)).data for stream in streams] == undisturbed
    assert engine.stats().restarts == restarts + 1
    assert engine.stats().worker_pid != killed


async def test_a_worker_that_dies_four_times_is_given_up() -> None:
    async with engine_with("silent") as engine:
        running, waiting = engine.submit(paint()), engine.submit(paint())
        pid = None
        for _ in range(4):
            await until(lambda pid=pid: engine.stats().worker_pid not in (None, pid))  # type: ignore[misc]  # bound early
            pid = kill_worker(engine)
        for stream in (running, waiting):
            with pytest.raises(EngineError, match="again and again"):
                await painted(stream)
        assert engine.stats().state == "failed"
        assert engine.stats().restarts == 3
        assert engine.stats().waiting == 0
        with pytest.raises(EngineError, match="again and again"):
            engine.submit(paint())
        with pytest.raises(EngineError, match="again and again"):
            await engine.ready(FLUX)


async def test_restarts_long_ago_do_not_count() -> None:
    async with engine_with("silent", EngineSettings(restarts_max=1, restart_window_seconds=0)) as engine:
        for restarts in range(1, 4):
            await until(lambda: engine.stats().worker_pid is not None)
            kill_worker(engine)
            await until(lambda restarts=restarts: engine.stats().restarts == restarts)  # type: ignore[misc]  # bound early
        assert engine.stats().state != "failed"


@pytest.mark.parametrize("kind", ["endless frame", "torn frame"])
async def test_a_bad_frame_ends_the_worker_and_not_the_server(kind: str) -> None:
    async with engine_with(kind) as engine:
        with pytest.raises(EngineError, match="again and again"):
            await painted(engine.submit(paint()))


async def test_a_worker_that_does_not_start_in_time_is_given_up() -> None:
    async with engine_with("mute", EngineSettings(start_seconds_max=0.05, restarts_max=1)) as engine:
        with pytest.raises(EngineError, match="again and again"):
            await painted(engine.submit(paint()))


async def test_a_model_that_does_not_load_in_time_has_failed() -> None:
    async with engine_with("hangs when loading", EngineSettings(load_seconds_max=0.05)) as engine:
        engine.load(LoadModel(model_id=FLUX, folder="/nowhere"))
        with pytest.raises(ModelLoadError, match=r"longer than 0\.05 seconds"):
            await engine.ready(FLUX)
        await until(lambda: engine.stats().restarts == 1)
        assert engine.stats().models[0].state == "failed"


async def test_a_worker_that_cannot_be_started_is_given_up() -> None:
    engine = SubprocessEngine(worker_command=["/no/such/python"])
    engine.start()
    with pytest.raises(EngineError, match="again and again"):
        await painted(engine.submit(paint()))
    await engine.aclose(0)


async def test_starting_returns_at_once_and_pictures_wait_for_the_worker() -> None:
    async with engine_with("silent") as engine:
        request = paint()
        stream = engine.submit(request)
        assert engine.stats().state == "starting"
        assert await anext(stream) == Queued(request.request_id, 0)
        await until(lambda: engine.stats().state == "ready")
        assert engine.stats().waiting == 1


async def test_readiness_is_of_the_model_asked_for() -> None:
    async with engine_with("hangs when loading") as engine:
        engine.load(LoadModel(model_id=FLUX, folder="/nowhere"))
        assert engine.stats().readiness(FLUX) == Readiness("starting", FLUX, 0.0)
        await until(lambda: engine.stats().models[0].state == "loading")
        assert engine.stats().readiness(FLUX) == Readiness("loading", FLUX, 0.0)
        assert engine.stats().readiness("nobody/knows") == Readiness("failed", "nobody/knows", 0.0)


async def test_a_request_that_raises_in_the_pipeline_fails_alone(engine: SubprocessEngine) -> None:
    # FLUX pipelines refuse to read more than 512 tokens.
    bad, good = engine.submit(paint(max_sequence_length=513)), engine.submit(paint())
    with pytest.raises(EngineError, match=r"ValueError.*512"):
        await painted(bad)
    await painted(good)


@pytest.fixture
def copied(folders: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(folders[FLUX], tmp_path / "copied")


def _remove_weights(folder: Path) -> None:
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").unlink()


def _cut_weights(folder: Path) -> None:
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def _break_config(folder: Path) -> None:
    (folder / "transformer" / "config.json").write_text('{"_class_name": "FluxTransformer2DModel", "in_channels": 3}')


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_remove_weights, "transformer has no weights"),
        (_cut_weights, "vae/diffusion_pytorch_model.safetensors has .* cut off"),
        (_break_config, "transformer|Cannot load|size"),
    ],
)
async def test_a_broken_folder_is_told_and_others_live_on(
    engine: SubprocessEngine, copied: Path, damage: Callable[[Path], None], reason: str
) -> None:
    damage(copied)
    engine.load(LoadModel(model_id="tests/broken", folder=str(copied)))
    stream = engine.submit(paint(model_id="tests/broken"))
    with pytest.raises(ModelLoadError, match=reason) as told:
        await engine.ready("tests/broken")
    assert str(copied) not in str(told.value)
    with pytest.raises(ModelLoadError, match=reason):
        await painted(stream)
    await painted(engine.submit(paint()))
    engine.unload("tests/broken")
    assert "tests/broken" not in {model.model_id for model in engine.stats().models}


async def test_closing_leaves_no_process() -> None:
    async with engine_with("silent") as engine:
        await until(lambda: engine.stats().worker_pid is not None)
        pid = engine.stats().worker_pid
        assert pid is not None
        await engine.aclose(0)
        assert not is_alive(pid)


async def test_a_reader_who_joins_after_a_crash_sees_the_picture(engine: SubprocessEngine) -> None:
    request = paint(steps=100)
    stream = engine.submit(request)
    await first(stream, Step)
    kill_worker(engine)
    joined = engine.resume(request.request_id)
    pictures = [await painted(joined), await painted(stream)]
    assert pictures[0] == pictures[1]


async def test_provider_owns_the_engine() -> None:
    engine = SubprocessEngine()
    await LocalProvider({}, engine).aclose()
    assert engine.stats().state == "stopping"
