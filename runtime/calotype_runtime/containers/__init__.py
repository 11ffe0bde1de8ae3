"""PNG, JPEG and WebP files taken apart: size, orientation, colour profile, and what is left without all metadata.

Knows no pixels and no picture library: a decoder is given only what has passed here.
"""

from __future__ import annotations

from calotype_runtime.containers.jpeg import jpeg_parts
from calotype_runtime.containers.parts import PictureParts, UnfitPictureError
from calotype_runtime.containers.png import png_parts
from calotype_runtime.containers.webp import webp_parts


def take_apart(data: bytes) -> PictureParts:
    """Decides by the bytes what it is. Raises UnfitPictureError for all that is not one whole still picture."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return png_parts(data)
    if data.startswith(b"\xff\xd8\xff"):
        return jpeg_parts(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return webp_parts(data)
    raise UnfitPictureError("a picture must be PNG, JPEG or WebP; these bytes are none of them")
