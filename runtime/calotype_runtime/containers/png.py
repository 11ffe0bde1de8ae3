"""PNG files, chunk by chunk."""

from __future__ import annotations

import struct
import zlib
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

SIGNATURE = b"\x89PNG\r\n\x1a\n"

INFLATED_AT_ONCE_BYTES_MAX = 2**20
DEFLATED_AT_ONCE_BYTES_MAX = 2**16

_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""In this order, whatever the file's was."""

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""PNG's number of a kind of colours -> a pixel's samples."""

_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of an interlaced picture: the first column and row, and how far it is to the next."""


def png_parts(data: bytes) -> PictureParts:
    kept = dict[bytes, list[bytes]]()
    header, size, exif, profile = b"", Size(0, 0), b"", None
    for name, body, whole in _chunks(data):
        # The header is the first, and the only one.
        if (name == b"IHDR") != (not header) or (name == b"IHDR" and len(body) != 13):
            raise broken("PNG")
        if name == b"PLTE" and len(body) not in range(3, 769, 3):
            raise broken("PNG")
        if name in (b"acTL", b"fcTL", b"fdAT"):
            raise animated("PNG")
        if name == b"IHDR":
            header, size = body, Size(*struct.unpack_from(">II", body))
        elif name == b"eXIf":
            exif = body
        elif name == b"iCCP":
            profile = _profile(body)
        elif not name[0] & 0x20 and name not in _KEPT:
            # A critical chunk that PNG does not have: the pixels are stored in some way of its own.
            raise broken("PNG")
        if name in _KEPT:
            kept.setdefault(name, []).append(whole)
    # Kind 3 is a palette's.
    if b"IDAT" not in kept or header[9] not in _SAMPLES or (header[9] == 3 and b"PLTE" not in kept):
        raise broken("PNG")
    written = SIGNATURE + b"".join(whole for name in _KEPT for whole in kept.get(name, ()))
    return PictureParts("png", size, written, orientation=orientation(exif), profile=profile, bits=header[8])


def check_rows(parts: PictureParts) -> None:
    """Raises UnfitPictureError unless there are as many pixels as the size says, neither fewer nor more.

    Inflates them all, a little at a time: look at the size first. A decoder would leave the rest black, or not look.
    """
    expected = _bytes_of_rows(parts.data[16:29])
    count, inflating = 0, zlib.decompressobj()
    for deflated in _deflated(parts.data):
        while deflated and count <= expected and not inflating.eof:
            try:
                count += len(inflating.decompress(deflated, INFLATED_AT_ONCE_BYTES_MAX))
            except zlib.error as error:
                raise broken("PNG") from error
            deflated = inflating.unconsumed_tail
    if count != expected:
        raise truncated("PNG") if count < expected else broken("PNG")


def _deflated(data: bytes) -> Iterator[bytes]:
    for name, body, _ in _chunks(data):
        if name == b"IDAT":
            for start in range(0, len(body), DEFLATED_AT_ONCE_BYTES_MAX):
                yield body[start : start + DEFLATED_AT_ONCE_BYTES_MAX]


def _bytes_of_rows(header: bytes) -> int:
    """All rows, each with a byte that tells its filter."""
    width, height, bits, colours, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, right, down in passes:
        columns, rows = -(-(width - left) // right), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits * _SAMPLES[colours] + 7) // 8)
    return total


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Name, body and whole of each chunk, to IEND."""
    position = len(SIGNATURE)
    for _ in range(PIECES_MAX):
        if position + 12 > len(data):
            raise truncated("PNG")
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise truncated("PNG")
        if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise broken("PNG")
        yield name, data[position + 8 : end - 4], data[position:end]
        if name == b"IEND":
            return
        position = end
    raise broken("PNG")


def _profile(body: bytes) -> bytes | None:
    _, _, packed = body.partition(b"\0")
    unpacking = zlib.decompressobj()
    try:
        profile = unpacking.decompress(packed[1:], PROFILE_BYTES_MAX)
    except zlib.error:
        return None
    return profile if unpacking.eof else None
