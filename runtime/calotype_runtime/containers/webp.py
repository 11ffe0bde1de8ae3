"""WebP files, chunk by chunk."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from calotype_provider.types import Size
from calotype_runtime.containers.parts import (
    PIECES_MAX,
    PROFILE_BYTES_MAX,
    PictureParts,
    animated,
    broken,
    orientation,
    truncated,
)


def webp_parts(data: bytes) -> PictureParts:
    chunks = dict[bytes, bytes]()
    for name, body in _chunks(data):
        if name in (b"ANIM", b"ANMF") or (name == b"VP8X" and len(body) == 10 and body[0] & 0x02):
            raise animated("WebP")
        if name in chunks and name in (b"VP8X", b"VP8 ", b"VP8L", b"ALPH"):
            raise broken("WebP")
        chunks.setdefault(name, body)
    size = _size(chunks)
    canvas = chunks.get(b"VP8X")
    if canvas is not None and (len(canvas) != 10 or size != _canvas(canvas)):
        raise broken("WebP")
    profile = chunks.get(b"ICCP")
    return PictureParts(
        "webp",
        size,
        _written(chunks, size),
        orientation=orientation(chunks.get(b"EXIF", b"")),
        profile=profile if profile and len(profile) <= PROFILE_BYTES_MAX else None,
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise truncated("WebP")
    position = 12
    for _ in range(PIECES_MAX):
        if position >= end:
            return
        if position + 8 > end:
            raise truncated("WebP")
        name, length = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8
        if position + length > end:
            raise truncated("WebP")
        yield name, data[position : position + length]
        position += length + length % 2
    raise broken("WebP")


def _size(chunks: dict[bytes, bytes]) -> Size:
    """Of the picture itself, whatever the canvas claims."""
    lossy, lossless = chunks.get(b"VP8 "), chunks.get(b"VP8L")
    if lossy is not None and lossless is None:
        if len(lossy) < 10 or lossy[0] & 1 or lossy[3:6] != b"\x9d\x01\x2a":
            raise broken("WebP")
        width, height = struct.unpack_from("<HH", lossy, 6)
        return Size(width & 0x3FFF, height & 0x3FFF)
    if lossless is not None and lossy is None:
        if len(lossless) < 5 or lossless[0] != 0x2F:
            raise broken("WebP")
        bits = int.from_bytes(lossless[1:5], "little")
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    raise broken("WebP")


def _canvas(body: bytes) -> Size:
    return Size(int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1)


def _written(chunks: dict[bytes, bytes], size: Size) -> bytes:
    kept: list[tuple[bytes, bytes]] = [(name, chunks[name]) for name in (b"ALPH", b"VP8 ", b"VP8L") if name in chunks]
    if b"ALPH" in chunks:
        sides = (size.width - 1).to_bytes(3, "little") + (size.height - 1).to_bytes(3, "little")
        kept.insert(0, (b"VP8X", b"\x10\0\0\0" + sides))
    written = b"".join(name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2) for name, body in kept)
    return b"RIFF" + (4 + len(written)).to_bytes(4, "little") + b"WEBP" + written
