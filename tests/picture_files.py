"""Files of pictures for tests, small and whole, and the parts to build bad ones of."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def noise(width: int = 60, height: int = 40, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    with io.BytesIO(data) as file, Image.open(file) as picture:
        picture.load()
        return picture


PNG = saved(noise(), "PNG")
JPEG = saved(noise(), "JPEG")
WEBP = saved(noise(), "WEBP")


def png(*chunks: bytes) -> bytes:
    return PNG_SIGNATURE + b"".join(chunks)


def chunk(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def header(width: int, height: int, *, bits: int = 8, colours: int = 2) -> bytes:
    """IHDR; `colours` is PNG's number: 0 grey, 2 RGB, 3 a palette, 4 grey and 6 RGB with alpha."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0))


def pixels(rows: bytes) -> bytes:
    """IDAT; each row begins with its filter, 0."""
    return chunk(b"IDAT", zlib.compress(rows))


END = chunk(b"IEND")


def zeros(count: int) -> bytes:
    """So many zeros, in whole megabytes, deflated without ever having them all."""
    deflating = zlib.compressobj(9)
    first = deflating.compress(bytes(2**20)) + deflating.flush(zlib.Z_FULL_FLUSH)
    # After a full flush nothing refers to what was before, so that it can be repeated as it is.
    again = deflating.compress(bytes(2**20)) + deflating.flush(zlib.Z_FULL_FLUSH)
    checksum = struct.pack(">I", count % 65_521 << 16 | 1)
    return first + again * (count // 2**20 - 1) + b"\x03\0" + checksum


def riff(*chunks: tuple[bytes, bytes], length: int | None = None) -> bytes:
    """A WebP file; `length` is what it says of itself, the truth by default."""
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) if length is None else length) + body


def canvas(width: int, height: int, *, flags: int = 0) -> tuple[bytes, bytes]:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([flags, 0, 0, 0]) + sides


def segment(marker: int, body: bytes) -> bytes:
    """Of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
