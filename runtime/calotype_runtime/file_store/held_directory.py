"""Directories of pictures, each held by one server: a configured one stays, a private one goes at the end."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

import msgspec

from calotype_provider.errors import ConfigError
from calotype_runtime.file_store.url_signer import SECRET_BYTES

LOCK_NAME = "lock"
SECRET_NAME = "secret"
TEMPORARY_PREFIX = "calotype-pictures-"
STALE_SECONDS_MIN = 60.0
"""A private directory younger than this may be of a server that has not locked it yet."""


class HeldDirectory(msgspec.Struct, frozen=True):
    path: Path
    lock: int
    """A file descriptor; the system gives the lock back when the process ends, however it ends."""
    is_temporary: bool

    def release(self) -> None:
        if self.is_temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def hold_directory(path: Path) -> HeldDirectory:
    """Made where there is none. Raises ConfigError when it cannot be used, or another server holds it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(path)
        if lock is not None and not os.access(path, os.W_OK | os.X_OK):
            os.close(lock)
            raise PermissionError(13, "it cannot be written to")
    except OSError as error:
        raise ConfigError(f"files.directory = {str(path)!r} cannot be used: {error.strerror}") from error
    if lock is None:
        raise ConfigError(f"files.directory = {str(path)!r} is used by another server")
    return HeldDirectory(path, lock, is_temporary=False)


def hold_temporary() -> HeldDirectory:
    """A new private directory. What servers that were killed have left of theirs goes first. Raises OSError."""
    _remove_stale(Path(tempfile.gettempdir()))
    path = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX))
    lock = _lock(path)
    assert lock is not None, "nobody else knows of a directory that was just made"
    return HeldDirectory(path, lock, is_temporary=True)


def secret_of(held: HeldDirectory) -> bytes:
    """Drawn when the directory is new, and kept beside its pictures, for the server's own user alone."""
    path = held.path / SECRET_NAME
    try:
        if not path.exists():
            _write_secret(path, os.urandom(SECRET_BYTES))
        secret = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"files.directory: its file {SECRET_NAME!r} cannot be used: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"files.directory: its file {SECRET_NAME!r} is open to others; chmod 600 closes it")
    if len(secret) != SECRET_BYTES:
        raise ConfigError(f"files.directory: its file {SECRET_NAME!r} is not one of ours; without it a new one is made")
    return secret


def _write_secret(path: Path, secret: bytes) -> None:
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor, not a path
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def _lock(directory: Path) -> int | None:
    """None where another process has it."""
    descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_stale(parent: Path) -> None:
    for path in parent.glob(f"{TEMPORARY_PREFIX}*"):
        try:
            status = path.lstat()
            is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
            if not is_ours or time.time() - status.st_mtime < STALE_SECONDS_MIN:
                continue
            lock = _lock(path)
        except OSError:
            # Another server has just removed it.
            continue
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)
