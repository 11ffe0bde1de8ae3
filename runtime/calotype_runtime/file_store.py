"""Pictures by URL: signed, expiring, in memory. No asyncio; one thread."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
import time
from collections.abc import Callable
from types import TracebackType

import msgspec

from calotype_provider.errors import NoSuchFileError, StorageFullError
from calotype_provider.types import MEDIA_TYPES, ImageFile

PICTURE_BYTES_COUNTED_MIN = 4096
"""A tiny picture counts as this much, since its entry has a cost too: this bounds the pictures' number."""

ID_BYTES = 16

_EXTENSIONS = {media_type: name for name, media_type in MEDIA_TYPES.items()}
_EXPIRES = re.compile(r"[0-9]{1,12}", re.ASCII)


class FileStore:
    """Keeps each picture at least `ttl_seconds`, and at most `bytes_max` in all."""

    def __init__(
        self,
        *,
        bytes_max: int,
        ttl_seconds: float,
        clock: Callable[[], float] = time.time,
        secret: bytes | None = None,
    ) -> None:
        self._bytes_max = bytes_max
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        # URLs die with the process, as the pictures do.
        self._secret = secret or secrets.token_bytes(32)
        self._pictures: dict[str, _Picture] = {}
        """In the order they came, which is the order they expire in."""
        self._bytes_stored = 0
        self._bytes_reserved = 0

    @property
    def bytes_free(self) -> int:
        self._forget_expired()
        return self._bytes_max - self._bytes_stored - self._bytes_reserved

    def reserve(self, bytes_needed: int, *, files: int = 1) -> Reservation:
        """Room for pictures that are not painted yet. Raises StorageFullError when living pictures leave none."""
        bytes_needed = max(bytes_needed, files * PICTURE_BYTES_COUNTED_MIN)
        if bytes_needed > self.bytes_free:
            raise self.full(bytes_needed)
        self._bytes_reserved += bytes_needed
        return Reservation(self, bytes_needed)

    def path_for(self, name: str) -> str:
        """'/files/<id>.png?expires=...&signature=...'. Raises NoSuchFileError."""
        picture = self._pictures.get(name)
        if picture is None:
            raise _no_such_file()
        expires = str(picture.expires)
        return f"/files/{name}?expires={expires}&signature={self._signature(name, expires)}"

    def get(self, name: str, *, expires: str, signature: str) -> ImageFile:
        """Raises NoSuchFileError, in the same words, for a wrong name or signature and after the picture's time."""
        self._forget_expired()
        # As bytes: compare_digest takes no text beyond ASCII.
        genuine = hmac.compare_digest(self._signature(name, expires).encode(), signature.encode("utf-8", "replace"))
        picture = self._pictures.get(name)
        if not genuine or not _EXPIRES.fullmatch(expires) or self._clock() >= int(expires) or picture is None:
            raise _no_such_file()
        return picture.file

    def _put(self, data: bytes, media_type: str) -> str:
        assert media_type in _EXTENSIONS, f"a picture of no known kind: {media_type}"
        name = f"{secrets.token_hex(ID_BYTES)}.{_EXTENSIONS[media_type]}"
        expires = math.ceil(self._clock() + self._ttl_seconds)
        self._pictures[name] = _Picture(ImageFile(data, media_type), expires)
        self._bytes_stored += _counted(data)
        return name

    def _forget_expired(self) -> None:
        now = self._clock()
        while self._pictures:
            name, picture = next(iter(self._pictures.items()))
            if now < picture.expires:
                return
            del self._pictures[name]
            self._bytes_stored -= _counted(picture.file.data)

    def full(self, bytes_needed: int) -> StorageFullError:
        oldest = next(iter(self._pictures.values()), None)
        # With no picture in it, the store is full of reservations: of pictures that are being painted now.
        wait = oldest.expires - self._clock() if oldest else 1.0
        return StorageFullError(
            f"the store of answers by URL has no room for {bytes_needed} bytes more; "
            "ask for response_format 'b64_json', or come back later",
            retry_after_seconds=self._ttl_seconds if bytes_needed > self._bytes_max else wait,
        )

    def _signature(self, name: str, expires: str) -> str:
        signed = f"calotype file\n{name}\n{expires}".encode("utf-8", "replace")
        return hmac.new(self._secret, signed, hashlib.sha256).hexdigest()


class Reservation:
    """Room in a store. What was not used is given back at the end of the `with`."""

    def __init__(self, store: FileStore, bytes_reserved: int) -> None:
        self._store = store
        self.bytes_reserved = bytes_reserved
        """What is left of it."""

    def put(self, data: bytes, media_type: str) -> str:
        """The picture's name, '<id>.png'. Raises StorageFullError for more than was reserved when the store is full."""
        store, needed = self._store, _counted(data)
        taken = min(needed, self.bytes_reserved)
        if needed - taken > max(0, store.bytes_free):
            raise store.full(needed - taken)
        self.bytes_reserved -= taken
        store._bytes_reserved -= taken
        return store._put(data, media_type)

    def release(self) -> None:
        """Give back what was not used. May be called twice."""
        self._store._bytes_reserved -= self.bytes_reserved
        self.bytes_reserved = 0

    def __enter__(self) -> Reservation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class _Picture(msgspec.Struct, frozen=True):
    file: ImageFile
    expires: int
    """Seconds since 1970; the picture lives until then."""


def _counted(data: bytes) -> int:
    return max(len(data), PICTURE_BYTES_COUNTED_MIN)


def _no_such_file() -> NoSuchFileError:
    return NoSuchFileError("no picture is kept under this URL, or its time is over")
