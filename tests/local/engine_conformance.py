"""What every engine does, whatever it is made of. The tests use nothing but the Engine protocol and real pictures.

A module that holds an engine against it imports everything from here, and has two fixtures: `engine`, a running one
that the tests share, and `make_engine`, for those that fill one or close it. MODEL is loaded or loading on each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, get_args

import msgspec
import pytest
from engine_requests import TINTYPE, TINTYPE_FOLDER, WAIT_SECONDS_MAX, first, painted, until
from engine_requests import paint as paint_of

from calotype_provider.errors import EngineError, ModelBusyError, ModelLoadError, NoSuchRequestError
from calotype_provider.local.engine import Engine, EngineEvent, Queued, Readiness
from calotype_provider.local.messages import Cancelled, Dtype, LoadModel, Paint, Painted, Preview, Started, Step

MODEL = TINTYPE
ENDLESS_STEPS = 5_000
"""More than any test waits for."""


class MakeEngine(Protocol):
    def __call__(self, *, requests_max: int = 64) -> AbstractAsyncContextManager[Engine]:
        """A running engine of one's own, which is closed at once when it is left."""


def paint(*, seed: int = 7, steps: int = 2, model_id: str = MODEL, previews: int = 0) -> Paint:
    return msgspec.structs.replace(paint_of(seed=seed, steps=steps, model_id=model_id), previews=previews)


async def all_of(events: AsyncIterator[EngineEvent]) -> list[EngineEvent]:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        return [event async for event in events]


async def test_events_come_in_order_and_carry_the_id(engine: Engine) -> None:
    request = paint(steps=6, previews=2)
    events = await all_of(engine.submit(request))
    assert isinstance(events[0], Queued)
    assert isinstance(events[1], Started)
    assert isinstance(events[-1], Painted)
    assert {event.request_id for event in events} == {request.request_id}
    assert {type(event) for event in events[2:-1]} <= {Step, Preview}
    steps = [event for event in events if isinstance(event, Step)]
    assert [event.step for event in steps] == sorted({event.step for event in steps})
    assert (steps[-1].step, {event.steps for event in steps}) == (6, {6})
    previews = [event for event in events if isinstance(event, Preview)]
    assert 1 <= len(previews) <= 2
    assert [event.step for event in previews] == sorted({event.step for event in previews} - {0, 6})


async def test_a_slow_reader_is_told_the_newest_step_only(engine: Engine) -> None:
    slow = engine.submit(paint(steps=50))
    await until(lambda: engine.stats().running == engine.stats().waiting == 0)
    events = await all_of(slow)
    assert [type(event).__name__ for event in events] == ["Queued", "Started", "Step", "Painted"]
    assert isinstance(events[2], Step)
    assert events[2].step == events[2].steps == 50


async def test_the_same_request_gives_the_same_bytes(engine: Engine) -> None:
    once, again, other = [await painted(engine.submit(paint(seed=seed))) for seed in (7, 7, 8)]
    assert once.data == again.data
    assert once.data != other.data
    assert once.media_type == "image/png"
    assert once.made_with == other.made_with


async def test_many_at_once_are_the_pictures_that_each_is_alone(engine: Engine) -> None:
    requests = [paint(seed=seed, steps=2 + seed % 3) for seed in range(6)]
    alone = [(await painted(engine.submit(each))).data for each in requests]
    together = [msgspec.structs.replace(each, request_id=f"{each.request_id}-together") for each in requests]
    streams = [engine.submit(each) for each in together]
    assert [event.position for stream in streams if isinstance(event := await anext(stream), Queued)] == [*range(6)]
    pictures = await asyncio.gather(*map(painted, streams))
    assert [picture.data for picture in pictures] == alone
    assert [picture.request_id for picture in pictures] == [each.request_id for each in together]
    assert len(set(alone)) == 6


async def test_a_cancelled_picture_stops_at_the_next_step_and_others_go_on(engine: Engine) -> None:
    endless, other = paint(steps=ENDLESS_STEPS), paint(steps=20)
    alone = await painted(engine.submit(msgspec.structs.replace(other, request_id="alone")))
    steps_before = engine.stats().steps_done
    streams = engine.submit(endless), engine.submit(other)
    await first(streams[0], Step)
    engine.cancel(endless.request_id)
    assert await first(streams[0], Cancelled) == Cancelled(endless.request_id)
    with pytest.raises(StopAsyncIteration):
        await anext(streams[0])
    assert (await painted(streams[1])).data == alone.data
    assert engine.stats().steps_done - steps_before < ENDLESS_STEPS / 10
    await until(lambda: engine.stats().running == engine.stats().waiting == 0)


async def test_a_picture_cancelled_at_once_is_never_begun(engine: Engine) -> None:
    running, waiting = paint(steps=20), paint(steps=ENDLESS_STEPS)
    streams = engine.submit(running), engine.submit(waiting)
    engine.cancel(waiting.request_id)
    assert [type(event) for event in await all_of(streams[1])] == [Queued, Cancelled]
    await painted(streams[0])
    assert engine.stats().waiting == engine.stats().running == 0


async def test_cancelling_what_is_over_or_unheard_of_changes_nothing(engine: Engine) -> None:
    request = paint()
    picture = await painted(engine.submit(request))
    engine.cancel(request.request_id)
    engine.cancel("nobody has asked for this")
    assert await painted(engine.resume(request.request_id)) == picture
    await painted(engine.submit(paint()))


async def test_a_model_that_nobody_loads_paints_nothing(engine: Engine) -> None:
    with pytest.raises(ModelLoadError):
        await engine.ready("nobody/knows")
    with pytest.raises(ModelLoadError):
        await painted(engine.submit(paint(model_id="nobody/knows")))
    assert engine.stats().readiness("nobody/knows") == Readiness("failed", "nobody/knows", 0.0)


async def test_pictures_wait_for_their_model_and_are_painted_before_it_goes(engine: Engine) -> None:
    second = "tests/second"
    engine.load(LoadModel(model_id=second, folder=str(TINTYPE_FOLDER)))
    # A PNG says which model painted it, unless it is told not to.
    waits, same = (msgspec.structs.replace(paint(model_id=name), with_parameters=False) for name in (second, MODEL))
    waiting = engine.submit(waits)
    await engine.ready(second)
    stays = engine.submit(paint(model_id=second, seed=8, steps=10))
    engine.unload(second)
    assert (await painted(waiting)).data == (await painted(engine.submit(same))).data
    await painted(stays)
    with pytest.raises(ModelLoadError):
        await painted(engine.submit(paint(model_id=second)))
    with pytest.raises(ModelLoadError):
        await engine.ready(second)
    assert second not in {model.model_id for model in engine.stats().models}


async def test_a_model_that_cannot_be_loaded_says_so_and_others_live_on(engine: Engine, tmp_path: Path) -> None:
    engine.load(LoadModel(model_id="tests/nothing", folder=str(tmp_path)))
    stream = engine.submit(paint(model_id="tests/nothing"))
    with pytest.raises(ModelLoadError) as told:
        await engine.ready("tests/nothing")
    assert str(tmp_path) not in str(told.value)
    with pytest.raises(ModelLoadError):
        await painted(stream)
    assert engine.stats().readiness("tests/nothing").state == "failed"
    await painted(engine.submit(paint()))
    engine.unload("tests/nothing")


async def test_stats_tell_what_is_loaded_and_what_was_done(engine: Engine) -> None:
    await engine.ready(MODEL)
    # After which nobody tells any more of the steps of pictures that were cancelled before.
    await painted(engine.submit(paint()))
    before = engine.stats()
    model = next(model for model in before.models if model.model_id == MODEL)
    assert before.state == "ready"
    assert before.readiness(MODEL) == Readiness("ready", MODEL, 1.0)
    assert (model.state, model.dtype in get_args(Dtype)) == ("ready", True)
    assert model.resident_bytes > 0
    assert model.revision
    streams = [engine.submit(paint(steps=3)) for _ in range(2)]
    assert engine.stats().waiting + engine.stats().running == 2
    for stream in streams:
        await painted(stream)
    assert engine.stats().steps_done - before.steps_done == 6
    assert engine.stats().painted - before.painted == 2
    assert engine.stats().waiting == engine.stats().running == 0


async def test_an_estimate_grows_with_the_work(engine: Engine) -> None:
    for _ in range(2):
        await painted(engine.submit(paint(steps=4)))
    seconds = engine.estimate_seconds(paint(steps=4))
    assert 0 < seconds < WAIT_SECONDS_MAX
    assert engine.estimate_seconds(paint(steps=40)) == pytest.approx(10 * seconds)
    assert engine.estimate_seconds(msgspec.structs.replace(paint(steps=4), width=512, height=512)) > seconds
    assert engine.estimate_seconds(paint(model_id="nobody/knows")) > 0


async def test_a_reader_who_joins_a_running_picture_sees_the_newest_and_the_end(engine: Engine) -> None:
    request = paint(steps=60, previews=20)
    stream = engine.submit(request)
    await first(stream, Preview)
    joined, idle = [engine.resume(request.request_id) for _ in range(2)]
    known = [await anext(joined) for _ in range(3)]
    assert isinstance(known[0], Started)
    assert {type(event) for event in known[1:]} == {Step, Preview}
    pictures = [await painted(joined), await painted(stream)]
    assert pictures[0] == pictures[1]
    told = [type(event) for event in await all_of(idle)]
    assert told[0] is Started
    assert told[-1] is Painted
    assert len(told) == 4


async def test_a_reader_who_leaves_off_cancels_nothing(engine: Engine) -> None:
    request = paint(steps=30)
    reading = asyncio.ensure_future(all_of(engine.submit(request)))
    await first(engine.resume(request.request_id), Step)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    async for event in engine.resume(request.request_id):
        if isinstance(event, Step):
            break
    assert isinstance((await all_of(engine.resume(request.request_id)))[-1], Painted)


async def test_cancelling_is_told_to_every_reader(engine: Engine) -> None:
    request = paint(steps=ENDLESS_STEPS)
    streams = [engine.submit(request), engine.resume(request.request_id)]
    await first(streams[0], Step)
    streams.append(engine.resume(request.request_id))
    engine.cancel(request.request_id)
    for stream in streams:
        assert (await all_of(stream))[-1] == Cancelled(request.request_id)


async def test_whoever_comes_back_is_told_how_it_ended(engine: Engine) -> None:
    done, cancelled, failed = paint(), paint(steps=ENDLESS_STEPS), paint(model_id="nobody/knows")
    picture = await painted(engine.submit(done))
    events = engine.submit(cancelled)
    engine.cancel(cancelled.request_id)
    await all_of(events)
    with pytest.raises(ModelLoadError):
        await painted(engine.submit(failed))
    for _ in range(2):
        assert await all_of(engine.resume(done.request_id)) == [picture]
        assert await all_of(engine.resume(cancelled.request_id)) == [Cancelled(cancelled.request_id)]
        with pytest.raises(ModelLoadError):
            await all_of(engine.resume(failed.request_id))


async def test_nobody_can_come_back_to_what_never_was(engine: Engine) -> None:
    with pytest.raises(NoSuchRequestError, match="never was"):
        engine.resume("never was")


async def test_more_pictures_than_it_takes_are_refused(make_engine: MakeEngine) -> None:
    async with make_engine(requests_max=3) as engine:
        requests = [paint(steps=ENDLESS_STEPS) for _ in range(3)]
        for request in requests:
            engine.submit(request)
        refused = paint()
        with pytest.raises(ModelBusyError) as told:
            engine.submit(refused)
        assert told.value.retry_after_seconds >= 1
        with pytest.raises(NoSuchRequestError):
            engine.resume(refused.request_id)
        engine.cancel(requests[0].request_id)
        engine.submit(refused)
        assert engine.stats().waiting + engine.stats().running == 3


async def test_a_picture_that_waits_is_queued_to_whoever_joins_and_closing_at_once_fails_it(
    make_engine: MakeEngine,
) -> None:
    async with make_engine() as engine:
        # Nothing can be painted yet: the model is still loading.
        requests = [paint(), paint()]
        streams = [engine.submit(request) for request in requests]
        streams += [engine.resume(request.request_id) for request in requests]
        queued = [await anext(stream) for stream in streams]
        assert queued == [Queued(request.request_id, place) for place, request in enumerate(requests)] * 2
        await engine.aclose(0)
        for stream in streams:
            with pytest.raises(EngineError) as told:
                await painted(stream)
            assert told.value.is_retryable


async def test_closing_waits_for_what_runs_and_takes_nothing_new(make_engine: MakeEngine) -> None:
    async with make_engine() as engine:
        streams = [engine.submit(paint(seed=seed, steps=20)) for seed in range(2)]
        await first(streams[0], Started)
        closing = asyncio.create_task(engine.aclose(WAIT_SECONDS_MAX))
        await asyncio.sleep(0)
        assert engine.stats().state == "stopping"
        with pytest.raises(EngineError, match="stopping"):
            engine.submit(paint())
        with pytest.raises(EngineError, match="stopping"):
            await engine.ready(MODEL)
        for stream in streams:
            await painted(stream)
        await closing
