"""A digest of all that a request asks for: equal for a repeat, whose form may have another boundary."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from calotype_adapters.pictures import FilePart, ImageInputs


def request_digest(path: str, data: msgspec.Struct) -> bytes:
    """`data` is the decoded body. Slow for large pictures: a megabyte takes a millisecond."""
    digest = hashlib.sha256()
    for part in (path.encode(), *_parts(data)):
        # With its length, so that what ends one part cannot begin the next.
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()


def _parts(data: msgspec.Struct) -> Iterator[bytes]:
    for name in data.__struct_fields__:
        value = getattr(data, name)
        if isinstance(value, ImageInputs):
            yield b"%b*%d" % (name.encode(), len(value.items))
            for item in value.items:
                yield item.data if isinstance(item, FilePart) else item.encode("utf-8", "surrogatepass")
        elif value is not None:
            yield name.encode()
            yield msgspec.json.encode(value)
