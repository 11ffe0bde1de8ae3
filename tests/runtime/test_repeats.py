"""Which requests are one, and which are not; what is kept of them, and how long."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from calotype_provider.errors import EngineError, IdempotencyKeyReusedError, ModelBusyError
from calotype_runtime.repeats import LOST_MAX, Asked, Repeats


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


def repeats(**bounds: Any) -> Repeats[str]:
    return Repeats(len, **bounds)


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
    lost = [await begun(again.answer(asked(asks_again=lambda: True), painter.paint)) for _ in range(3)]
    for task in lost:
        await left(task)
    retries = [await begun(again.answer(asked(retry_count=1), painter.paint)) for _ in range(3)]
    painter.may_end.set()
    assert set(await asyncio.gather(*retries)) == {"picture 1", "picture 2", "picture 3"}
    assert (painter.begun, painter.cancelled) == (3, 0)


async def test_a_retry_of_a_retry_joins_too_and_a_lower_count_does_not() -> None:
    painter, again = Painter(), repeats()
    first = await begun(again.answer(asked(asks_again=lambda: True), painter.paint))
    await left(first)
    second = await begun(again.answer(asked(retry_count=1, asks_again=lambda: True), painter.paint))
    await left(second)
    lower = await begun(again.answer(asked(retry_count=1), painter.paint))
    third = await begun(again.answer(asked(retry_count=2), painter.paint))
    painter.may_end.set()
    assert [await third, await lower] == ["picture 1", "picture 2"]


async def test_what_was_painted_while_its_caller_was_away_is_given_to_the_retry() -> None:
    painter, again = Painter(), repeats()
    await left(await begun(again.answer(asked(asks_again=lambda: True), painter.paint)))
    painter.may_end.set()
    await settled()
    assert await again.answer(asked(retry_count=1), painter.paint) == "picture 1"
    assert await again.answer(asked(retry_count=1), painter.paint) == "picture 2"


async def test_a_caller_that_does_not_come_back_in_time_ends_the_work() -> None:
    painter, again = Painter(), repeats(lost_seconds_max=0.01)
    await left(await begun(again.answer(asked(asks_again=lambda: True), painter.paint)))
    assert painter.cancelled == 0
    await asyncio.sleep(0.05)
    assert painter.cancelled == 1


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


@pytest.mark.parametrize(
    ("error", "pictures"), [(ModelBusyError("busy", retry_after_seconds=1), 2), (EngineError("in vain"), 1)]
)
async def test_an_error_is_kept_only_where_another_try_is_in_vain(error: Exception, pictures: int) -> None:
    painter, again = Painter(error=error), repeats()
    painter.may_end.set()
    for _ in range(2):
        with pytest.raises(type(error)):
            await again.answer(asked(key="k"), painter.paint)
    assert painter.begun == pictures


@pytest.mark.parametrize("bounds", [{"answers_max": 2}, {"bytes_max": 2 * len("picture 1")}], ids=["answers", "bytes"])
async def test_the_oldest_answers_go_first(bounds: dict[str, int]) -> None:
    painter, again = Painter(), repeats(**bounds)
    painter.may_end.set()
    for key in "abc":
        await again.answer(asked(key=key), painter.paint)
    assert await again.answer(asked(key="b"), painter.paint) == "picture 2"
    assert await again.answer(asked(key="a"), painter.paint) == "picture 4"


async def test_an_answer_is_kept_for_its_time() -> None:
    painter, clock = Painter(), Clock()
    again = repeats(clock=clock, seconds_max=600)
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
    await left(await begun(again.answer(asked(asks_again=lambda: True), painter.paint)))
    await again.aclose()
    assert painter.cancelled == 2


async def test_a_failure_that_could_not_be_told_is_told_to_the_next_attempt_alone() -> None:
    painter, again = Painter(), repeats()
    painter.may_end.set()
    again.keep_failure(asked(), EngineError("in vain"))
    assert await again.answer(asked(), painter.paint) == "picture 1"
    with pytest.raises(EngineError, match="in vain"):
        await again.answer(asked(retry_count=1), painter.paint)
    assert await again.answer(asked(retry_count=1), painter.paint) == "picture 2"


async def test_what_waits_for_retries_is_bounded() -> None:
    painter, again = Painter(), repeats()
    for _ in range(LOST_MAX + 1):
        await left(await begun(again.answer(asked(asks_again=lambda: True), painter.paint)))
    assert painter.cancelled == 1
    await again.aclose()
