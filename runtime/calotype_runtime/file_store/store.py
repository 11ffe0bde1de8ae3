"""Answers by URL: each is kept at least its time, then deleted, and never more than fit.

The books are here; the pictures lie in a `PictureStore`. One event loop, which never waits for the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
import re
import secrets
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from types import TracebackType

from calotype_provider.errors import (
    FileExpiredError,
    ForbiddenError,
    NoSuchFileError,
    StorageError,
    StorageFullError,
)
from calotype_runtime.file_store.picture_store import DIGEST_CHARACTERS, EXTENSIONS, KeptPicture, PictureStore
from calotype_runtime.file_store.room import PICTURE_BYTES_COUNTED_MIN, Room, counted
from calotype_runtime.file_store.url_signer import UrlSigner

ID_BYTES = 16
PIECE_BYTES = 256 * 1024
"""Read at once of a picture that is sent, so that memory stays flat whoever reads slowly."""

READ_SECONDS_MAX = 600.0
"""A picture whose time is over is kept so much longer for those who are reading it."""

READ_AGAIN_SECONDS = 1.0
"""After which it is looked at again."""

RETRY_SECONDS = 60.0
"""After which a picture that could not be deleted, or a store that could not be read at the start, is tried again."""

SWEEP_SECONDS_MIN = 0.1
SWEEP_SECONDS_MAX = 60.0
"""Between two looks at the clock, which may have been set."""

_NAME = re.compile(r"[A-Za-z0-9-]{1,64}\.[A-Za-z0-9]{1,8}", re.ASCII)

logger = logging.getLogger("calotype.files")


class FileStore:
    """Starts at the first use, or with `start`; closed with `aclose`, and `executor` with it."""

    def __init__(
        self,
        pictures: PictureStore,
        *,
        executor: Executor,
        bytes_max: int,
        ttl_seconds: float,
        signer: UrlSigner | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pictures = pictures
        self._executor = executor
        self._room = Room(bytes_max)
        self._ttl_seconds = ttl_seconds
        self._signer = signer or UrlSigner()
        self._clock = clock
        self._readers = Counter[str]()
        self._puts: set[asyncio.Task[str]] = set()
        self._has_begun = False
        self._begin_again_at = -math.inf
        self._beginning = asyncio.Lock()
        self._sweeping = asyncio.Lock()
        self._sweeper: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        """There is something new whose time will be over."""

    @property
    def bytes_free(self) -> int:
        return self._room.bytes_free

    async def start(self) -> None:
        """Take up what is left of another time, and delete from now on what expires. Waits for neither."""
        self._sweeper = self._sweeper or asyncio.create_task(self._keep_sweeping())

    async def reserve(self, bytes_needed: int, *, files: int = 1, leaving: int = 0) -> Reservation:
        """Room for pictures that are not painted yet, with at least `leaving` bytes left to others.

        Raises StorageFullError when living pictures leave none, and StorageError when the store is out of order.
        """
        bytes_needed = max(bytes_needed, files * PICTURE_BYTES_COUNTED_MIN)
        await self._begin()
        if bytes_needed + leaving > self._room.bytes_free:
            await self.sweep()
        if bytes_needed + leaving > self._room.bytes_free:
            raise self._full(bytes_needed)
        self._room.bytes_promised += bytes_needed
        return Reservation(self, bytes_needed)

    async def open(self, name: str, *, expires: str, signature: str) -> KeptPicture:
        """ForbiddenError is for a URL that was not made here or was changed, FileExpiredError for one that is over.

        Raises NoSuchFileError and StorageError too.
        """
        if not self._signer.is_genuine(name, expires, signature):
            # A plain name of nothing, without a signature, is no forgery.
            if _NAME.fullmatch(name) and (signature or self._room.get(name)):
                raise ForbiddenError("this URL was not made here, or was changed")
            raise _no_such_file()
        if int(expires) <= self._clock():
            raise FileExpiredError("the time of this picture is over, and it is kept no longer")
        await self._begin()
        picture = self._room.get(name)
        if picture is None:
            raise _no_such_file()
        return picture

    async def read(self, picture: KeptPicture, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Bytes `start` to `stop`, in pieces. Raises NoSuchFileError, StorageError."""
        self._readers[picture.name] += 1
        try:
            for begin in range(start, stop, PIECE_BYTES):
                yield await self._pictures.read(picture, begin, min(begin + PIECE_BYTES, stop))
        finally:
            self._readers -= Counter((picture.name,))

    def seconds_left(self, picture: KeptPicture) -> int:
        return max(0, math.floor(picture.expires - self._clock()))

    async def sweep(self) -> None:
        """Delete what is over. Raises StorageError."""
        await self._begin()
        # Whoever comes second waits for the room that the first makes.
        async with self._sweeping:
            await self._delete_due(self._clock())

    async def aclose(self) -> None:
        sweepers = [self._sweeper] if self._sweeper else []
        for sweeper in sweepers:
            sweeper.cancel()
        await asyncio.gather(*sweepers, *self._puts, return_exceptions=True)
        await self._pictures.aclose()
        self._executor.shutdown(wait=False)

    async def _keep_sweeping(self) -> None:
        while True:
            # It has been logged, and is tried again.
            with contextlib.suppress(StorageError):
                await self.sweep()
            due = self._room.next_due
            seconds = SWEEP_SECONDS_MAX if due is None else due - self._clock()
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(max(seconds, SWEEP_SECONDS_MIN), SWEEP_SECONDS_MAX)):
                    await self._woken.wait()

    async def _begin(self) -> None:
        async with self._beginning:
            if self._has_begun:
                return
            if self._clock() < self._begin_again_at:
                raise StorageError("the store of answers by URL is out of order", is_retryable=True)
            try:
                left = await self._pictures.begin()
            except StorageError as error:
                logger.warning("the store of answers by URL is out of order: %s", error)
                self._begin_again_at = self._clock() + RETRY_SECONDS
                raise StorageError("the store of answers by URL is out of order", is_retryable=True) from error
            for picture in left:
                self._room.add(picture)
            self._has_begun = True

    async def _delete_due(self, now: float) -> None:
        due = []
        for picture in self._room.take_due(now):
            is_read = self._readers[picture.name] > 0 and now < picture.expires + READ_SECONDS_MAX
            # Whatever ends this task, the picture's turn comes again.
            self._room.postpone(picture, now + (READ_AGAIN_SECONDS if is_read else RETRY_SECONDS))
            if not is_read:
                due.append(picture)
        if not due:
            return
        try:
            await self._pictures.delete(due)
        except StorageError as error:
            logger.warning("%d pictures whose time is over could not be deleted: %s", len(due), error)
            return
        for picture in due:
            self._room.remove(picture)

    async def _put(self, data: bytes, media_type: str) -> str:
        """The caller has made the room, as promised bytes; on every way out they are bytes kept, or free."""
        assert media_type in EXTENSIONS, f"a picture of no known kind: {media_type}"
        promised = counted(len(data))
        try:
            digest = await asyncio.get_running_loop().run_in_executor(self._executor, _digest, data)
            picture = KeptPicture(
                picture_id=secrets.token_hex(ID_BYTES),
                expires=math.ceil(self._clock() + self._ttl_seconds),
                digest=digest,
                extension=EXTENSIONS[media_type],
                bytes_kept=len(data),
            )
            await self._pictures.put(picture, data)
            self._room.add(picture)
            self._woken.set()
        finally:
            self._room.bytes_promised -= promised
        url = await self._pictures.own_url(picture, seconds=math.ceil(picture.expires - self._clock()))
        return url or self._signer.path(picture.name, picture.expires)

    def _full(self, bytes_needed: int) -> StorageFullError:
        due = self._room.next_due
        # With no picture in it, the store is full of reservations: of pictures that are being painted now.
        wait = 1.0 if due is None else max(0.001, due - self._clock())
        return StorageFullError(
            f"the store of answers by URL has no room for {bytes_needed} bytes more; "
            "ask for response_format 'b64_json', or come back later",
            retry_after_seconds=self._ttl_seconds if bytes_needed > self._room.bytes_max else wait,
        )


class Reservation:
    """Room in a store. What was not used is given back at the end of the `with`."""

    def __init__(self, store: FileStore, bytes_reserved: int) -> None:
        self._store = store
        self.bytes_reserved = bytes_reserved
        """What is left of it."""

    async def put(self, data: bytes, media_type: str) -> str:
        """The picture's URL, or its path on this server: '/files/<id>.png?...'.

        Raises StorageFullError for more than was reserved when the store is full, and StorageError. A caller that
        leaves meanwhile leaves a picture that expires as others do.
        """
        room, needed = self._store._room, counted(len(data))
        taken = min(needed, self.bytes_reserved)
        if needed - taken > max(0, room.bytes_free):
            raise self._store._full(needed - taken)
        self.bytes_reserved -= taken
        room.bytes_promised += needed - taken
        task = asyncio.create_task(self._store._put(data, media_type))
        self._store._puts.add(task)
        task.add_done_callback(self._store._puts.discard)
        return await asyncio.shield(task)

    def release(self) -> None:
        """Give back what was not used. May be called twice."""
        self._store._room.bytes_promised -= self.bytes_reserved
        self.bytes_reserved = 0

    def __enter__(self) -> Reservation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:DIGEST_CHARACTERS]


def _no_such_file() -> NoSuchFileError:
    return NoSuchFileError("no picture is kept under this name")
