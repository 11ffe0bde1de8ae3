"""Where pictures lie: a directory, a bucket. Knows no clock, no bound and no signature; `FileStore` does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import msgspec

from calotype_provider.types import MEDIA_TYPES

DIGEST_CHARACTERS = 32
"""Of SHA-256 in hexadecimal."""

EXTENSIONS = {media_type: name for name, media_type in MEDIA_TYPES.items()}

_KEY = re.compile(r"([0-9a-f]{32})-([0-9]{1,12})-([0-9a-f]{32})\.(png|jpeg|webp)", re.ASCII)


class KeptPicture(msgspec.Struct, frozen=True, kw_only=True):
    """One picture in a store, without its bytes."""

    picture_id: str
    expires: int
    """Seconds since 1970; the picture lives until then."""
    digest: str
    """Of its bytes."""
    extension: str
    bytes_kept: int

    @property
    def name(self) -> str:
        """What URLs call it: '<id>.png'."""
        return f"{self.picture_id}.{self.extension}"

    @property
    def key(self) -> str:
        """What a store calls it. All that is known of a picture is in it, so that nothing else has to be kept."""
        return f"{self.picture_id}-{self.expires}-{self.digest}.{self.extension}"

    @property
    def media_type(self) -> str:
        return f"image/{self.extension}"

    @property
    def file_name(self) -> str:
        """What a browser calls it when it is saved."""
        return f"calotype-{self.picture_id[:8]}.{self.extension}"


def picture_of_key(key: str, bytes_kept: int) -> KeptPicture | None:
    """None for what is not ours: it may lie beside our pictures, and is left alone."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    picture_id, expires, digest, extension = match.groups()
    return KeptPicture(
        picture_id=picture_id, expires=int(expires), digest=digest, extension=extension, bytes_kept=bytes_kept
    )


class PictureStore(Protocol):
    """Every method may raise StorageError. None of them holds the event loop."""

    async def begin(self) -> Sequence[KeptPicture]:
        """Clear away what was half-written, and say what is left of another time. Called once, before all others."""
        ...

    async def put(self, picture: KeptPicture, data: bytes) -> None:
        """Keep all of it, or nothing."""
        ...

    async def read(self, picture: KeptPicture, start: int, stop: int) -> bytes:
        """Bytes `start` to `stop`. Raises NoSuchFileError where the picture is gone."""
        ...

    async def delete(self, pictures: Sequence[KeptPicture]) -> None:
        """Those that are gone already are no error."""
        ...

    async def own_url(self, picture: KeptPicture, *, seconds: int) -> str | None:
        """A URL of the store's own that opens the picture for so long; None where the server has to give it out."""
        ...

    async def aclose(self) -> None: ...
