from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from calotype_provider.local.encoding import encode
from calotype_provider.types import OutputFormat

FORMATS: list[OutputFormat] = ["png", "jpeg", "webp"]


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    """48 wide and 32 high: a smooth picture with some noise in it."""
    rows, columns = np.mgrid[0:32, 0:48]
    smooth = np.stack([rows * 7, columns * 5, (rows + columns) * 3], axis=-1)
    noise = np.random.default_rng(0).integers(0, 20, size=smooth.shape)
    return (smooth + noise).clip(0, 255).astype(np.uint8)


def decode(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def test_png_keeps_every_pixel(pixels: NDArray[np.uint8]) -> None:
    assert np.array_equal(decode(encode(pixels, "png")), pixels)


@pytest.mark.parametrize("output_format", FORMATS)
def test_the_format_is_the_one_asked_for(pixels: NDArray[np.uint8], output_format: OutputFormat) -> None:
    with Image.open(io.BytesIO(encode(pixels, output_format))) as picture:
        assert picture.format == output_format.upper()
        assert picture.size == (48, 32)


@pytest.mark.parametrize("output_format", FORMATS)
def test_the_same_pixels_give_the_same_bytes(pixels: NDArray[np.uint8], output_format: OutputFormat) -> None:
    assert encode(pixels, output_format) == encode(pixels.copy(), output_format)


@pytest.mark.parametrize("output_format", ["jpeg", "webp"])
def test_less_compression_is_a_larger_file_nearer_to_the_picture(
    pixels: NDArray[np.uint8], output_format: OutputFormat
) -> None:
    files = [encode(pixels, output_format, compression=compression) for compression in (0, 50, 100)]
    distances = [np.abs(decode(file).astype(int) - pixels).mean() for file in files]
    assert sorted(files, key=len) == files
    assert sorted(distances, reverse=True) == distances
    assert encode(pixels, output_format) == encode(pixels, output_format, compression=90)


def test_a_png_carries_text_and_the_pixels_are_the_same(pixels: NDArray[np.uint8]) -> None:
    text = {"parameters": "ein Füchschen 🦊\nSteps: 4, Seed: 5", "Software": "Calotype"}
    data = encode(pixels, "png", text=text)
    with Image.open(io.BytesIO(data)) as picture:
        assert isinstance(picture, PngImageFile)
        assert picture.text == text
    assert np.array_equal(decode(data), pixels)
    assert encode(pixels, "png", text=text) == data


def test_without_text_a_png_says_nothing(pixels: NDArray[np.uint8]) -> None:
    with Image.open(io.BytesIO(encode(pixels, "png"))) as picture:
        assert picture.info == {}


@pytest.mark.parametrize("output_format", ["jpeg", "webp"])
def test_other_formats_have_no_place_for_text(pixels: NDArray[np.uint8], output_format: OutputFormat) -> None:
    assert encode(pixels, output_format, text={"Software": "Calotype"}) == encode(pixels, output_format)


@pytest.mark.parametrize("output_format", FORMATS)
def test_pixels_that_do_not_lie_in_a_row_are_encoded_all_the_same(
    pixels: NDArray[np.uint8], output_format: OutputFormat
) -> None:
    turned = pixels.swapaxes(0, 1)
    assert encode(turned, output_format) == encode(turned.copy(order="C"), output_format)
