"""What a picture's file is known by before it is decoded, and why one is not taken."""

from __future__ import annotations

import struct
from typing import Literal

import msgspec

from calotype_provider.types import Size

PIECES_MAX = 20_000
"""Chunks or segments of a file; each costs more to look at than its few bytes."""

PROFILE_BYTES_MAX = 4 * 2**20

PictureKind = Literal["png", "jpeg", "webp"]


class UnfitPictureError(ValueError):
    """The bytes are no picture that is read here. `str()` is fit for the caller."""


class PictureParts(msgspec.Struct, frozen=True):
    kind: PictureKind
    size: Size
    """As it is stored, before the orientation is applied."""
    data: bytes
    """A file of that kind, with the pixels' data and nothing else."""
    orientation: int = 1
    """As EXIF counts them, 1 to 8."""
    profile: bytes | None = None
    """ICC's description of the colours."""
    bits: int = 8
    """A channel's."""


def orientation(exif: bytes) -> int:
    """As EXIF counts them; 1, which changes nothing, where there is none or it cannot be read."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(min(count, 1000)):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * entry)
            if tag == 0x0112 and kind == 3:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def animated(kind: str) -> UnfitPictureError:
    return UnfitPictureError(f"a picture must stand still; this {kind} is animated")


def truncated(kind: str) -> UnfitPictureError:
    return UnfitPictureError(f"the picture is cut off: this {kind} ends too early")


def broken(kind: str) -> UnfitPictureError:
    return UnfitPictureError(f"the picture is broken: this {kind} cannot be read")
