"""Which step is next."""

from __future__ import annotations

import statistics
import time

import msgspec
import pytest
from step_requests import LARGE, OTHER, SMALL, call_of, costs_of, ids, request_of

from calotype_provider.local.scheduling import FIRST_COME_TIMES_MAX, Scheduler, StepRequest
from calotype_provider.local.step_costs import StepCosts


def test_the_shortest_remaining_time_goes_first_and_not_the_fewest_steps() -> None:
    scheduler = Scheduler(costs_of({SMALL: 0.1, LARGE: 1.0}))
    scheduler.add(request_of("slow steps", 3, shape=LARGE), 0.0)
    scheduler.add(request_of("quick steps", 20), 0.0)
    calls = [call_of("slow steps", shape=LARGE, steps=3), call_of("quick steps", steps=20)]
    assert ids(scheduler.next_batch(calls, 0.0)) == ["quick steps"]


def test_of_equals_the_one_that_came_first_goes_first() -> None:
    scheduler = Scheduler(costs_of({SMALL: 0.1}))
    for request_id in ("first", "second"):
        scheduler.add(request_of(request_id, 4), 0.0)
    assert ids(scheduler.next_batch([call_of("second"), call_of("first")], 0.0)) == ["first"]


def test_nothing_waits_so_nothing_runs() -> None:
    scheduler = Scheduler(StepCosts())
    scheduler.add(request_of("encoding", 4), 0.0)
    assert scheduler.next_batch([], 0.0) == ()


def test_who_waits_without_having_been_added_is_added() -> None:
    scheduler = Scheduler(StepCosts())
    assert ids(scheduler.next_batch([call_of("unknown")], 0.0)) == ["unknown"]
    assert len(scheduler) == 1


def test_calls_that_share_a_key_share_a_forward_shortest_first_within_the_budget() -> None:
    costs = costs_of({SMALL: 0.1}, overhead=1.0)
    assert costs.token_budget(SMALL) == 5 * SMALL.tokens
    scheduler = Scheduler(costs)
    calls = [call_of(f"{steps} steps", steps=steps, merge_key="alike") for steps in (9, 8, 7, 6, 5, 4)]
    batch = scheduler.next_batch([*calls, call_of("unlike", steps=5, merge_key="other")], 0.0)
    assert ids(batch) == ["4 steps", "5 steps", "6 steps", "7 steps", "8 steps"]


def test_calls_without_a_key_never_share() -> None:
    scheduler = Scheduler(costs_of({SMALL: 0.1}, overhead=100.0))
    assert len(scheduler.next_batch([call_of("first"), call_of("second")], 0.0)) == 1


def test_nothing_is_merged_where_the_table_shows_no_gain() -> None:
    scheduler = Scheduler(costs_of({SMALL: 0.1}))
    assert len(scheduler.next_batch([call_of(name, merge_key="alike") for name in "abcd"], 0.0)) == 1


def test_a_call_over_the_budget_runs_alone() -> None:
    costs = costs_of({SMALL: 0.1}, overhead=1.0)
    large = [msgspec.structs.replace(call_of(name, merge_key="any size"), tokens=4000) for name in "ab"]
    assert len(Scheduler(costs).next_batch(large, 0.0)) == 1
    mixed = [call_of("small", steps=1, merge_key="any size"), *large]
    assert ids(Scheduler(costs).next_batch(mixed, 0.0)) == ["small"]


def test_a_denoiser_that_nobody_can_read_runs_alone() -> None:
    unread = msgspec.structs.replace(call_of("unread"), tokens=0)
    assert ids(Scheduler(StepCosts()).next_batch([unread], 0.0)) == ["unread"]


def test_who_shares_a_forward_counts_as_shorter() -> None:
    """Five rows of 6 steps at 0.12 s a row are nearer to their end than one row of 4 at 0.2 s."""
    scheduler = Scheduler(costs_of({SMALL: 0.1, OTHER: 0.1}, overhead=1.0))
    calls = [call_of(name, steps=6, merge_key="alike") for name in "abcde"]
    assert len(scheduler.next_batch([call_of("short", shape=OTHER, steps=4), *calls], 0.0)) == 5


def test_who_waits_long_enough_goes_before_shorter_ones() -> None:
    """A stream of short pictures that would hold up a long one for ever, in shortest-first order."""
    scheduler = Scheduler(costs_of({SMALL: 1.0}))
    scheduler.add(request_of("long", 10), 0.0)
    done, now = 0, 0.0
    while done < 10 and now < 100:
        scheduler.add(request_of(f"short {now}", 1), now)
        [call] = scheduler.next_batch([call_of("long", steps=10, done=done), call_of(f"short {now}", steps=1)], now)
        done += call.request_id == "long"
        scheduler.remove(f"short {now}")
        now += 1.0
    assert now == FIRST_COME_TIMES_MAX * 10


def test_a_request_that_calls_more_often_than_announced_does_not_look_short() -> None:
    scheduler = Scheduler(costs_of({SMALL: 0.1}))
    scheduler.add(request_of("second order", 1), 0.0)
    scheduler.add(request_of("short", 4), 0.0)
    assert ids(scheduler.next_batch([call_of("second order", steps=30), call_of("short")], 0.0)) == ["short"]


def test_a_request_that_goes_on_after_all_its_announced_calls_gets_them_nevertheless() -> None:
    scheduler = Scheduler(costs_of({SMALL: 0.1}))
    scheduler.add(request_of("two calls a step", 4), 0.0)
    for done in (0, 0, 1, 1, 2, 2, 3, 3):
        assert ids(scheduler.next_batch([call_of("two calls a step", done=done)], 0.0)) == ["two calls a step"]


def test_time_after_the_last_step_counts() -> None:
    scheduler = Scheduler(costs_of({SMALL: 0.1}))
    scheduler.add(StepRequest(request_id="decodes long", shape=SMALL, calls=3, other_seconds=0.5), 0.0)
    scheduler.add(request_of("short", 4), 0.0)
    assert ids(scheduler.next_batch([call_of("decodes long", steps=3), call_of("short")], 0.0)) == ["short"]


def test_a_newcomer_is_told_its_place_and_what_it_is_promised() -> None:
    scheduler = Scheduler(costs_of({SMALL: 1.0}))
    for request_id, steps in (("long", 50), ("short", 4)):
        scheduler.add(request_of(request_id, steps), 0.0)
    scheduler.next_batch([call_of("short")], 10.0)
    estimate = scheduler.wait_seconds_estimate(request_of("newcomer", 10), 10.5)
    assert estimate.seconds == pytest.approx(0.5 + 3 + 10)
    assert estimate.seconds_max == pytest.approx(3 * (0.5 + 3 + 50 + 10))
    assert len(scheduler) == 2


def test_a_table_that_learns_moves_no_limit() -> None:
    costs = costs_of({SMALL: 1.0, OTHER: 1.0})
    scheduler = Scheduler(costs)
    scheduler.add(request_of("announced at 1 s a step", 4), 0.0)
    for _ in range(9):
        costs.measured(SMALL, 1, seconds=50.0)
    scheduler.next_batch([call_of("announced at 1 s a step")], 0.0)
    assert scheduler.wait_seconds_estimate(request_of("newcomer", 1, shape=OTHER), 0.0).seconds_max == 3 * (1 + 3 + 1)


def test_removing_is_for_anybody_at_any_time() -> None:
    scheduler = Scheduler(StepCosts())
    scheduler.remove("unknown")
    scheduler.add(request_of("cancelled", 4), 0.0)
    scheduler.remove("cancelled")
    scheduler.remove("cancelled")
    assert len(scheduler) == 0
    scheduler.add(request_of("cancelled", 4), 0.0)
    assert ids(scheduler.next_batch([call_of("cancelled")], 0.0)) == ["cancelled"]


def test_who_is_late_already_does_not_keep_others_apart() -> None:
    """A broken announcement must not cost everybody the gain of sharing forwards."""
    scheduler = Scheduler(costs_of({SMALL: 1.0, OTHER: 1.0}, overhead=1.0))
    scheduler.add(request_of("announced one", 1, shape=OTHER), 0.0)
    for done in range(20):
        scheduler.next_batch([call_of("announced one", shape=OTHER, steps=40, done=done)], 2.0 * done)
    calls = [call_of(name, steps=30, merge_key="alike") for name in "abc"]
    assert len(scheduler.next_batch(calls, 40.0)) == 3


@pytest.mark.parametrize("keys", [1, 40, 2000])
def test_two_thousand_waiting_requests_are_decided_in_milliseconds(keys: int) -> None:
    scheduler = Scheduler(costs_of({SMALL: 0.01}, overhead=2.0))
    calls = [call_of(str(index), steps=1 + index % 50, merge_key=index % keys) for index in range(2000)]
    scheduler.next_batch(calls, 0.0)
    taken = []
    for _ in range(15):
        started = time.perf_counter()
        scheduler.next_batch(calls, 0.0)
        taken.append(time.perf_counter() - started)
    # 1 to 3 ms on a quiet core; the machines of tests are not quiet.
    assert statistics.median(taken) < 0.03
