"""Jobs on disk: SQLite, in a thread of its own. Knows no engine, no caller's rights and nothing of what runs."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from calotype_provider.errors import ConfigError, StorageError, StorageFullError
from calotype_runtime.jobs.job import JobProgress, JobState
from calotype_runtime.jobs.job_database import open_database, words_of

JOB_BYTES_COUNTED_MIN = 4096
"""What a row takes besides what is in it; this bounds the number of jobs, too."""

EXPIRED_AT_ONCE_MAX = 100
"""Deleted in one go: whoever wants to store a job waits no longer."""

FULL_RETRY_SECONDS = 59.0

T = TypeVar("T")


class WaitingJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that has not ended; its work is asked for by `begin`."""

    id: str
    caller: str
    created_at: float
    cost_seconds: float
    """About how long it will hold the device."""
    images: int
    steps: int
    """Of each image; 0 where they are not known."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Of a job that has been painted."""

    told: bytes
    """In JSON."""
    told_later: bytes | None = None
    """The same with its pictures in base64, for when its URLs open nothing any more."""
    urls_until: float | None = None
    """When that is, in seconds since 1970; None where nothing depends on URLs."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended."""

    state: JobState
    started_at: float | None = None
    progress: JobProgress | None = None
    result: bytes | None = None
    """The answer, in JSON."""
    result_later: bytes | None = None
    """What takes its place at `urls_until`; see Answer."""
    urls_until: float | None = None
    error: bytes | None = None
    """In JSON."""


class KeptJob(msgspec.Struct, frozen=True, kw_only=True):
    caller: str
    created_at: float
    finished_at: float | None
    expires_at: float | None
    outcome: Outcome


class JobStore:
    """At most `bytes_max` in all; what has ended is kept `ttl_seconds`. Opened with `open`, closed with `aclose`.

    `urls_last` says whether URLs that an earlier server gave still open their pictures.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        bytes_max: int,
        ttl_seconds: float,
        urls_last: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._bytes_max = bytes_max
        self._ttl_seconds = ttl_seconds
        self._urls_last = urls_last
        self._clock = clock
        self._bytes = 0
        """As it is counted: results that are to come are in it."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self._database: sqlite3.Connection | None = None

    @property
    def lasts(self) -> bool:
        """Whether jobs outlive the server."""
        return self._directory is not None

    async def open(self) -> Sequence[WaitingJob]:
        """What has not ended, in the order it came. Raises ConfigError when the directory cannot be used."""
        return await self._in_thread(self._open)

    async def add(self, job: WaitingJob, work: bytes, *, result_bytes_max: int) -> None:
        """It is on disk when this returns, with room for its result. Raises StorageFullError."""
        await self._in_thread(partial(self._add, job, work, result_bytes_max))

    async def begin(self, job_id: str) -> tuple[bytes, int]:
        """The job's work, and how often it was begun, this time counted: a job may be what ends the server."""
        return await self._in_thread(partial(self._begin, job_id))

    async def put_back(self, job_id: str) -> None:
        """It was begun in vain, and not by its own fault: that does not count."""
        await self._in_thread(partial(self._put_back, job_id))

    async def finish(self, job_id: str, outcome: Outcome) -> None:
        """Its work is forgotten. Raises StorageFullError for a result larger than was said, where there is no room."""
        await self._in_thread(partial(self._finish, job_id, outcome))

    async def get(self, job_id: str) -> KeptJob | None:
        return await self._in_thread(partial(self._get, job_id))

    async def delete_expired(self) -> float | None:
        """Delete what is due, and say in how many seconds the next will be; None when none has ended."""
        return await self._in_thread(self._delete_expired)

    async def aclose(self) -> None:
        if self._database is not None:
            await self._in_thread(self._database.close)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # In the thread from here on.

    def _open(self) -> Sequence[WaitingJob]:
        assert self._database is None, "a store is opened once"
        try:
            self._database = open_database(self._directory)
            if not self._urls_last:
                with self._writing() as database:
                    database.execute("UPDATE jobs SET urls_until = 0 WHERE urls_until IS NOT NULL")
            self._delete_expired()
            [(self._bytes,)] = self._database.execute("SELECT coalesce(sum(bytes), 0) FROM jobs")
            rows = self._database.execute(
                f"SELECT {', '.join(WaitingJob.__struct_fields__)} FROM jobs WHERE finished_at IS NULL ORDER BY number"
            )
            return [WaitingJob(**dict(zip(WaitingJob.__struct_fields__, row, strict=True))) for row in rows]
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"jobs.directory = {str(self._directory)!r} cannot be used: {words_of(error)}") from error

    def _add(self, job: WaitingJob, work: bytes, result_bytes_max: int) -> None:
        counted = JOB_BYTES_COUNTED_MIN + len(work) + result_bytes_max
        self._make_room(counted)
        with self._writing() as database:
            database.execute(
                f"INSERT INTO jobs ({', '.join(WaitingJob.__struct_fields__)}, bytes, work)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*msgspec.structs.astuple(job), counted, work),
            )
        self._bytes += counted

    def _begin(self, job_id: str) -> tuple[bytes, int]:
        with self._writing() as database:
            [(work, times)] = database.execute(
                "UPDATE jobs SET times_begun = times_begun + 1 WHERE id = ? RETURNING work, times_begun", (job_id,)
            )
        return work, times

    def _put_back(self, job_id: str) -> None:
        with self._writing() as database:
            database.execute("UPDATE jobs SET times_begun = times_begun - 1 WHERE id = ?", (job_id,))

    def _finish(self, job_id: str, outcome: Outcome) -> None:
        texts = (outcome.result, outcome.result_later, outcome.error)
        counted = JOB_BYTES_COUNTED_MIN + sum(len(text) for text in texts if text)
        with self._reading() as database:
            [(before,)] = database.execute("SELECT bytes FROM jobs WHERE id = ?", (job_id,))
        self._make_room(counted - before)
        progress = outcome.progress
        with self._writing() as database:
            database.execute(
                "UPDATE jobs SET state = ?, started_at = ?, finished_at = ?, step = ?, steps_of_all = ?, result = ?,"
                " result_later = ?, urls_until = ?, error = ?, bytes = ?, work = NULL WHERE id = ?",
                (
                    outcome.state, outcome.started_at, self._clock(), progress and progress.step,
                    progress and progress.steps, outcome.result, outcome.result_later, outcome.urls_until,
                    outcome.error, counted, job_id,
                ),
            )  # fmt: skip
        self._bytes += counted - before

    def _get(self, job_id: str) -> KeptJob | None:
        with self._reading() as database:
            row = database.execute(
                "SELECT caller, created_at, started_at, finished_at, state, step, steps_of_all,"
                " iif(urls_until <= ?, result_later, result), error FROM jobs WHERE id = ?",
                (self._clock(), job_id),
            ).fetchone()
        if row is None:
            return None
        caller, created_at, started_at, finished_at, state, step, steps, result, error = row
        expires_at = None if finished_at is None else finished_at + self._ttl_seconds
        if expires_at is not None and expires_at <= self._clock():
            return None
        progress = None if step is None else JobProgress(step, steps)
        outcome = Outcome(state=state, started_at=started_at, progress=progress, result=result, error=error)
        return KeptJob(
            caller=caller, created_at=created_at, finished_at=finished_at, expires_at=expires_at, outcome=outcome
        )

    def _delete_expired(self) -> float | None:
        with self._writing() as database:
            # What ended in the far future, by a clock that has been set back since, would otherwise stay.
            deleted = database.execute(
                "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE finished_at <= ? OR finished_at > ?"
                " ORDER BY finished_at LIMIT ?) RETURNING bytes",
                (self._clock() - self._ttl_seconds, self._clock() + self._ttl_seconds, EXPIRED_AT_ONCE_MAX),
            ).fetchall()
        self._bytes -= sum(counted for (counted,) in deleted)
        return self._seconds_to_next()

    def _seconds_to_next(self) -> float | None:
        with self._reading() as database:
            [(oldest,)] = database.execute("SELECT min(finished_at) FROM jobs")
        return None if oldest is None else max(0.0, oldest + self._ttl_seconds - self._clock())

    def _make_room(self, more: int) -> None:
        if self._bytes + more <= self._bytes_max:
            return
        wait = self._delete_expired()
        if self._bytes + more > self._bytes_max:
            # With nothing in it that has ended, it is full of what waits, and results are smaller than they may be.
            some = FULL_RETRY_SECONDS if wait is None else max(1.0, wait)
            raise StorageFullError(
                f"the store of jobs has no room for {more} bytes more: jobs that have ended leave it in time",
                retry_after_seconds=self._ttl_seconds if more > self._bytes_max else some,
            )

    @property
    def _open_database(self) -> sqlite3.Connection:
        assert self._database is not None, "open() first"
        return self._database

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._open_database
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise StorageFullError(
                    "the disk of the store of jobs is full", retry_after_seconds=self._ttl_seconds
                ) from error
            raise StorageError(f"the store of jobs has failed: {words_of(error)}") from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self._reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
