from __future__ import annotations

import asyncio
import io

import pytest
from engine_requests import paint

from calotype_provider.local.messages import (
    Cancel,
    Cancelled,
    Command,
    DeviceStats,
    Event,
    Failed,
    Forward,
    FrameError,
    LoadModel,
    MadeWith,
    ModelFailed,
    ModelLoaded,
    ModelLoading,
    Painted,
    Preview,
    Priced,
    Started,
    Step,
    UnloadModel,
    WorkerReady,
    encode_frame,
    read_command,
    read_event,
)

COMMANDS: list[Command] = [
    paint(),
    LoadModel(model_id="a/b", folder="/models/b", warm_up=paint()),
    UnloadModel("a/b"),
    Cancel("r"),
]
EVENTS: list[Event] = [
    WorkerReady(),
    ModelLoading("a/b", 0.5),
    ModelLoaded("a/b", "0123", 9, "bfloat16", "cpu"),
    ModelFailed("a/b", "no such file"),
    Started("r"),
    Priced("r", 1.5),
    Step("r", 1, 4),
    Forward(("r", "s")),
    Preview(request_id="r", step=1, steps=4, data=b"\xff\xd8", media_type="image/jpeg"),
    Painted(
        request_id="r",
        data=b"\x89PNG",
        media_type="image/png",
        milliseconds=1.5,
        made_with=MadeWith(model_revision="0", dtype="float32", device="cpu", torch="2", diffusers="0"),
    ),
    DeviceStats(forwards=3, rows=5, batch_sizes={1: 1, 2: 2}),
    Failed("r", "pipeline", "it did not work"),
    Cancelled("r"),
]


def stream_of(data: bytes) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    return stream


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_commands_arrive_as_they_were_sent(command: Command) -> None:
    stream = io.BytesIO(encode_frame(command) + encode_frame(Cancel("next")))
    assert read_command(stream) == command
    assert read_command(stream) == Cancel("next")
    assert read_command(stream) is None


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
async def test_events_arrive_as_they_were_sent(event: Event) -> None:
    stream = stream_of(encode_frame(event) + encode_frame(Started("next")))
    assert await read_event(stream) == event
    assert await read_event(stream) == Started("next")
    assert await read_event(stream) is None


async def test_a_frame_may_be_as_large_as_its_bound_and_no_larger() -> None:
    frame = encode_frame(Cancel("r" * 100))
    size = len(frame) - 4
    assert encode_frame(Cancel("r" * 100), bytes_max=size) == frame
    assert read_command(io.BytesIO(frame), bytes_max=size) == Cancel("r" * 100)
    with pytest.raises(FrameError, match="over the bound"):
        encode_frame(Cancel("r" * 100), bytes_max=size - 1)
    with pytest.raises(FrameError, match="over the bound"):
        read_command(io.BytesIO(frame), bytes_max=size - 1)
    event = encode_frame(Started("r" * 100))
    with pytest.raises(FrameError, match="over the bound"):
        await read_event(stream_of(event), bytes_max=len(event) - 5)


@pytest.mark.parametrize("kept", [1, 3, 4, 8])
async def test_a_torn_frame_is_an_error_and_no_end(kept: int) -> None:
    with pytest.raises(FrameError, match="inside a frame"):
        read_command(io.BytesIO(encode_frame(Cancel("r"))[:kept]))
    with pytest.raises(FrameError, match="inside a frame"):
        await read_event(stream_of(encode_frame(Started("r"))[:kept]))


async def test_a_frame_that_holds_no_message_is_an_error() -> None:
    with pytest.raises(FrameError, match="no command"):
        read_command(io.BytesIO(encode_frame(Started("an event is no command"))))
    with pytest.raises(FrameError, match="no event"):
        await read_event(stream_of(b"\x00\x00\x00\x03abc"))
