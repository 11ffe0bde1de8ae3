"""The caller's own pixels outside of a mask: a pipeline alone sends the whole picture through its autoencoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from calotype_provider.local.messages import InputImage

FEATHER_SHARE = 1 / 256
"""Of the longer side: the deviation of the blur that leads from the one to the other."""

FEATHER_PIXELS_MIN = 1.0


def paste_back(pixels: NDArray[np.uint8], original: InputImage, mask: InputImage) -> NDArray[np.uint8]:
    """`pixels` [height, width, 3] inside of the mask, `original` outside, a soft edge of a few pixels between them.

    Three deviations of the blur beyond the mask, every pixel is the original's own.
    """
    height, width = pixels.shape[:2]
    deviation = max(FEATHER_PIXELS_MIN, max(width, height) * FEATHER_SHARE)
    # Pillow's is three box blurs: unlike a true one's, its reach ends.
    soft = Image.frombytes("L", (width, height), mask.data).filter(ImageFilter.GaussianBlur(deviation))
    share = np.asarray(soft, dtype=np.float32)[..., None] / 255
    kept = np.frombuffer(original.data, dtype=np.uint8).reshape(height, width, 3)
    mixed = pixels * share + kept * (1 - share)
    result: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return result
