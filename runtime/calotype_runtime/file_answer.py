"""What a request for a kept picture is answered with: all of it, a part, or "you have it" (RFC 9110). Texts only."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from calotype_provider.errors import RangeNotSatisfiableError
from calotype_runtime.file_store.picture_store import KeptPicture

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII | re.IGNORECASE)


class FileAnswer(msgspec.Struct, frozen=True):
    """`start` to `stop` are the bytes to send; none where they are equal."""

    status: int
    headers: dict[str, str]
    start: int = 0
    stop: int = 0


def file_answer(picture: KeptPicture, headers: Mapping[str, str], *, method: str, seconds_left: int) -> FileAnswer:
    """Raises RangeNotSatisfiableError."""
    etag = f'"{picture.digest}"'
    total = picture.bytes_kept
    about = {"etag": etag, "cache-control": f"private, max-age={seconds_left}, immutable"}
    if _has_it(headers.get("if-none-match"), etag):
        return FileAnswer(304, about)
    about |= {
        "accept-ranges": "bytes",
        "content-type": picture.media_type,
        "content-disposition": f'inline; filename="{picture.file_name}"',
        "x-content-type-options": "nosniff",
    }
    if method == "HEAD":
        # Ranges are for GET alone.
        return FileAnswer(200, {**about, "content-length": str(total)})
    part = byte_range(headers.get("range"), total) if headers.get("if-range", etag).strip() == etag else None
    start, stop = part or (0, total)
    about["content-length"] = str(stop - start)
    if part is None:
        return FileAnswer(200, about, start, stop)
    return FileAnswer(206, {**about, "content-range": f"bytes {start}-{stop - 1}/{total}"}, start, stop)


def byte_range(text: str | None, total: int) -> tuple[int, int] | None:
    """The first byte asked for and the one behind the last; None where all is sent.

    That is what happens with several ranges at once and with what is no range. Raises RangeNotSatisfiableError.
    """
    match = _RANGE.fullmatch((text or "").strip())
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, total - int(last)), total
    else:
        start, stop = int(first), min(int(last) + 1, total) if last else total
        if last and int(last) < start:
            return None
    if start >= total:
        raise RangeNotSatisfiableError(bytes_total=total)
    return start, stop


def _has_it(if_none_match: str | None, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or tags == ["*"]
