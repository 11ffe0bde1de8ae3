"""Answers that take long: when they begin, what keeps them alive, and how they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from calotype_provider.errors import EngineError, ModelBusyError
from calotype_runtime import late_answer
from calotype_runtime.late_answer import LateAnswer

SCOPE: Any = {"type": "http"}


class Caller:
    """Waits for as long as it is let, and keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> Any:
        await asyncio.Event().wait()

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def has_all(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body") is False


def answer(
    seconds: float, *, error: Exception | None = None, tell: Callable[[Exception], list[bytes] | None] = lambda _: None
) -> LateAnswer:
    async def work() -> list[bytes]:
        await asyncio.sleep(seconds)
        if error is not None:
            raise error
        return [b'{"a": ', b"1}"]

    return LateAnswer(work(), headers=dict, tell_late=tell, begin_seconds_max=0.1, space_seconds=0.1)


async def sent(late: LateAnswer) -> Caller:
    caller = Caller()
    await late.begin()
    await late(SCOPE, caller.receive, caller.send)
    return caller


def test_the_status_can_tell_the_truth_for_a_minute() -> None:
    assert (late_answer.BEGIN_SECONDS_MAX, late_answer.SPACE_SECONDS) == (60, 15)


async def test_what_is_done_in_time_has_its_length_and_no_spaces() -> None:
    caller = await sent(answer(0))
    assert (caller.body, caller.has_all) == (b'{"a": 1}', True)
    assert dict(caller.sent[0]["headers"])[b"content-length"] == b"8"


async def test_what_takes_longer_begins_and_says_a_space_now_and_then() -> None:
    caller = await sent(answer(0.55))
    spaces = len(caller.body) - len(caller.body.lstrip(b" "))
    # One at once, and one each tenth of a second of the four or so that are left.
    assert 3 <= spaces <= 6
    assert (caller.body.strip(), caller.has_all) == (b'{"a": 1}', True)
    assert b"content-length" not in dict(caller.sent[0]["headers"])


async def test_what_fails_in_time_is_raised_before_anything_is_sent() -> None:
    with pytest.raises(ModelBusyError):
        await sent(answer(0, error=ModelBusyError("busy", retry_after_seconds=1)))


async def test_what_fails_late_breaks_off_where_no_error_may_stand() -> None:
    told: list[Exception] = []
    error = EngineError("in vain")
    caller = await sent(answer(0.2, error=error, tell=told.append))
    assert told == [error]
    assert not caller.has_all
    assert caller.body.strip() == b""


async def test_what_fails_late_is_told_where_an_error_may_stand() -> None:
    caller = await sent(answer(0.2, error=EngineError("in vain"), tell=lambda error: [str(error).encode()]))
    assert (caller.body.strip(), caller.has_all) == (b"in vain", True)
