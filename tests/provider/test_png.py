"""The PNG writer: every pixel comes back, files keep the specification, and are about as small as Pillow's."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from benchmarks.pictures import flat_drawing, grainy_photograph, smooth_photograph, soft_blobs
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from calotype_provider.png import encode_png

Pixels = NDArray[np.uint8]

NONE, SUB, UP, AVERAGE, PAETH = range(5)


def noise(height: int, width: int, samples: int, random: np.random.Generator) -> Pixels:
    return random.integers(0, 256, (height, width, samples), dtype=np.uint8)


def few_values(height: int, width: int, samples: int, random: np.random.Generator) -> Pixels:
    """Neighbours are often equal, and as often equally far from each other."""
    return random.integers(100, 104, (height, width, samples), dtype=np.uint8)


def gradient(height: int, width: int, samples: int, random: np.random.Generator) -> Pixels:
    rows, columns = np.arange(height).reshape(-1, 1, 1), np.arange(width).reshape(1, -1, 1)
    return (rows * 3 + columns * random.integers(-5, 6, samples)).astype(np.uint8)


def flat(height: int, width: int, samples: int, random: np.random.Generator) -> Pixels:
    return np.full((height, width, samples), random.integers(0, 256, samples), np.uint8)


def walk(height: int, width: int, samples: int, random: np.random.Generator) -> Pixels:
    steps = random.integers(-3, 4, (height, width, samples))
    pixels: Pixels = (128 + steps.cumsum(0) + steps.cumsum(1)).clip(0, 255).astype(np.uint8)
    return pixels


CONTENTS = (noise, few_values, gradient, flat, walk)


def decoded(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


def text_of(data: bytes) -> dict[str, str]:
    with Image.open(io.BytesIO(data)) as picture:
        assert isinstance(picture, PngImageFile)
        return {key: str(value) for key, value in picture.text.items()}


class Chunk(NamedTuple):
    kind: bytes
    data: bytes


def chunks_of(data: bytes) -> list[Chunk]:
    """What a PNG consists of, down to its last byte; every checksum is checked."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = [], 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + content),)
        chunks.append(Chunk(kind, content))
        at += 12 + length
    return chunks


def scanlines(data: bytes) -> list[bytes]:
    """Inflated one row at a time in the window that the file announces, as libpng does."""
    (header,) = (chunk.data for chunk in chunks_of(data) if chunk.kind == b"IHDR")
    (rest,) = (chunk.data for chunk in chunks_of(data) if chunk.kind == b"IDAT")
    width, height, depth, colours, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    assert (depth, compression, filtering, interlace) == (8, 0, 0, 0)
    row_bytes = 1 + width * {2: 3, 6: 4}[colours]
    inflater = zlib.decompressobj(0)
    rows = []
    for _ in range(height):
        row = b""
        while len(row) < row_bytes:
            row += inflater.decompress(rest, row_bytes - len(row))
            rest = inflater.unconsumed_tail
        rows.append(row)
    assert inflater.decompress(rest, 1) == b""
    assert inflater.eof
    assert inflater.unused_data == b""
    return rows


@settings(max_examples=150, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    samples=st.sampled_from((3, 4)),
    content=st.sampled_from(CONTENTS),
    seed=st.integers(0, 2**32),
)
def test_every_pixel_comes_back(
    height: int, width: int, samples: int, content: Callable[..., Pixels], seed: int
) -> None:
    pixels = content(height, width, samples, np.random.default_rng(seed))
    data = encode_png(pixels)
    assert np.array_equal(decoded(data), pixels)
    assert [chunk.kind for chunk in chunks_of(data)] == [b"IHDR", b"IDAT", b"IEND"]
    assert {row[0] for row in scanlines(data)} <= set(range(5))


@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (1, 1, 4), (3, 16384, 3), (16384, 2, 4), (1, 300, 3), (300, 1, 3), (700, 130, 3)]
)
def test_any_sides(shape: tuple[int, int, int]) -> None:
    pixels = walk(*shape, np.random.default_rng(0))
    assert np.array_equal(decoded(encode_png(pixels)), pixels)


def vertical_stripes() -> Pixels:
    """With some grain, or the last filter, which looks where it comes from, would do as well."""
    random = np.random.default_rng(0)
    return noise(1, 200, 3, random) // 2 + few_values(200, 200, 3, random)


def soft_with_grain() -> Pixels:
    grain = np.random.default_rng(0).integers(0, 8, (256, 256, 3), dtype=np.uint8)
    return soft_blobs()[384:640, 384:640] // 8 * 7 + grain


def letters() -> Pixels:
    """Dots of a few values that have nothing to do with their neighbours."""
    return np.random.default_rng(0).choice(np.array([7, 90, 201], np.uint8), (200, 200, 3))


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (letters(), NONE),
        (vertical_stripes().swapaxes(0, 1), SUB),
        (vertical_stripes(), UP),
        (soft_with_grain(), AVERAGE),
        (grainy_photograph()[:256, :256], PAETH),
    ],
)
def test_the_filter_is_one_that_suits_the_picture(pixels: Pixels, expected: int) -> None:
    data = encode_png(pixels)
    assert {row[0] for row in scanlines(data)} == {expected}
    assert np.array_equal(decoded(data), pixels)


@pytest.mark.parametrize(
    "view",
    [
        lambda pixels: pixels[::-1],
        lambda pixels: pixels[:, ::-2],
        lambda pixels: pixels[..., ::-1],
        lambda pixels: pixels.swapaxes(0, 1),
        lambda pixels: np.asfortranarray(pixels),
        lambda pixels: pixels[5:50, 7:60],
    ],
)
def test_a_view_is_as_good_as_a_copy(view: Callable[[Pixels], Pixels]) -> None:
    pixels = view(walk(64, 80, 3, np.random.default_rng(0)))
    assert encode_png(pixels) == encode_png(pixels.copy(order="C"))
    assert np.array_equal(decoded(encode_png(pixels)), pixels)


def test_equal_pixels_and_texts_give_equal_bytes_and_are_left_as_they_were() -> None:
    pixels, text = walk(256, 256, 3, np.random.default_rng(0)), {"Software": "Calotype"}
    before = pixels.copy()
    assert encode_png(pixels, text=text) == encode_png(before, text=dict(text))
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize(
    ("picture", "size_ratio_max"),
    [(grainy_photograph, 1.15), (smooth_photograph, 1.25), (soft_blobs, 1.25), (flat_drawing, 2.0)],
)
def test_the_file_is_about_as_small_as_pillows(picture: Callable[[], Pixels], size_ratio_max: float) -> None:
    pixels = picture()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    data = encode_png(pixels)
    assert len(data) <= size_ratio_max * len(file.getvalue())
    assert np.array_equal(decoded(data), pixels)
    assert len(scanlines(data)) == len(pixels)


def test_text_is_latin_1_where_that_is_enough_and_comes_before_the_pixels() -> None:
    text = {"Description": "ein Füchschen,\nrot", "Comment": "赤い狐 🦊", "Software": ""}
    data = encode_png(few_values(4, 4, 3, np.random.default_rng(0)), text=text)
    assert [chunk.kind for chunk in chunks_of(data)] == [b"IHDR", b"tEXt", b"iTXt", b"tEXt", b"IDAT", b"IEND"]
    assert chunks_of(data)[1].data == b"Description\0ein F\xfcchschen,\nrot"
    assert chunks_of(data)[2].data == b"Comment\0\0\0\0\0" + "赤い狐 🦊".encode()
    assert text_of(data) == text


@given(text=st.dictionaries(st.from_regex(r"[!-~]{1,79}", fullmatch=True), st.text(max_size=50), max_size=3))
@settings(max_examples=60, deadline=None)
def test_text_comes_back(text: dict[str, str]) -> None:
    text = {key: value.replace("\0", " ") for key, value in text.items()}
    assert text_of(encode_png(few_values(1, 1, 3, np.random.default_rng(0)), text=text)) == text


@pytest.mark.parametrize("key", ["", "k" * 80, " key", "key ", "two  spaces", "a\nb", "a\0b", "no\xa0break", "キー"])
def test_a_key_that_png_does_not_know_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="a key must be 1 to 79 printable"):
        encode_png(few_values(1, 1, 3, np.random.default_rng(0)), text={key: "value"})


def test_nul_in_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match="must not hold NUL"):
        encode_png(few_values(1, 1, 3, np.random.default_rng(0)), text={"Comment": "a\0b"})


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.uint16),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_what_is_no_picture_is_refused(pixels: Pixels) -> None:
    with pytest.raises(ValueError, match="pixels must be uint8"):
        encode_png(pixels)
