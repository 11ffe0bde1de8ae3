"""What became of a picture is kept for a while, and within bounds."""

from __future__ import annotations

from engine_requests import painted_as

from calotype_provider.local.messages import Cancelled
from calotype_provider.local.outcomes import OUTCOME_SECONDS_MAX, OUTCOMES_BYTES_MAX, OUTCOMES_MAX, Outcomes


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_oldest_goes_when_there_are_too_many() -> None:
    outcomes = Outcomes(clock=Clock())
    for number in range(OUTCOMES_MAX + 1):
        outcomes.keep(str(number), Cancelled(str(number)))
    assert outcomes.get("0") is None
    assert outcomes.get("1") == Cancelled("1")
    assert outcomes.get(str(OUTCOMES_MAX)) == Cancelled(str(OUTCOMES_MAX))


def test_the_oldest_go_when_they_are_too_large_together() -> None:
    outcomes = Outcomes(clock=Clock())
    third = OUTCOMES_BYTES_MAX // 3
    for name in ("a", "b", "c"):
        outcomes.keep(name, painted_as(name, size=third))
    assert outcomes.get("a") == painted_as("a", size=third)
    outcomes.keep("d", painted_as("d", size=third))
    assert outcomes.get("a") is None
    assert outcomes.get("b") is not None
    outcomes.forget("b")
    outcomes.keep("e", painted_as("e", size=third))
    assert outcomes.get("c") is not None


def test_one_that_is_larger_than_all_may_be_is_not_kept() -> None:
    outcomes = Outcomes(clock=Clock())
    outcomes.keep("huge", painted_as("huge", size=OUTCOMES_BYTES_MAX + 1))
    assert outcomes.get("huge") is None
    outcomes.keep("small", painted_as("small"))
    assert outcomes.get("small") == painted_as("small")


def test_a_minute_later_it_is_forgotten() -> None:
    clock = Clock()
    outcomes = Outcomes(clock=clock)
    outcomes.keep("a", Cancelled("a"))
    clock.now += OUTCOME_SECONDS_MAX / 2
    outcomes.keep("b", Cancelled("b"))
    clock.now += OUTCOME_SECONDS_MAX / 2
    assert outcomes.get("a") is None
    assert outcomes.get("b") == Cancelled("b")
