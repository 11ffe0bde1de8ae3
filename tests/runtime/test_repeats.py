"""Which requests are one, and which are not; what is kept of them, and how long."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from calotype_provider.errors import (
    DeadlineError,
    EngineError,
    IdempotencyKeyReusedError,
    InvalidCallError,
    ModelBusyError,
)
from calotype_runtime.bytes_held import BytesHeld
from calotype_runtime.kept_answers import KeptAnswers
from calotype_runtime.repeats import IN_VAIN_SECONDS, LOST_MAX, REFUSED_MAX, REFUSED_SECONDS_MAX, Asked, Repeats


@dataclass
class Painter:
    """Work that ends when it is told to, and counts itself."""

    begun: int = 0
    cancelled: int = 0
    error: Exception | None = None
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    async def paint(self) -> str:
        self.begun += 1
        answer = f"picture {self.begun}"
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return answer


def asked(body: str = "a cat", **fields: Any) -> Asked:
    return Asked(**{"caller": "ada", "body": body.encode(), **fields})


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def repeats(clock: Clock | None = None, *, held_bytes_max: int = 1000) -> Repeats[str]:
    clock = clock or Clock()
    held = BytesHeld(bytes_max=held_bytes_max, what="pictures")
    return Repeats(KeptAnswers(len, clock=clock), held=held, clock=clock)


def coming_back(seconds: float = 60.0) -> float:
    return seconds


async def begun(answer: Coroutine[Any, Any, str]) -> asyncio.Task[str]:
    task = asyncio.create_task(answer)
    await settled()
    return task


async def settled() -> None:
    """As often as anything here hands on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def left(task: asyncio.Task[str]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await settled()


async def test_equal_requests_without_a_seed_are_different_pictures() -> None:
    painter, again = Painter(), repeats()
    tasks = [await begun(again.answer(asked(), painter.paint)) for _ in range(3)]
    painter.may_end.set()
    assert await asyncio.gather(*tasks) == ["picture 1", "picture 2", "picture 3"]


@pytest.mark.parametrize("same", [{"has_seed": True}, {"key": "k"}])
async def test_the_same_seed_or_key_is_painted_once_while_it_runs_and_after(same: dict[str, Any]) -> None:
    painter, again = Painter(), repeats()
    tasks = [await begun(again.answer(asked(**same), painter.paint)) for _ in range(3)]
    painter.may_end.set()
    assert await asyncio.gather(*tasks) == ["picture 1"] * 3
    assert await again.answer(asked(**same), painter.paint) == "picture 1"
    assert painter.begun == 1


@pytest.mark.parametrize("same", [{"has_seed": True}, {"key": "k"}, {"retry_count": 1}])
async def test_another_caller_never_joins(same: dict[str, Any]) -> None:
    painter, again = Painter(), repeats()
    first = await begun(again.answer(asked(), painter.paint))
    named = await begun(again.answer(asked(**same, caller="bob"), painter.paint))
    other = await begun(again.answer(asked(**same, caller="eve"), painter.paint))
    painter.may_end.set()
    assert len({await first, await named, await other}) == 3


async def test_a_key_with_another_body_is_refused() -> None:
    painter, again = Painter(), repeats()
    task = await begun(again.answer(asked(key="k"), painter.paint))
    with pytest.raises(IdempotencyKeyReusedError, match="'k'"):
        await again.answer(asked("a dog", key="k"), painter.paint)
    painter.may_end.set()
    assert await task == "picture 1"
    with pytest.raises(IdempotencyKeyReusedError):
        await again.answer(asked("a dog", key="k"), painter.paint)


async def test_a_retry_joins_the_attempt_that_runs_and_no_equal_request_does() -> None:
    painter, again = Painter(), repeats()
    first = await begun(again.answer(asked(), painter.paint))
    retry = await begun(again.answer(asked(retry_count=1), painter.paint))
    other = await begun(again.answer(asked(), painter.paint))
    painter.may_end.set()
    assert [await first, await retry, await other] == ["picture 1", "picture 1", "picture 2"]


async def test_three_retries_of_three_requests_get_three_pictures() -> None:
    painter, again = Painter(), repeats()
    lost = [await begun(again.answer(asked(back_seconds=coming_back), painter.paint)) for _ in range(3)]
    for task in lost:
        await left(task)
    retries = [await begun(again.answer(asked(retry_count=1), painter.paint)) for _ in range(3)]
    painter.may_end.set()
    assert set(await asyncio.gather(*retries)) == {"picture 1", "picture 2", "picture 3"}
    assert (painter.begun, painter.cancelled) == (3, 0)


async def test_a_retry_of_a_retry_joins_too_and_a_lower_count_does_not() -> None:
    painter, again = Painter(), repeats()
    first = await begun(again.answer(asked(back_seconds=coming_back), painter.paint))
    await left(first)
    second = await begun(again.answer(asked(retry_count=1, back_seconds=coming_back), painter.paint))
    await left(second)
    lower = await begun(again.answer(asked(retry_count=1), painter.paint))
    third = await begun(again.answer(asked(retry_count=2), painter.paint))
    painter.may_end.set()
    assert [await third, await lower] == ["picture 1", "picture 2"]


async def test_what_was_painted_while_its_caller_was_away_is_given_to_the_retry() -> None:
    painter, again = Painter(), repeats()
    await left(await begun(again.answer(asked(back_seconds=coming_back), painter.paint)))
    painter.may_end.set()
    await settled()
    assert await again.answer(asked(retry_count=1), painter.paint) == "picture 1"
    assert await again.answer(asked(retry_count=1), painter.paint) == "picture 2"


@pytest.mark.parametrize("same", [{}, {"has_seed": True}, {"key": "k"}])
async def test_a_caller_that_does_not_come_back_in_time_ends_the_work(same: dict[str, Any]) -> None:
    painter, again = Painter(), repeats()
    await left(await begun(again.answer(asked(back_seconds=lambda: 0.01, **same), painter.paint)))
    assert painter.cancelled == 0
    await asyncio.sleep(0.05)
    assert painter.cancelled == 1
    assert not again._lost


@pytest.mark.parametrize("same", [{"has_seed": True}, {"key": "k"}])
async def test_a_joined_call_is_cancelled_only_when_its_last_caller_is_gone(same: dict[str, Any]) -> None:
    painter, again = Painter(), repeats()
    first = await begun(again.answer(asked(**same), painter.paint))
    second = await begun(again.answer(asked(**same), painter.paint))
    await left(first)
    assert painter.cancelled == 0
    await left(second)
    assert painter.cancelled == 1
    painter.may_end.set()
    assert await again.answer(asked(**same), painter.paint) == "picture 2"


async def test_kept_work_is_finished_for_a_caller_that_comes_back() -> None:
    painter, again = Painter(), repeats()
    await left(await begun(again.answer(asked(key="k", keep=True), painter.paint)))
    painter.may_end.set()
    await settled()
    assert await again.answer(asked(key="k"), painter.paint) == "picture 1"
    assert painter.cancelled == 0


@pytest.mark.parametrize("same", [{"has_seed": True}, {"key": "k"}])
async def test_who_comes_while_work_is_being_ended_has_it_begun_anew(same: dict[str, Any]) -> None:
    again, may_end = repeats(), asyncio.Event()

    async def slow_to_end() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()
        raise AssertionError("it never ends by itself")

    await left(await begun(again.answer(asked(**same), slow_to_end)))
    painter = Painter()
    painter.may_end.set()
    assert await again.answer(asked(**same), painter.paint) == "picture 1"
    may_end.set()
    await settled()
    assert await again.answer(asked(**same), painter.paint) == "picture 1"


@pytest.mark.parametrize("same", [{}, {"has_seed": True}, {"key": "k"}])
@pytest.mark.parametrize(
    ("error", "paintings"),
    [
        (ModelBusyError("busy", retry_after_seconds=1), 2),
        (InvalidCallError("no fox there yet", parameter="image"), 2),
        (EngineError("once more"), 1),
        (ZeroDivisionError("a bug"), 1),
        (EngineError("another worker may", is_retryable=True), 2),
    ],
)
async def test_a_failure_is_told_again_only_where_it_would_be_painted_in_vain(
    same: dict[str, Any], error: Exception, paintings: int
) -> None:
    painter, clock = Painter(error=error), Clock()
    again = repeats(clock)
    painter.may_end.set()
    for _ in range(2):
        with pytest.raises(type(error), match=str(error)):
            await again.answer(asked(**same), painter.paint)
    assert painter.begun == paintings
    clock.now = 600.0 if "key" in same else IN_VAIN_SECONDS
    with pytest.raises(type(error)):
        await again.answer(asked(**same), painter.paint)
    assert painter.begun == paintings + 1


async def test_a_failure_that_is_kept_holds_nothing_of_its_request() -> None:
    again, error = repeats(), EngineError("in vain")

    async def fail() -> str:
        pixels = bytearray(100)
        assert pixels
        raise error from ValueError("why")

    for _ in range(3):
        with pytest.raises(EngineError):
            await again.answer(asked(key="k"), fail)
    [kept] = again._answers._kept.values()
    assert isinstance(kept.outcome, EngineError)
    assert kept.outcome.__traceback__ is None
    assert kept.outcome.__cause__ is None
    assert kept.outcome.__context__ is None


async def test_an_answer_is_kept_for_its_time() -> None:
    painter, clock = Painter(), Clock()
    again = repeats(clock)
    painter.may_end.set()
    await again.answer(asked(key="k"), painter.paint)
    clock.now = 599.0
    assert await again.answer(asked(key="k"), painter.paint) == "picture 1"
    clock.now = 600.0
    assert await again.answer(asked(key="k"), painter.paint) == "picture 2"


async def test_nothing_is_left_of_what_nobody_waits_for() -> None:
    painter, again = Painter(), repeats()
    for _ in range(100):
        await left(await begun(again.answer(asked(), painter.paint)))
    assert painter.cancelled == 100
    assert not again._unnamed
    assert not again._lost


async def test_closing_ends_what_runs() -> None:
    painter, again = Painter(), repeats()
    await left(await begun(again.answer(asked(key="k", keep=True), painter.paint)))
    await left(await begun(again.answer(asked(back_seconds=coming_back), painter.paint)))
    await again.aclose()
    assert painter.cancelled == 2


@pytest.mark.parametrize("same", [{}, {"has_seed": True}, {"key": "k"}])
async def test_a_failure_that_could_not_be_told_is_told_to_who_asks_again(same: dict[str, Any]) -> None:
    painter, clock = Painter(), Clock()
    again = repeats(clock)
    painter.may_end.set()
    again.keep_failure(asked(**same), EngineError("too late"))
    assert await again.answer(asked("a dog"), painter.paint) == "picture 1"
    for retry_count in (None, 1, 2):
        with pytest.raises(EngineError, match="too late"):
            await again.answer(asked(retry_count=retry_count, **same), painter.paint)
    assert painter.begun == 1


async def test_a_retry_whose_attempt_was_refused_does_not_take_the_picture_of_another() -> None:
    painter, again = Painter(), repeats()
    busy = Painter(error=ModelBusyError("busy", retry_after_seconds=1))
    busy.may_end.set()
    first = await begun(again.answer(asked(retry_count=0), painter.paint))
    with pytest.raises(ModelBusyError):
        await again.answer(asked(retry_count=0), busy.paint)
    retry = await begun(again.answer(asked(retry_count=1), painter.paint))
    joining = await begun(again.answer(asked(retry_count=1), painter.paint))
    painter.may_end.set()
    assert [await first, await retry, await joining] == ["picture 1", "picture 2", "picture 1"]


async def test_a_refusal_is_for_its_own_retry_and_no_later_one() -> None:
    painter, again = Painter(), repeats()
    busy = Painter(error=ModelBusyError("busy", retry_after_seconds=1))
    busy.may_end.set()
    with pytest.raises(ModelBusyError):
        await again.answer(asked(retry_count=0), busy.paint)
    # Nothing runs that its retry could join; it is answered, and the same is asked anew.
    retry = await begun(again.answer(asked(retry_count=1), painter.paint))
    painter.may_end.set()
    assert await retry == "picture 1"
    painter.may_end.clear()
    await left(await begun(again.answer(asked(retry_count=0, back_seconds=coming_back), painter.paint)))
    joining = await begun(again.answer(asked(retry_count=1), painter.paint))
    painter.may_end.set()
    assert await joining == "picture 2"
    assert painter.begun == 2


async def test_refusals_of_what_is_found_by_its_name_take_no_room() -> None:
    again, busy = repeats(), Painter(error=ModelBusyError("busy", retry_after_seconds=1))
    busy.may_end.set()
    for same in ({"has_seed": True}, {"key": "k"}):
        with pytest.raises(ModelBusyError):
            await again.answer(asked(retry_count=0, **same), busy.paint)
    assert not again._refused._told


async def test_refusals_are_remembered_within_bounds() -> None:
    clock = Clock()
    painter, again = Painter(), repeats(clock)
    busy = Painter(error=ModelBusyError("busy", retry_after_seconds=1))
    busy.may_end.set()
    first = await begun(again.answer(asked(retry_count=0), painter.paint))
    with pytest.raises(ModelBusyError):
        await again.answer(asked(retry_count=0), busy.paint)
    clock.now = REFUSED_SECONDS_MAX + 1
    retry = await begun(again.answer(asked(retry_count=1), painter.paint))
    assert painter.begun == 1
    for number in range(REFUSED_MAX + 10):
        with pytest.raises(ModelBusyError):
            await again.answer(asked(f"cat {number}", retry_count=0), busy.paint)
    assert len(again._refused._told) == len(again._refused._counts) == REFUSED_MAX
    painter.may_end.set()
    assert await first == await retry


async def test_what_those_who_join_hold_is_bounded() -> None:
    painter, again = Painter(), repeats(held_bytes_max=250)
    many = [asked(has_seed=True, held_bytes=100)] * 4
    tasks = [await begun(again.answer(each, painter.paint)) for each in many]
    painter.may_end.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert answers[:3] == ["picture 1"] * 3
    assert isinstance(answers[3], ModelBusyError)
    assert again._held.count == 0


async def test_the_deadline_of_one_is_not_that_of_another_who_joined() -> None:
    hurried, patient = Painter(error=DeadlineError("no time", retry_after_seconds=1)), Painter()
    again = repeats()
    first = await begun(again.answer(asked(has_seed=True), hurried.paint))
    second = await begun(again.answer(asked(has_seed=True), patient.paint))
    hurried.may_end.set()
    patient.may_end.set()
    with pytest.raises(DeadlineError):
        await first
    assert await second == "picture 1"
    assert (hurried.begun, patient.begun) == (1, 1)


@pytest.mark.parametrize("same", [{}, {"has_seed": True}])
async def test_what_waits_for_retries_is_bounded(same: dict[str, Any]) -> None:
    painter, again = Painter(), repeats()
    for number in range(LOST_MAX + 1):
        await left(await begun(again.answer(asked(f"cat {number}", back_seconds=coming_back, **same), painter.paint)))
    assert painter.cancelled == 1
    await again.aclose()
