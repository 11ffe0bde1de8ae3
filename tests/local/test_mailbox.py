"""One picture, and whoever reads of it."""

from __future__ import annotations

import asyncio
import functools

import pytest
from engine_requests import painted_as

from calotype_provider.errors import EngineError
from calotype_provider.local.engine import EngineEvent, Queued
from calotype_provider.local.mailbox import Mailbox, Reader
from calotype_provider.local.messages import Cancelled, Preview, Started, Step

QUEUED, STARTED = Queued("r", 2), Started("r")
PAINTED = painted_as("r")


def preview(step: int) -> Preview:
    return Preview(request_id="r", step=step, steps=9, data=b"\xff\xd8", media_type="image/jpeg")


def mailbox_of(*events: EngineEvent) -> Mailbox:
    mailbox = Mailbox()
    for event in events:
        mailbox.put(event)
    return mailbox


async def all_of(reader: Reader) -> list[EngineEvent]:
    return [event async for event in reader]


async def test_a_slow_reader_is_told_the_newest_of_each_kind() -> None:
    mailbox = mailbox_of(QUEUED)
    slow = mailbox.read()
    mailbox.put(STARTED)
    for step in range(1, 10):
        if step in (4, 7):
            mailbox.put(preview(step - 1))
        mailbox.put(Step("r", step, 9))
    mailbox.end(PAINTED)
    assert await all_of(slow) == [QUEUED, STARTED, preview(6), Step("r", 9, 9), PAINTED]


async def test_a_reader_who_joins_is_told_what_is_known_and_then_what_comes() -> None:
    mailbox = mailbox_of(QUEUED)
    assert await anext(mailbox.read()) == QUEUED
    for event in (STARTED, Step("r", 1, 9), Step("r", 2, 9), preview(2)):
        mailbox.put(event)
    joined = mailbox.read()
    assert [await anext(joined) for _ in range(3)] == [STARTED, Step("r", 2, 9), preview(2)]
    waiting = asyncio.ensure_future(anext(joined))
    await asyncio.sleep(0)
    mailbox.put(Step("r", 3, 9))
    assert await waiting == Step("r", 3, 9)


async def test_every_reader_sees_the_end_and_nothing_after_it() -> None:
    mailbox = mailbox_of(QUEUED, STARTED)
    readers = [mailbox.read() for _ in range(3)]
    waiting = [asyncio.ensure_future(all_of(reader)) for reader in readers]
    await asyncio.sleep(0)
    mailbox.end(Cancelled("r"))
    assert await asyncio.gather(*waiting) == [[STARTED, Cancelled("r")]] * 3
    with pytest.raises(StopAsyncIteration):
        await anext(readers[0])


async def test_every_reader_raises_an_error_of_its_own() -> None:
    mailbox = mailbox_of(QUEUED, STARTED)
    readers = [mailbox.read() for _ in range(2)]
    mailbox.end(functools.partial(EngineError, "out of paint", is_retryable=True))
    failures = await asyncio.gather(*map(all_of, readers), return_exceptions=True)
    assert [(str(failure), getattr(failure, "is_retryable", None)) for failure in failures] == [
        ("out of paint", True)
    ] * 2
    assert failures[0] is not failures[1]
    with pytest.raises(StopAsyncIteration):
        await anext(readers[0])


async def test_a_cancelled_read_loses_nothing() -> None:
    mailbox = mailbox_of(QUEUED)
    reader = mailbox.read()
    await anext(reader)
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    mailbox.put(STARTED)
    assert await anext(reader) == STARTED


async def test_a_picture_that_starts_over_is_queued_again_for_those_who_join() -> None:
    mailbox = mailbox_of(QUEUED, STARTED, Step("r", 4, 9), preview(3))
    mailbox.start_over()
    joined = mailbox.read()
    assert await anext(joined) == QUEUED
    mailbox.put(STARTED)
    assert await anext(joined) == STARTED
