"""JPEG files, segment by segment."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from calotype_provider.types import Size
from calotype_runtime.containers.parts import (
    PIECES_MAX,
    PROFILE_BYTES_MAX,
    PictureParts,
    broken,
    orientation,
    truncated,
)

SCANS_MAX = 32
"""Of a progressive JPEG, which has about ten. Each runs over the whole picture and may take up only some bytes."""

_FILLING = re.compile(rb"\xff++")
_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def jpeg_parts(data: bytes) -> PictureParts:
    kept = [b"\xff\xd8"]
    size, turned, profiles, scans, bits = None, 1, dict[int, bytes](), 0, 8
    for marker, body, whole in _segments(data):
        if marker in _FRAMES:
            if size is not None or len(body) < 6:
                raise broken("JPEG")
            bits, height, width = struct.unpack_from(">BHH", body)
            size = Size(width, height)
        if marker == 0xDA:
            scans += 1
            if size is None or scans > SCANS_MAX:
                raise broken("JPEG")
        # APP0 and APP14 say which colours are stored; the other applications' segments and comments are dropped.
        if marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(whole)
        elif marker == 0xE1 and body.startswith(b"Exif\0\0") and turned == 1:
            turned = orientation(body)
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            profiles[body[12]] = body[14:]
    if size is None or not scans:
        raise broken("JPEG")
    kept.append(b"\xff\xd9")
    profile = b"".join(profiles[index] for index in sorted(profiles))
    if not profile or len(profile) > PROFILE_BYTES_MAX:
        return PictureParts("jpeg", size, b"".join(kept), orientation=turned, bits=bits)
    return PictureParts("jpeg", size, b"".join(kept), orientation=turned, profile=profile, bits=bits)


def _segments(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Marker, body and whole of each segment, a scan's with its pixels' data, up to the end of the (first) picture."""
    position = 2
    for _ in range(PIECES_MAX):
        filling = _FILLING.match(data, position)
        if filling is None and position < len(data):
            raise broken("JPEG")
        if filling is None or filling.end() == len(data):
            raise truncated("JPEG")
        position, marker = filling.end() - 1, data[filling.end()]
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            raise broken("JPEG")
        if marker == 0xD9:
            return
        length = int.from_bytes(data[position + 2 : position + 4])
        end = position + 2 + length
        if position + 4 > len(data) or end > len(data):
            raise truncated("JPEG")
        if length < 2:
            raise broken("JPEG")
        body = data[position + 4 : end]
        if marker == 0xDA:
            following = _SCAN_END.search(data, end)
            if following is None:
                raise truncated("JPEG")
            end = following.start()
        yield marker, body, data[position:end]
        position = end
    raise broken("JPEG")
