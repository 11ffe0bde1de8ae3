from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from engine_requests import FLUX, WAIT_SECONDS_MAX, first, is_alive, paint, painted, until

from calotype_provider.errors import EngineError, ModelBusyError, ModelLoadError
from calotype_provider.local.engine import EngineSettings, Queued, Readiness
from calotype_provider.local.local_provider import LocalProvider
from calotype_provider.local.messages import Cancelled, LoadModel, Started, Step
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


async def test_the_same_seed_gives_the_same_bytes(engine: SubprocessEngine) -> None:
    once, again, other = [await painted(engine.submit(paint(seed=seed))) for seed in (7, 7, 8)]
    assert once.data == again.data
    assert once.data != other.data
    assert once.media_type == "image/png"


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


async def test_a_cancelled_picture_stops_at_the_next_step_and_others_go_on(engine: SubprocessEngine) -> None:
    endless, other = paint(steps=20_000), paint(steps=50)
    alone = await painted(engine.submit(msgspec.structs.replace(other, request_id="alone")))
    steps_before = engine.stats().steps_done
    streams = engine.submit(endless), engine.submit(other)
    await first(streams[0], Step)
    engine.cancel(endless.request_id)
    assert await first(streams[0], Cancelled) == Cancelled(endless.request_id)
    with pytest.raises(StopAsyncIteration):
        await anext(streams[0])
    assert (await painted(streams[1])).data == alone.data
    assert engine.stats().steps_done - steps_before < 1000
    await until(lambda: engine.stats().running == engine.stats().waiting == 0)


async def test_a_picture_that_waits_can_be_cancelled(engine: SubprocessEngine) -> None:
    running, waiting = paint(steps=100), paint(steps=20_000)
    streams = engine.submit(running), engine.submit(waiting)
    engine.cancel(waiting.request_id)
    assert [type(event) async for event in streams[1]] == [Queued, Cancelled]
    await painted(streams[0])
    assert engine.stats().waiting == engine.stats().running == 0
    engine.cancel(waiting.request_id)


async def test_more_pictures_than_requests_max_are_refused() -> None:
    engine = SubprocessEngine(EngineSettings(requests_max=3))
    requests = [paint() for _ in range(3)]
    for request in requests:
        engine.submit(request)
    with pytest.raises(ModelBusyError) as refused:
        engine.submit(paint())
    assert refused.value.retry_after_seconds >= 1
    engine.cancel(requests[0].request_id)
    engine.submit(paint())
    assert engine.stats().waiting == 3
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


async def test_a_slow_reader_is_told_the_newest_step_only(engine: SubprocessEngine) -> None:
    slow = engine.submit(paint(steps=50))
    await until(lambda: engine.stats().running == engine.stats().waiting == 0)
    events = [event async for event in slow]
    assert [type(event).__name__ for event in events] == ["Queued", "Started", "Step", "Painted"]
    assert isinstance(events[2], Step)
    assert events[2].step == events[2].steps == 50


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


async def test_an_unloaded_model_paints_no_more(engine: SubprocessEngine, copied: Path) -> None:
    engine.load(LoadModel(model_id="tests/copied", folder=str(copied)))
    await engine.ready("tests/copied")
    await painted(engine.submit(paint(model_id="tests/copied")))
    engine.unload("tests/copied")
    with pytest.raises(ModelLoadError):
        await painted(engine.submit(paint(model_id="tests/copied")))


async def test_stats_tell_what_is_loaded(engine: SubprocessEngine) -> None:
    await engine.ready(FLUX)
    stats = engine.stats()
    model = next(model for model in stats.models if model.model_id == FLUX)
    assert stats.state == "ready"
    assert stats.readiness(FLUX) == Readiness("ready", FLUX, 1.0)
    assert (model.state, model.dtype, model.device) == ("ready", "bfloat16", "cpu")
    assert 500_000 < model.resident_bytes < 5_000_000
    assert model.revision


async def test_closing_lets_pictures_finish_and_leaves_no_process(folders: dict[str, Path]) -> None:
    engine = SubprocessEngine(EngineSettings(threads=1))
    engine.load(LoadModel(model_id=FLUX, folder=str(folders[FLUX])))
    engine.start()
    done, started = engine.submit(paint(steps=100)), engine.submit(paint(steps=100))
    await first(done, Started)
    pid = engine.stats().worker_pid
    assert pid is not None
    closing = asyncio.create_task(engine.aclose(WAIT_SECONDS_MAX))
    await painted(done)
    with pytest.raises(EngineError, match="stopping"):
        engine.submit(paint())
    await painted(started)
    await closing
    assert engine.stats().state == "stopping"
    assert not is_alive(pid)


async def test_closing_at_once_fails_what_is_unfinished() -> None:
    async with engine_with("silent") as engine:
        stream = engine.submit(paint())
        await engine.aclose(0)
        with pytest.raises(EngineError, match="has stopped"):
            await painted(stream)


async def test_provider_owns_the_engine() -> None:
    engine = SubprocessEngine()
    await LocalProvider({}, engine).aclose()
    assert engine.stats().state == "stopping"
