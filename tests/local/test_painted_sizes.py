"""What is said to whoever asks for a picture that does not fit."""

from __future__ import annotations

import msgspec
import pytest
from engine_requests import paint

from calotype_provider.local.messages import Paint
from calotype_provider.local.painted_sizes import SIZES_MAX, PaintedSizes


def sized(width: int, height: int, *, model_id: str = "a/one") -> Paint:
    return msgspec.structs.replace(paint(model_id=model_id), width=width, height=height)


def test_the_largest_smaller_size_that_was_painted() -> None:
    sizes = PaintedSizes()
    for side in (512, 768, 256, 2048):
        sizes.learn(sized(side, side))
    sizes.learn(sized(1024, 1024, model_id="b/two"))
    assert sizes.advice(sized(1024, 1024)) == "768x768 has"
    assert sizes.advice(sized(1024, 512)) == "512x512 has"


@pytest.mark.parametrize(
    ("width", "height", "advice"),
    [(1024, 1024, ", 720x720"), (1536, 1024, ", 1088x720"), (512, 2048, ", 352x1440"), (16, 16, "")],
)
def test_half_the_pixels_of_a_model_that_has_painted_nothing_smaller(width: int, height: int, advice: str) -> None:
    sizes = PaintedSizes()
    sizes.learn(sized(width, height))
    assert sizes.advice(sized(width, height)) == f"half the pixels may{advice}"


def test_what_an_unloaded_model_painted_is_forgotten_and_so_is_what_was_long_ago() -> None:
    sizes = PaintedSizes()
    sizes.learn(sized(512, 512, model_id="b/two"))
    sizes.forget("b/two")
    assert sizes.advice(sized(1024, 1024, model_id="b/two")).startswith("half")
    for number in range(1, SIZES_MAX + 2):
        sizes.learn(sized(16, 16 * number))
    assert sizes.advice(sized(16, 32)).startswith("half")
    assert sizes.advice(sized(16, 48)) == "16x32 has"
