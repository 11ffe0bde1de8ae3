"""The file that jobs are in: how it is opened, and what is in it. SQLite only; knows no job."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

FILE_NAME = "jobs.sqlite3"
SCHEMA_VERSION = 2

WAL_BYTES_KEPT_MAX = 64 * 2**20
"""Of the log that large answers have passed through; the rest of its file is given back."""


def open_database(directory: Path | None) -> sqlite3.Connection:
    """Without a directory it is SQLite's own temporary database, whose file has no name and goes with the process.

    Transactions are begun by hand. Raises OSError or sqlite3.Error, also when another server uses the directory.
    """
    database = _connect(directory)
    try:
        _prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _connect(directory: Path | None) -> sqlite3.Connection:
    if directory is None:
        return sqlite3.connect("", isolation_level=None)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / FILE_NAME
    # Prompts and pictures are nobody else's business; SQLite gives its log the same permissions.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return sqlite3.connect(path, isolation_level=None, timeout=0)


_PRAGMAS = (
    # A second server is refused; the lock ends with the process, however it ends.
    "PRAGMA locking_mode = EXCLUSIVE",
    # Before there are tables: what is deleted makes the file shorter.
    "PRAGMA auto_vacuum = FULL",
    "PRAGMA journal_mode = WAL",
    # An accepted job outlives the machine's power, too.
    "PRAGMA synchronous = FULL",
    f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT_MAX}",
)

_TABLE = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    caller TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    created_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL,
    cost_seconds REAL NOT NULL,
    images INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    times_begun INTEGER NOT NULL DEFAULT 0,
    step INTEGER,
    steps_of_all INTEGER,
    bytes INTEGER NOT NULL,
    error BLOB,
    work BLOB,
    result BLOB,
    result_later BLOB,
    urls_until REAL
)
"""


_OLDER = {
    1: ("ALTER TABLE jobs ADD COLUMN result_later BLOB", "ALTER TABLE jobs ADD COLUMN urls_until REAL"),
}
"""What makes the next version of an older one."""


def _prepare(database: sqlite3.Connection) -> None:
    for pragma in _PRAGMAS:
        database.execute(pragma)
    database.execute("BEGIN EXCLUSIVE")
    [(version,)] = database.execute("PRAGMA user_version")
    if version not in (0, *_OLDER, SCHEMA_VERSION):
        raise sqlite3.DatabaseError(f"it is of another version of Calotype ({version})")
    if version == 0:
        database.execute(_TABLE)
        database.execute("CREATE INDEX finished ON jobs (finished_at) WHERE finished_at IS NOT NULL")
    for change in _OLDER.get(version, ()):
        database.execute(change)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    database.execute("COMMIT")


def words_of(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
        return "another server uses it"
    return str(error)
