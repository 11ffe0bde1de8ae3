"""An answer of events: a failure at first is raised, comments fill the waits, and a reader who goes ends the work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from litestar.types import Message

from calotype_provider.errors import CallerLeftError
from calotype_runtime.event_stream import KEEP_ALIVE, Encode, EventStream, event

Send = Callable[[Encode], None]
Work = Callable[[Send], Coroutine[Any, Any, None]]


class Reader:
    """Reads a stream as a client would, and may go."""

    def __init__(self, work: Work, *, keep_alive_seconds: float = 30.0) -> None:
        self.chunks: list[bytes] = []
        self.failures: list[Exception] = []
        self.ended = False
        self.gone = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()
        self.stream = EventStream(
            work, run=self._run, tell_failure=self._tell_failure, keep_alive_seconds=keep_alive_seconds
        )

    async def read(self) -> list[bytes]:
        await self.stream.begin()
        scope: Any = {"type": "http"}
        await self.stream(scope, self._receive, self._send)
        return self.chunks

    async def _run(self, encode: Encode) -> bytes:
        return encode()

    def _tell_failure(self, error: Exception) -> bytes:
        self.failures.append(error)
        return event(str(error).encode(), name="error")

    async def _receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            assert (b"content-type", b"text/event-stream; charset=utf-8") in message["headers"]
            return
        assert message["type"] == "http.response.body"
        await self.takes.wait()
        self.chunks += [message["body"]] if message["body"] else []
        self.ended = not message["more_body"]


def endless(ended: list[str]) -> Work:
    async def work(send: Send) -> None:
        send(lambda: b"one")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("work")

    return work


def test_an_event_is_a_name_and_one_line() -> None:
    assert event(b'{"a": 1}', name="image_edit.completed") == b'event: image_edit.completed\ndata: {"a": 1}\n\n'


async def test_events_come_in_their_order_and_then_the_end() -> None:
    async def work(send: Send) -> None:
        send(lambda: b"one")
        await asyncio.sleep(0)
        send(lambda: b"two")
        send(lambda: b"three")

    reader = Reader(work)
    assert await reader.read() == [b"one", b"two", b"three"]
    assert reader.ended


async def test_comments_fill_the_waits() -> None:
    go_on = asyncio.Event()

    async def work(send: Send) -> None:
        await go_on.wait()
        send(lambda: b"one")

    reader = Reader(work, keep_alive_seconds=0.01)
    reading = asyncio.create_task(reader.read())
    while len(reader.chunks) < 3:
        await asyncio.sleep(0)
    go_on.set()
    chunks = await reading
    assert chunks[:3] == [KEEP_ALIVE] * 3
    assert [chunk for chunk in chunks if chunk != KEEP_ALIVE] == [b"one"]


async def test_what_fails_first_is_raised_before_anything_is_sent() -> None:
    async def work(send: Send) -> None:
        raise ValueError("too early")

    reader = Reader(work)
    with pytest.raises(ValueError, match="too early"):
        await reader.read()
    assert reader.chunks == []


async def test_what_fails_later_is_an_event() -> None:
    async def work(send: Send) -> None:
        send(lambda: b"one")
        raise ValueError("too late")

    reader = Reader(work)
    assert await reader.read() == [b"one", b"event: error\ndata: too late\n\n"]
    assert reader.ended


async def test_an_event_that_cannot_be_made_is_a_failure_and_ends_the_work() -> None:
    def broken() -> bytes:
        raise ValueError("no bytes")

    ended: list[str] = []

    async def work(send: Send) -> None:
        send(lambda: b"one")
        send(broken)
        await endless(ended)(send)

    assert await Reader(work).read() == [b"one", b"event: error\ndata: no bytes\n\n"]
    await asyncio.sleep(0)
    assert ended == ["work"]


async def test_events_are_made_only_when_they_are_read_and_the_work_goes_on_without_a_reader() -> None:
    made: list[int] = []

    def make(number: int) -> bytes:
        made.append(number)
        return b"%d" % number

    finished = asyncio.Event()

    async def work(send: Send) -> None:
        for number in range(3):
            send(partial(make, number))
        finished.set()

    reader = Reader(work)
    reader.takes.clear()
    reading = asyncio.create_task(reader.read())
    await finished.wait()
    await asyncio.sleep(0.01)
    assert made == [0]
    reader.takes.set()
    assert await reading == [b"0", b"1", b"2"]


@pytest.mark.parametrize("takes", [True, False])
async def test_a_reader_who_goes_ends_the_work_even_while_a_part_is_being_sent(takes: bool) -> None:
    ended: list[str] = []
    reader = Reader(endless(ended))
    if not takes:
        reader.takes.clear()
    reading = asyncio.create_task(reader.read())
    await asyncio.sleep(0.01)
    reader.gone.set()
    await reading
    await asyncio.sleep(0)
    assert ended == ["work"]
    assert [type(failure) for failure in reader.failures] == [CallerLeftError]


async def test_a_reader_who_goes_before_the_first_event_ends_the_work() -> None:
    ended: list[str] = []

    async def work(send: Send) -> None:
        await endless(ended)(lambda _: None)

    reader = Reader(work)
    beginning = asyncio.create_task(reader.stream.begin())
    await asyncio.sleep(0.01)
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    await asyncio.sleep(0)
    assert ended == ["work"]


async def test_a_server_that_stops_says_so_in_the_stream() -> None:
    ended: list[str] = []
    reader = Reader(endless(ended))
    serving = asyncio.create_task(reader.read())
    while not reader.chunks:
        await asyncio.sleep(0)
    serving.cancel()
    assert await serving == [b"one", b"event: error\ndata: the server is stopping\n\n"]
    assert reader.ended
    await asyncio.sleep(0)
    assert ended == ["work"]
