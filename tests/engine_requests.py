"""Pictures that the tests of the engine ask for, and how they wait."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import calotype_provider
from calotype_provider.local.engine import EngineEvent
from calotype_provider.local.messages import MadeWith, Paint, Painted

FLUX = "tests/flux"
FLUX_SCHNELL = "tests/flux-schnell"
CHROMA = "tests/chroma"
TINTYPE = "calotype/tintype"
TINTYPE_FOLDER = Path(calotype_provider.__file__).parent / "tintype"
WAIT_SECONDS_MAX = 60.0

_ids = itertools.count()


def paint(*, seed: int = 7, steps: int = 2, model_id: str = FLUX, max_sequence_length: int = 16) -> Paint:
    return Paint(
        request_id=f"request-{next(_ids)}",
        model_id=model_id,
        prompt="a red fox",
        seed=seed,
        width=64,
        height=64,
        num_inference_steps=steps,
        max_sequence_length=max_sequence_length,
    )


def painted_as(request_id: str, *, size: int = 4) -> Painted:
    """The end of a picture that no worker has painted."""
    return Painted(
        request_id=request_id,
        data=bytes(size),
        media_type="image/png",
        milliseconds=1.5,
        made_with=MadeWith(model_revision="0", dtype="float32", device="cpu", torch="2", diffusers="0"),
    )


async def painted(events: AsyncIterator[EngineEvent]) -> Painted:
    """The last event. Raises what the stream raises."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        last = [event async for event in events][-1]
    assert isinstance(last, Painted)
    return last


async def first(events: AsyncIterator[EngineEvent], kind: type[EngineEvent]) -> EngineEvent:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        return await anext(event async for event in events if isinstance(event, kind))


async def until(condition: Callable[[], bool]) -> None:
    """For what no event tells: other processes."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that is dead, and that nobody has asked for its exit code, does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
