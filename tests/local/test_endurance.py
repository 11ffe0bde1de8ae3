"""Many callers that leave, and many that come at once: nothing piles up."""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
from pathlib import Path

import pytest
from engine_requests import FLUX, first, paint, painted

from calotype_provider.errors import ModelBusyError
from calotype_provider.local.engine import EngineSettings
from calotype_provider.local.messages import Cancelled, LoadModel, Step
from calotype_provider.local.subprocess_engine import SubprocessEngine

REQUESTS = 2_000
REQUESTS_MAX = 64
WARM_UP_ROUNDS = 6
ROUNDS, CANCELS_OF_A_ROUND = 5, 200
TOGETHER = 8
#: Of the worker's memory: what most rounds may add to it, as a leak does in every one, and what all together.
ROUND_GROWTH_MAX, GROWTH_MAX = 0.002, 0.05


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def cancel_one(engine: SubprocessEngine) -> None:
    request = paint(steps=1_000)
    events = engine.submit(request)
    await first(events, Step)
    engine.cancel(request.request_id)
    await first(events, Cancelled)


async def cancel_many(engine: SubprocessEngine, count: int) -> None:
    for _ in range(count // TOGETHER):
        await asyncio.gather(*(cancel_one(engine) for _ in range(TOGETHER)))


async def cancel_in_every_company(engine: SubprocessEngine) -> None:
    """From one to all at once: for each number of rows that it meets first, a library keeps something once."""
    for together in [*range(1, TOGETHER + 1)] * WARM_UP_ROUNDS:
        await asyncio.gather(*(cancel_one(engine) for _ in range(together)))


async def test_a_thousand_cancelled_pictures_leave_nothing_behind(engine: SubprocessEngine) -> None:
    await engine.ready(FLUX)
    await cancel_in_every_company(engine)
    pid = engine.stats().worker_pid
    assert pid
    resident = [resident_bytes(pid)]
    for _ in range(ROUNDS):
        await cancel_many(engine, CANCELS_OF_A_ROUND)
        resident.append(resident_bytes(pid))
    assert engine.stats().worker_pid == pid
    growths = [(after - before) / resident[0] for before, after in itertools.pairwise(resident)]
    assert statistics.median(growths) <= ROUND_GROWTH_MAX, growths
    assert sum(growths) <= GROWTH_MAX, growths
    assert engine.stats().running == engine.stats().waiting == 0


async def test_of_thousands_at_once_as_many_as_may_are_served_and_the_rest_come_back_later(
    folders: dict[str, Path],
) -> None:
    engine = SubprocessEngine(EngineSettings(threads=1, requests_max=REQUESTS_MAX))
    engine.load(LoadModel(model_id=FLUX, folder=str(folders[FLUX])))
    engine.start()
    taken, refusals = [], list[ModelBusyError]()
    for seed in range(REQUESTS):
        try:
            taken.append(engine.submit(paint(seed=seed)))
        except ModelBusyError as error:
            refusals.append(error)
    assert (len(taken), len(refusals)) == (REQUESTS_MAX, REQUESTS - REQUESTS_MAX)
    assert min(refusal.retry_after_seconds for refusal in refusals) >= 1
    pictures = [await painted(events) for events in taken]
    assert len({picture.data for picture in pictures}) == REQUESTS_MAX
    await painted(engine.submit(paint()))
    await engine.aclose(0)
    with pytest.raises(StopAsyncIteration):
        await anext(taken[0])
