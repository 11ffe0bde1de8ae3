"""What a batch has painted and what it has not: a folder's manifest.jsonl, a line for each picture.

Lines are added as pictures come, so that it is true at every moment, and put in order at the end: of several lines for
one file, the last counts. A picture that is still to be painted has neither `sha256` nor `error`, and its seed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from calotype_adapters.openai.types import ErrorBody
from calotype_provider.errors import CalotypeError
from calotype_provider.types import CallWarning

MANIFEST_NAME = "manifest.jsonl"
PART = ".part"
"""Ends the names of files that are being written."""


class ManifestRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    line: int
    id: str
    file: str
    request: str
    """The line's SHA-256."""
    seed: int | None = None
    size: str | None = None
    model: str | None = None
    warnings: tuple[CallWarning, ...] = ()
    sha256: str | None = None
    """The file's; only where it is painted."""
    error: ErrorBody | None = None


class Manifest:
    """Of one folder, which nobody else may write to meanwhile: `with Manifest(folder)`. May be used from threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / MANIFEST_NAME
        self._guard = threading.Lock()
        self._rows: dict[str, ManifestRow] = {}
        """By file, in the order of the lines."""
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Manifest:
        """Raises CalotypeError for a folder that cannot be used."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._held.enter_context(_locked(self._folder))
            self._rows = _read(self._path)
        except OSError as error:
            self._held.close()
            raise CalotypeError(f"{self._folder} cannot be used: {error.strerror}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def row(self, file: str) -> ManifestRow | None:
        return self._rows.get(file)

    def is_whole(self, row: ManifestRow) -> bool:
        """Whether the picture is painted, and its file is what was painted."""
        if row.sha256 is None:
            return False
        try:
            return hashlib.sha256((self._folder / row.file).read_bytes()).hexdigest() == row.sha256
        except OSError:
            return False

    def begin(self, rows: Iterable[ManifestRow]) -> None:
        """These are all that there will be: on disk before anything is painted."""
        self._rows = {row.file: row for row in rows}
        self.put_in_order()

    def keep(self, row: ManifestRow, data: bytes) -> None:
        """The picture first, whole or not at all, then its line. Raises CalotypeError."""
        path = self._folder / row.file
        part = path.with_name(path.name + PART)
        try:
            part.write_bytes(data)
            part.replace(path)
        except OSError as error:
            raise CalotypeError(f"{path} cannot be written: {error.strerror}") from error
        self.note(msgspec.structs.replace(row, sha256=hashlib.sha256(data).hexdigest()))

    def note(self, row: ManifestRow) -> None:
        """Raises CalotypeError."""
        with self._guard:
            self._rows[row.file] = row
            try:
                with self._path.open("ab") as file:
                    file.write(msgspec.json.encode(row) + b"\n")
            except OSError as error:
                raise CalotypeError(f"{self._path} cannot be written: {error.strerror}") from error

    def put_in_order(self) -> None:
        with self._guard:
            part = self._path.with_name(self._path.name + PART)
            try:
                part.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in self._rows.values()))
                part.replace(self._path)
            except OSError as error:
                raise CalotypeError(f"{self._path} cannot be written: {error.strerror}") from error

    @property
    def rows(self) -> tuple[ManifestRow, ...]:
        return tuple(self._rows.values())


def _read(path: Path) -> dict[str, ManifestRow]:
    rows: dict[str, ManifestRow] = {}
    if path.exists():
        for text in path.read_bytes().splitlines():
            # The last line may be half a line: the run that wrote it was killed.
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                row = msgspec.json.decode(text, type=ManifestRow)
                rows[row.file] = row
    return rows


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The system gives the lock back when the process ends, however it ends."""
    held = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CalotypeError(f"another batch is painting into {folder}") from error
        yield
    finally:
        os.close(held)
