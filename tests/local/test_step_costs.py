"""The table of what forwards cost."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_provider.local.step_costs import (
    MEASUREMENTS_MIN,
    RETRIED_AFTER_FORWARDS,
    ROWS_MAX,
    SECONDS_PER_TOKEN_GUESS,
    SHAPES_MAX,
    StepCosts,
    StepShape,
)

SHAPE = StepShape("tests/flux", 64)
LARGER = StepShape("tests/flux", 256)
OTHER_MODEL = StepShape("tests/sd3", 64)


def learn(
    costs: StepCosts, seconds_of: Callable[[int], float], *, shape: StepShape = SHAPE, bytes_per_row: int = 0
) -> None:
    """Run what the table wants to know, until it knows."""
    while (rows := costs.rows_to_try(shape)) is not None:
        costs.measured(shape, rows, seconds=seconds_of(rows), peak_bytes=rows * bytes_per_row)


def affine(overhead: float, per_row: float = 1.0) -> Callable[[int], float]:
    return lambda rows: overhead + per_row * rows


def test_before_any_measurement_a_forward_is_guessed_by_its_tokens() -> None:
    costs = StepCosts()
    assert costs.seconds(SHAPE, 2) == pytest.approx(128 * SECONDS_PER_TOKEN_GUESS)
    assert costs.seconds(LARGER) == 4 * costs.seconds(SHAPE)
    assert costs.peak_bytes(SHAPE) == 0
    assert costs.token_budget(SHAPE) == SHAPE.tokens
    assert not costs.pays(SHAPE, 1)


def test_one_disturbed_forward_changes_nothing() -> None:
    costs = StepCosts()
    for seconds in (9.0, 0.5, 0.5, 0.1, 0.5, 30.0):
        costs.measured(SHAPE, 1, seconds=seconds)
    assert costs.seconds(SHAPE) == 0.5


def test_of_two_measurements_the_lower_counts() -> None:
    costs = StepCosts()
    costs.measured(SHAPE, 1, seconds=9.0)
    costs.measured(SHAPE, 1, seconds=0.5)
    assert costs.seconds(SHAPE) == 0.5


def test_the_newest_measurements_replace_the_old_ones() -> None:
    costs = StepCosts()
    for seconds in [0.5] * 50 + [0.2] * 6:
        costs.measured(SHAPE, 1, seconds=seconds)
    assert costs.seconds(SHAPE) == 0.2


def test_row_counts_between_two_measured_ones_lie_on_their_line() -> None:
    costs = StepCosts()
    costs.measured(SHAPE, 2, seconds=3.0, peak_bytes=100)
    costs.measured(SHAPE, 6, seconds=5.0, peak_bytes=300)
    assert costs.seconds(SHAPE, 4) == pytest.approx(4.0)
    assert costs.peak_bytes(SHAPE, 4) == 200


def test_beyond_what_is_measured_no_gain_is_promised() -> None:
    costs = StepCosts()
    costs.measured(SHAPE, 4, seconds=4.0, peak_bytes=400)
    assert costs.seconds(SHAPE, 8) == pytest.approx(8.0)
    assert costs.seconds(SHAPE, 1) == pytest.approx(1.0)
    assert costs.peak_bytes(SHAPE, 8) == 800


def test_an_unmeasured_shape_is_guessed_from_the_others_of_its_model() -> None:
    costs = StepCosts()
    costs.measured(SHAPE, 1, seconds=1.0, peak_bytes=10)
    costs.measured(LARGER, 1, seconds=7.0, peak_bytes=70)
    between = StepShape(SHAPE.model_id, 160)
    assert costs.seconds(between) == pytest.approx(4.0)
    assert costs.seconds(between, 3) == pytest.approx(12.0)
    assert costs.peak_bytes(between) == 40
    assert costs.seconds(OTHER_MODEL) == pytest.approx(64 * SECONDS_PER_TOKEN_GUESS)


@pytest.mark.parametrize(
    ("seconds_of", "rows"),
    [
        (affine(0.0), 1),
        (affine(0.05), 1),
        (affine(0.15), 2),
        (affine(1.0), 5),
        (affine(3.7), 9),
        (affine(1000.0), ROWS_MAX),
        (lambda rows: rows**1.2, 1),
    ],
    ids=["none", "little", "256 tokens", "128 tokens", "64 tokens", "launch-bound", "worse"],
)
def test_a_batch_grows_while_one_row_more_pays(seconds_of: Callable[[int], float], rows: int) -> None:
    costs = StepCosts(explores=False)
    learn(costs, seconds_of)
    assert costs.token_budget(SHAPE) == rows * SHAPE.tokens
    assert [costs.pays(SHAPE, count) for count in range(1, rows + 1)] == [True] * (rows - 1) + [False]


@given(overhead=st.floats(0, 20), seed=st.integers(0, 999))
def test_noise_costs_little_of_what_sharing_gains(overhead: float, seed: int) -> None:
    noise, true_seconds = random.Random(seed), affine(overhead)
    costs = StepCosts(explores=False)
    learn(costs, lambda rows: true_seconds(rows) * noise.uniform(0.98, 1.02))
    rows = costs.token_budget(SHAPE) // SHAPE.tokens
    assert true_seconds(rows) / rows <= true_seconds(1) * 1.001
    assert true_seconds(rows) / rows <= true_seconds(2) / 2 * 1.08


def test_learning_takes_few_forwards_and_doubles_the_rows() -> None:
    tried: list[int] = []

    def seconds_of(rows: int) -> float:
        tried.append(rows)
        return 10.0 + rows

    learn(StepCosts(), seconds_of)
    assert tried == [rows for rows in (1, 2, 4, 8, 16) for _ in range(MEASUREMENTS_MIN)]


def test_only_who_explores_lets_rows_together_that_are_not_known_to_pay() -> None:
    for explores, rows in ((True, 2), (False, 1)):
        costs = StepCosts(explores=explores)
        for _ in range(MEASUREMENTS_MIN):
            costs.measured(SHAPE, 1, seconds=1.0)
        assert costs.token_budget(SHAPE) == rows * SHAPE.tokens


def test_a_verdict_from_a_bad_moment_is_tried_again() -> None:
    costs = StepCosts()
    learn(costs, lambda rows: 1.0 if rows == 1 else 10.0)
    assert costs.token_budget(SHAPE) == SHAPE.tokens
    for _ in range(RETRIED_AFTER_FORWARDS):
        costs.measured(SHAPE, 1, seconds=1.0)
    assert costs.rows_to_try(SHAPE) == 2
    learn(costs, lambda rows: 0.9 + 0.1 * rows)
    assert costs.token_budget(SHAPE) > 4 * SHAPE.tokens


def test_a_shape_that_never_shares_keeps_its_measurements() -> None:
    costs = StepCosts()
    for _ in range(3 * RETRIED_AFTER_FORWARDS):
        costs.measured(SHAPE, 1, seconds=2.0)
    assert costs.seconds(SHAPE) == 2.0


def test_the_peak_of_a_forward_stays_within_its_bytes() -> None:
    costs = StepCosts(bytes_max=500)
    learn(costs, affine(1000.0), bytes_per_row=100)
    assert costs.peak_bytes(SHAPE, 5) == 500
    assert costs.token_budget(SHAPE) <= 5 * SHAPE.tokens


def test_a_single_row_may_always_run() -> None:
    costs = StepCosts(bytes_max=50)
    learn(costs, affine(1000.0), bytes_per_row=100)
    costs.out_of_memory(SHAPE, 1)
    assert costs.token_budget(SHAPE) == SHAPE.tokens


def test_as_many_tokens_as_did_not_fit_are_not_merged_again() -> None:
    costs = StepCosts()
    for shape in (SHAPE, LARGER, OTHER_MODEL):
        learn(costs, affine(1000.0), shape=shape)
    costs.out_of_memory(SHAPE, 8)
    costs.out_of_memory(SHAPE, 16)
    assert costs.token_budget(SHAPE) == 7 * SHAPE.tokens
    assert costs.token_budget(LARGER) == LARGER.tokens
    assert costs.token_budget(OTHER_MODEL) == ROWS_MAX * OTHER_MODEL.tokens


def test_a_model_that_is_unloaded_leaves_nothing() -> None:
    costs = StepCosts()
    learn(costs, affine(1000.0))
    costs.out_of_memory(SHAPE, 2)
    assert costs.knows(SHAPE.model_id)
    costs.forget(SHAPE.model_id)
    assert not costs.knows(SHAPE.model_id)
    assert costs.seconds(SHAPE) == pytest.approx(SHAPE.tokens * SECONDS_PER_TOKEN_GUESS)
    learn(costs, affine(1000.0))
    assert costs.token_budget(SHAPE) == ROWS_MAX * SHAPE.tokens


def test_no_more_shapes_are_kept_than_the_bound() -> None:
    costs = StepCosts()
    for tokens in range(1, SHAPES_MAX + 2):
        costs.measured(StepShape("tests/flux", tokens), 1, seconds=5.0)
    costs.measured(StepShape("tests/flux", 1), 1, seconds=9.0)
    assert costs.seconds(StepShape("tests/flux", 1)) == 9.0, "the shape measured longest ago was kept"


def test_a_clock_that_saw_nothing_costs_a_little_even_so() -> None:
    costs = StepCosts()
    costs.measured(SHAPE, 1, seconds=0.0)
    assert costs.seconds(SHAPE) > 0


rows_counts = st.integers(1, ROWS_MAX)
measurements = st.lists(
    st.tuples(st.sampled_from([SHAPE, LARGER, OTHER_MODEL]), rows_counts, st.floats(0, 100), st.integers(0, 10**12)),
    max_size=40,
)


@given(measurements=measurements, rows=rows_counts, explores=st.booleans())
def test_whatever_was_measured_every_answer_makes_sense(
    measurements: list[tuple[StepShape, int, float, int]], rows: int, explores: bool
) -> None:
    costs = StepCosts(bytes_max=10**11, explores=explores)
    for shape, count, seconds, peak_bytes in measurements:
        costs.measured(shape, count, seconds=seconds, peak_bytes=peak_bytes)
    for shape in (SHAPE, LARGER, OTHER_MODEL):
        assert costs.seconds(shape, rows) > 0
        assert costs.peak_bytes(shape, rows) >= 0
        budget = costs.token_budget(shape)
        assert budget % shape.tokens == 0
        assert 1 <= budget // shape.tokens <= ROWS_MAX
        assert budget == shape.tokens or costs.peak_bytes(shape, budget // shape.tokens) <= 10**11
