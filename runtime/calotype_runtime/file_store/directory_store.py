"""Pictures in a directory, one file each. Every touch of the disk is in a thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import TypeVar

from calotype_provider.errors import NoSuchFileError, StorageError
from calotype_runtime.file_store.held_directory import HeldDirectory
from calotype_runtime.file_store.picture_store import KeptPicture, picture_of_key

PART = ".part"
"""Ends the names of files that are being written."""

T = TypeVar("T")


class DirectoryStore:
    """`take` gives the directory, at the first use and in a thread; it is given back by `aclose`."""

    def __init__(self, take: Callable[[], HeldDirectory], *, executor: Executor) -> None:
        self._take = take
        self._executor = executor
        self._held: HeldDirectory | None = None

    async def begin(self) -> Sequence[KeptPicture]:
        return await self._in_thread(self._begin_now)

    async def put(self, picture: KeptPicture, data: bytes) -> None:
        await self._in_thread(partial(_write, self._directory, picture, data))

    async def read(self, picture: KeptPicture, start: int, stop: int) -> bytes:
        return await self._in_thread(partial(_read, self._directory.path, picture, start, stop))

    async def delete(self, pictures: Sequence[KeptPicture]) -> None:
        await self._in_thread(partial(_delete, self._directory.path, pictures))

    async def own_url(self, picture: KeptPicture, *, seconds: int) -> str | None:
        return None

    async def aclose(self) -> None:
        if self._held:
            await self._in_thread(self._held.release)

    @property
    def _directory(self) -> HeldDirectory:
        if self._held is None:
            raise StorageError("the store of answers by URL has not begun")
        return self._held

    def _begin_now(self) -> list[KeptPicture]:
        self._held = self._held or self._take()
        return _sweep(self._held.path)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except OSError as error:
            # Its own text would have the path.
            raise StorageError(f"the disk refused: {error.strerror}") from error


def _sweep(directory: Path) -> list[KeptPicture]:
    """What has other names than ours is left alone."""
    left = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                continue
            picture = picture_of_key(entry.name.removesuffix(PART), entry.stat(follow_symlinks=False).st_size)
            if picture is not None and entry.name.endswith(PART):
                Path(entry.path).unlink()
            elif picture is not None:
                left.append(picture)
    return left


def _write(directory: HeldDirectory, picture: KeptPicture, data: bytes) -> None:
    """Under another name until it is whole and on the disk: whatever ends us half-way leaves no broken picture."""
    part = directory.path / (picture.key + PART)
    try:
        with open(part, "xb", opener=_open_private) as file:  # Path.open has no opener
            file.write(data)
            # What nobody can open after us need not outlive the machine.
            if not directory.is_temporary:
                file.flush()
                os.fsync(file.fileno())
        part.rename(directory.path / picture.key)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _read(directory: Path, picture: KeptPicture, start: int, stop: int) -> bytes:
    try:
        with (directory / picture.key).open("rb") as file:
            file.seek(start)
            data = file.read(stop - start)
    except FileNotFoundError as error:
        raise NoSuchFileError("no picture is kept under this name") from error
    if len(data) != stop - start:
        raise StorageError("a picture is shorter than it was written")
    return data


def _delete(directory: Path, pictures: Sequence[KeptPicture]) -> None:
    for picture in pictures:
        (directory / picture.key).unlink(missing_ok=True)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
