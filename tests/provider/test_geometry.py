"""Arithmetic on sizes and ratios."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_provider.errors import InvalidCallError
from calotype_provider.geometry import (
    agree,
    aspect_ratio_of,
    nearest_size,
    parse_aspect_ratio,
    parse_size,
    ratio_distance,
    size_for,
)
from calotype_provider.types import SIDE_PIXELS_MAX, AspectRatio, Size

sides = st.integers(1, SIDE_PIXELS_MAX)
sizes = st.builds(Size, sides, sides)


@given(sizes)
def test_a_size_reads_back_as_it_is_written(size: Size) -> None:
    assert parse_size(str(size)) == size


@given(st.builds(AspectRatio, st.integers(1, 10_000), st.integers(1, 10_000)))
def test_a_ratio_reads_back_as_it_is_written(ratio: AspectRatio) -> None:
    assert parse_aspect_ratio(str(ratio)) == ratio


@pytest.mark.parametrize(
    "text",
    ["banana", "", "1024", "0x0", "0x64", "64x0", "16385x16", "-64x64", "64x64x64", "1e3x64", "६४x६४", "9" * 400],
)
def test_what_is_no_size_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        parse_size(text)
    assert caught.value.parameter == "size"
    assert len(str(caught.value)) < 200


@given(st.text(max_size=40))
def test_any_text_is_a_size_or_an_invalid_call(text: str) -> None:
    try:
        size = parse_size(text)
    except InvalidCallError:
        return
    assert min(size.width, size.height) >= 1
    assert max(size.width, size.height) <= SIDE_PIXELS_MAX


@pytest.mark.parametrize("text", ["16", "0:1", "1:0", "10001:1", "16:9:4", "wide", "-1:1"])
def test_what_is_no_ratio_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        parse_aspect_ratio(text)
    assert caught.value.parameter == "aspect_ratio"


def test_the_ratio_is_in_lowest_terms() -> None:
    assert str(aspect_ratio_of(Size(1792, 1024))) == "7:4"


@given(sizes, sizes)
def test_distance_does_not_care_for_order_or_orientation(first: Size, second: Size) -> None:
    turned = Size(first.height, first.width), Size(second.height, second.width)
    distance = ratio_distance(first, second)
    assert distance == pytest.approx(ratio_distance(second, first), abs=1e-9)
    assert distance == pytest.approx(ratio_distance(*turned), abs=1e-9)


def test_a_tutorials_1792x1024_agrees_with_16_to_9_and_not_with_4_to_3() -> None:
    assert agree(Size(1792, 1024), AspectRatio(16, 9))
    assert not agree(Size(1792, 1024), AspectRatio(4, 3))


def test_the_nearest_size_is_nearest_in_shape_before_area() -> None:
    available = [Size(128, 128), Size(176, 96), Size(160, 96), Size(512, 512)]
    assert nearest_size(available, ratio=Size(1792, 1024), pixels=1792 * 1024) == Size(176, 96)
    assert nearest_size(available, ratio=AspectRatio(1, 1), pixels=200 * 200) == Size(128, 128)
    assert nearest_size(available, ratio=AspectRatio(1, 1), pixels=1024 * 1024) == Size(512, 512)


@given(
    ratio=st.builds(AspectRatio, st.integers(1, 64), st.integers(1, 64)),
    pixels=st.integers(1, 20_000_000),
    multiple_of=st.sampled_from([8, 16, 32, 64]),
)
def test_a_size_for_a_ratio_keeps_every_bound(ratio: AspectRatio, pixels: int, multiple_of: int) -> None:
    size = size_for(
        ratio, pixels=min(pixels, 4_194_304), multiple_of=multiple_of, side_min=256, side_max=2048, pixels_max=4_194_304
    )
    if ratio_distance(ratio, AspectRatio(1, 1)) <= math.log(3):
        assert size is not None
    if size is not None:
        assert size.width % multiple_of == size.height % multiple_of == 0
        assert min(size.width, size.height) >= 256
        assert max(size.width, size.height) <= 2048
        assert size.pixels <= 4_194_304
        assert ratio_distance(size, ratio) <= math.log(1.25)


def test_a_megapixel_at_16_to_9() -> None:
    bounds = {"multiple_of": 16, "side_min": 256, "side_max": 2048, "pixels_max": 4_194_304}
    assert size_for(AspectRatio(16, 9), pixels=1024 * 1024, **bounds) == Size(1360, 768)
    assert size_for(AspectRatio(1, 1), pixels=1024 * 1024, **bounds) == Size(1024, 1024)
