"""How long a picture will take, by those before it."""

import pytest

from calotype_provider.local.messages import Paint
from calotype_provider.local.paces import SECONDS_PER_PICTURE_GUESS, Paces


def paint(model_id: str = "a/one", *, steps: int = 10, width: int = 128) -> Paint:
    return Paint(
        request_id="r", model_id=model_id, prompt="a fox", seed=0, width=width, height=128, num_inference_steps=steps
    )


def test_an_unknown_model_is_guessed() -> None:
    assert Paces().estimate_seconds(paint()) == SECONDS_PER_PICTURE_GUESS


def test_time_grows_with_steps_and_pixels_and_belongs_to_its_model() -> None:
    paces = Paces()
    paces.learn(paint(steps=10), 2.0)
    assert paces.estimate_seconds(paint(steps=10)) == pytest.approx(2.0)
    assert paces.estimate_seconds(paint(steps=5)) == pytest.approx(1.0)
    assert paces.estimate_seconds(paint(steps=10, width=256)) == pytest.approx(4.0)
    assert paces.estimate_seconds(paint("b/two")) == SECONDS_PER_PICTURE_GUESS


def test_one_slow_picture_does_not_change_everything() -> None:
    paces = Paces()
    for _ in range(10):
        paces.learn(paint(), 1.0)
    paces.learn(paint(), 11.0)
    assert paces.estimate_seconds(paint()) == pytest.approx(3.0)
