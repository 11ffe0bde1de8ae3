"""Pixels -> the bytes of a PNG, JPEG or WebP file. The same pixels give the same bytes."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from calotype_provider.types import OutputFormat

PNG_COMPRESS_LEVEL = 3
"""A third of the time of Pillow's default 6, for files about a tenth larger."""

LOSSY_QUALITY = 90


def encode(pixels: NDArray[np.uint8], output_format: OutputFormat, *, compression: int | None = None) -> bytes:
    """`pixels` is [height, width, 3]; `compression` is the quality of JPEG and WebP, 0 (smallest) to 100 (best)."""
    picture = Image.fromarray(pixels)
    quality = LOSSY_QUALITY if compression is None else compression
    file = io.BytesIO()
    match output_format:
        case "png":
            picture.save(file, "PNG", compress_level=PNG_COMPRESS_LEVEL)
        case "jpeg":
            picture.save(file, "JPEG", quality=quality)
        case "webp":
            picture.save(file, "WEBP", quality=quality)
    return file.getvalue()
