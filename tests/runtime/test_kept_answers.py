"""How much is kept of what was answered, and how long."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from calotype_provider.errors import EngineError, IdempotencyKeyReusedError
from calotype_runtime.kept_answers import ENTRY_BYTES, KeptAnswers, Name

BODY = b"body"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def name(text: str, caller: str = "ada", kind: Literal["key", "seed", "body"] = "key") -> Name:
    return Name(caller, kind, text)


def filled(names: list[Name], **bounds: Any) -> KeptAnswers[str]:
    answers = KeptAnswers[str](len, clock=Clock(), **bounds)
    for each in names:
        answers.keep(each, BODY, "12345", seconds=600)
    return answers


def kept(answers: KeptAnswers[str], names: list[Name]) -> list[bool]:
    return [answers.get(each, BODY) is not None for each in names]


def test_an_answer_is_kept_until_its_time_is_over() -> None:
    clock = Clock()
    answers = KeptAnswers[str](len, clock=clock)
    answers.keep(name("k"), BODY, "picture", seconds=600)
    answers.keep(name("short"), BODY, EngineError("in vain"), seconds=15)
    clock.now = 14.9
    with pytest.raises(EngineError, match="in vain"):
        answers.get(name("short"), BODY)
    clock.now = 599.9
    assert answers.get(name("short"), BODY) is None
    assert answers.get(name("k"), BODY) == "picture"
    clock.now = 600.0
    assert answers.get(name("k"), BODY) is None
    assert (answers._bytes, answers._counts) == (0, {})


def test_a_name_with_another_body_is_refused() -> None:
    with pytest.raises(IdempotencyKeyReusedError, match="'k'"):
        filled([name("k")]).get(name("k"), b"another")


def test_a_caller_with_too_many_loses_its_own_oldest() -> None:
    names = [name("of bob", "bob"), *(name(text) for text in "abc"), name("a", kind="seed")]
    assert kept(filled(names, per_caller_max=2), names) == [True, False, True, True, True]


@pytest.mark.parametrize("bounds", [{"answers_max": 3}, {"bytes_max": 3 * (ENTRY_BYTES + 5)}], ids=["count", "bytes"])
def test_what_can_be_painted_again_goes_first(bounds: dict[str, int]) -> None:
    names = [name("a"), name("b", kind="seed"), name("c"), name("d"), name("e")]
    assert kept(filled(names, **bounds), names) == [False, False, True, True, True]


def test_an_answer_beyond_all_bounds_is_not_kept() -> None:
    answers = filled([name("a")], bytes_max=ENTRY_BYTES + 100)
    answers.keep(name("b"), BODY, "x" * 200, seconds=600)
    assert kept(answers, [name("a"), name("b")]) == [False, False]


def test_an_answer_that_comes_again_counts_once() -> None:
    answers = filled([name("a")] * 5)
    assert (answers._bytes, answers._counts["ada", "key"]) == (ENTRY_BYTES + 5, 1)
