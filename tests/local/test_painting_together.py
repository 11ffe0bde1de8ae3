"""Many pictures on one device: shared forwards, and faults that stay with whom they belong to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from engine_requests import FLUX, first, paint, painted, until

from calotype_provider.errors import EngineError
from calotype_provider.local.engine import EngineSettings
from calotype_provider.local.messages import Cancelled, LoadModel, Paint, Preview, Step
from calotype_provider.local.subprocess_engine import SubprocessEngine

FAULTY_WORKER = (sys.executable, str(Path(__file__).parent / "faulty_worker.py"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def faulty(folders: dict[str, Path]) -> AsyncIterator[SubprocessEngine]:
    settings = EngineSettings(threads=1, restarts_max=20, hang_seconds_min=1.0)
    engine = SubprocessEngine(settings, worker_command=FAULTY_WORKER)
    engine.load(LoadModel(model_id=FLUX, folder=str(folders[FLUX])))
    engine.start()
    await engine.ready(FLUX)
    yield engine
    await engine.aclose(0)


def sized(side: int, *, seed: int = 7, steps: int = 4) -> Paint:
    return msgspec.structs.replace(paint(seed=seed, steps=steps), width=side, height=side)


async def all_painted(engine: SubprocessEngine, requests: list[Paint]) -> list[bytes | Exception]:
    outcomes = await asyncio.gather(*(painted(engine.submit(each)) for each in requests), return_exceptions=True)
    assert all(not isinstance(outcome, BaseException) or isinstance(outcome, EngineError) for outcome in outcomes)
    return [outcome if isinstance(outcome, Exception) else outcome.data for outcome in outcomes]  # type: ignore[union-attr]


def again(requests: list[Paint]) -> list[Paint]:
    return [msgspec.structs.replace(each, request_id=f"{each.request_id}-again") for each in requests]


async def test_pictures_share_forwards_and_are_the_same_as_alone(engine: SubprocessEngine) -> None:
    requests = [paint(seed=seed, steps=4 + seed % 3) for seed in range(8)]
    alone = [(await painted(engine.submit(each))).data for each in requests]
    # The table first learns what sharing brings; it tries two, then four, then eight.
    for _ in range(6):
        assert await all_painted(engine, requests) == alone
        requests = again(requests)
    await until(lambda: max(engine.stats().device.batch_sizes) > 1)
    assert len(set(alone)) == 8
    assert engine.stats().device.prompt_cache_hits > 0


async def test_previews_are_pictures_of_the_way(engine: SubprocessEngine) -> None:
    request = msgspec.structs.replace(paint(steps=8), previews=3)
    # A slow reader gets the newest of each kind only; this one reads everything.
    previews = [event async for event in engine.submit(request) if isinstance(event, Preview)]
    assert previews
    assert all(preview.data.startswith(b"\xff\xd8") and preview.media_type == "image/jpeg" for preview in previews)
    assert [preview.step for preview in previews] == sorted({preview.step for preview in previews})
    assert {preview.step for preview in previews} <= {2, 4, 6}


async def test_a_picture_that_fails_fails_alone(faulty: SubprocessEngine) -> None:
    good = [sized(64, seed=seed) for seed in range(3)]
    outcomes = await all_painted(faulty, [*good, sized(48)])
    assert isinstance(outcomes[-1], EngineError)
    assert "a fault of the denoiser" in str(outcomes[-1])
    assert all(isinstance(outcome, bytes) for outcome in outcomes[:-1])


async def test_a_forward_that_does_not_fit_is_split(faulty: SubprocessEngine) -> None:
    requests = [sized(64, seed=seed, steps=12) for seed in range(8)]
    alone = [(await painted(faulty.submit(each))).data for each in requests]
    for _ in range(3):
        requests = again(requests)
        assert await all_painted(faulty, requests) == alone
    # What did not fit once is not tried again.
    assert 1 <= faulty.stats().device.splits <= 3


async def test_a_picture_that_does_not_fit_alone_is_told_what_has_and_not_to_try_again(
    faulty: SubprocessEngine,
) -> None:
    await painted(faulty.submit(sized(64)))
    with pytest.raises(EngineError, match=r"^128x128 does not fit in the device's memory; 64x64 has$") as told:
        await painted(faulty.submit(sized(128)))
    assert not told.value.is_retryable


async def test_a_picture_that_does_not_fit_beside_others_may_be_tried_again(faulty: SubprocessEngine) -> None:
    other = sized(64, steps=5_000)
    stream = faulty.submit(other)
    await first(stream, Step)
    with pytest.raises(EngineError, match=r"128x128 does not fit .* beside") as told:
        await painted(faulty.submit(sized(128)))
    assert told.value.is_retryable
    faulty.cancel(other.request_id)
    await first(stream, Cancelled)


async def test_a_worker_killed_in_the_middle_of_six_loses_none(faulty: SubprocessEngine) -> None:
    requests = [sized(64, seed=seed, steps=40) for seed in range(6)]
    undisturbed = await all_painted(faulty, requests)
    requests = again(requests)
    streams = [faulty.submit(each) for each in requests]
    await first(streams[0], Step)
    restarts, pid = faulty.stats().restarts, faulty.stats().worker_pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert [(await painted(stream)).data for stream in streams] == undisturbed
    assert faulty.stats().restarts == restarts + 1


async def test_a_picture_that_kills_the_worker_fails_and_the_five_others_do_not(faulty: SubprocessEngine) -> None:
    requests = [sized(64, seed=seed, steps=10) for seed in range(5)]
    undisturbed = await all_painted(faulty, requests)
    restarts = faulty.stats().restarts
    outcomes = await all_painted(faulty, [*again(requests)[:3], sized(96), *again(requests)[3:]])
    fatal = outcomes.pop(3)
    assert isinstance(fatal, EngineError)
    assert "twice" in str(fatal)
    assert not fatal.is_retryable
    assert outcomes == undisturbed
    assert faulty.stats().restarts == restarts + 2


async def test_a_picture_that_hangs_is_ended_by_the_watchdog(faulty: SubprocessEngine) -> None:
    outcomes = await all_painted(faulty, [sized(64), sized(80)])
    assert isinstance(outcomes[0], bytes)
    assert isinstance(outcomes[1], EngineError)
    await faulty.ready(FLUX)
