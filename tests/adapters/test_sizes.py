"""`size`, `width` and `height`: one wish in several fields."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_adapters.sizes import asked_size
from calotype_provider.errors import InvalidCallError
from calotype_provider.types import SIDE_PIXELS_MAX, Size


@pytest.mark.parametrize(
    ("size", "width", "height", "asked"),
    [
        (None, None, None, None),
        ("auto", None, None, None),
        ("AUTO", None, None, None),
        ("auto", 64, 32, Size(64, 32)),
        ("1792x1024", None, None, Size(1792, 1024)),
        ("1024x1024", 1024, 1024, Size(1024, 1024)),
        (None, 1, SIDE_PIXELS_MAX, Size(1, SIDE_PIXELS_MAX)),
        ("1x16384", None, None, Size(1, SIDE_PIXELS_MAX)),
    ],
)
def test_the_size_asked(size: str | None, width: int | None, height: int | None, asked: Size | None) -> None:
    assert asked_size(size, width=width, height=height) == asked


@pytest.mark.parametrize(
    ("size", "width", "height", "parameter"),
    [
        ("banana", None, None, "size"),
        ("", None, None, "size"),
        ("0x0", None, None, "size"),
        ("16385x16", None, None, "size"),
        ("-1x16", None, None, "size"),
        ("1.5x2", None, None, "size"),
        ("1024x1024", 1024, 512, "size"),
        (None, 512, None, "height"),
        (None, None, 512, "width"),
        ("512x512", 512, None, "height"),
        (None, 0, 512, "width"),
        (None, 512, -1, "height"),
        (None, 512, SIDE_PIXELS_MAX + 1, "height"),
        (None, 0, None, "width"),
    ],
)
def test_a_wrong_size_names_its_field(size: str | None, width: int | None, height: int | None, parameter: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        asked_size(size, width=width, height=height)
    assert caught.value.parameter == parameter


@given(st.none() | st.text(), st.none() | st.integers(), st.none() | st.integers())
def test_any_wish_is_read_or_refused(size: str | None, width: int | None, height: int | None) -> None:
    with contextlib.suppress(InvalidCallError):
        asked = asked_size(size, width=width, height=height)
        assert asked is None or 1 <= min(asked.width, asked.height) <= max(asked.width, asked.height) <= SIDE_PIXELS_MAX
