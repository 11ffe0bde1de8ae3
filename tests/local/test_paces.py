"""How long a picture will hold the device, by what the worker's table says of others."""

from __future__ import annotations

import msgspec
import pytest

from calotype_provider.local.messages import InputImage, Paint
from calotype_provider.local.paces import SECONDS_PER_PICTURE_GUESS, SHAPES_MAX, Paces, calls_per_step

PICTURE = InputImage(width=1, height=1, data=b"\0\0\0")


def paint(model_id: str = "a/one", *, steps: int = 10, side: int = 128, true_cfg_scale: float | None = None) -> Paint:
    return Paint(
        request_id="r",
        model_id=model_id,
        prompt="a fox",
        seed=0,
        width=side,
        height=side,
        num_inference_steps=steps,
        true_cfg_scale=true_cfg_scale,
    )


def test_an_unknown_model_is_guessed() -> None:
    paces = Paces()
    paces.learn(paint("b/two"), 20.0)
    assert paces.estimate_seconds(paint()) == SECONDS_PER_PICTURE_GUESS
    paces.forget("b/two")
    assert paces.estimate_seconds(paint("b/two")) == SECONDS_PER_PICTURE_GUESS


def test_a_size_seen_before_is_exact_and_others_are_scaled_from_the_nearest() -> None:
    paces = Paces()
    paces.learn(paint(side=128), 2.0)
    assert paces.estimate_seconds(paint(side=256)) == pytest.approx(8.0)
    paces.learn(paint(side=256), 12.0)
    assert paces.estimate_seconds(paint(side=256)) == pytest.approx(12.0)
    assert paces.estimate_seconds(paint(side=128)) == pytest.approx(2.0)
    assert paces.estimate_seconds(paint(side=512)) == pytest.approx(48.0)
    assert paces.estimate_seconds(paint(side=64)) == pytest.approx(0.5)


def test_the_newest_word_of_the_table_counts() -> None:
    paces = Paces()
    paces.learn(paint(), 2.0)
    paces.learn(paint(), 3.0)
    assert paces.estimate_seconds(paint()) == pytest.approx(3.0)


def test_time_grows_with_steps_and_true_guidance_doubles_it() -> None:
    assert [calls_per_step(paint(true_cfg_scale=scale)) for scale in (None, 1.0, 3.0)] == [1, 1, 2]
    paces = Paces()
    paces.learn(paint(steps=10, true_cfg_scale=3.0), 4.0)
    assert paces.estimate_seconds(paint(steps=20, true_cfg_scale=2.0)) == pytest.approx(8.0)
    assert paces.estimate_seconds(paint(steps=10)) == pytest.approx(2.0)


def test_a_picture_that_begins_with_another_takes_the_last_part_of_its_steps() -> None:
    paces = Paces()
    given = msgspec.structs.replace(paint(steps=10), images=(PICTURE,))
    paces.learn(msgspec.structs.replace(given, strength=0.5), 1.0)
    assert paces.estimate_seconds(given) == pytest.approx(2.0)
    # What it reads is not what others pay for, once they were seen.
    paces.learn(paint(steps=10), 1.5)
    assert paces.estimate_seconds(paint(steps=10)) == pytest.approx(1.5)
    assert paces.estimate_seconds(given) == pytest.approx(2.0)


def test_only_so_many_shapes_are_kept() -> None:
    paces = Paces()
    paces.learn(paint("b/two"), 9.0)
    for number in range(SHAPES_MAX):
        paces.learn(paint(side=16 * (number + 1)), 1.0)
    assert paces.estimate_seconds(paint("b/two")) == SECONDS_PER_PICTURE_GUESS
