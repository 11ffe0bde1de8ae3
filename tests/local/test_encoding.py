from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

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
