"""Pixels -> the bytes of a PNG, JPEG or WebP file. The same pixels give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from calotype_provider.png import encode_png
from calotype_provider.types import OutputFormat

LOSSY_QUALITY = 90


def encode(
    pixels: NDArray[np.uint8],
    output_format: OutputFormat,
    *,
    compression: int | None = None,
    text: Mapping[str, str] | None = None,
) -> bytes:
    """`pixels` is [height, width, 3]; `compression` is the quality of JPEG and WebP, 0 (smallest) to 100 (best).

    `text` goes into a PNG, key by key; JPEG and WebP have no such place.
    """
    if output_format == "png":
        return encode_png(pixels, text=text)
    quality = LOSSY_QUALITY if compression is None else compression
    file = io.BytesIO()
    # Pillow's own methods: faster ones make files of 7 to 36 % more bytes for the same likeness.
    Image.fromarray(pixels).save(file, output_format.upper(), quality=quality)
    return file.getvalue()
