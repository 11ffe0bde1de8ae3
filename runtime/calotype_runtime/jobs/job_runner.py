"""Accepts jobs, paints them in their turn, and says how they stand. Whatever it has accepted is in the store first."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

from calotype_provider.errors import (
    ModelBusyError,
    NoSuchJobError,
    StorageError,
    StorageFullError,
)
from calotype_provider.types import CallWarning
from calotype_runtime.config import JobSettings
from calotype_runtime.jobs.fair_line import FairLine
from calotype_runtime.jobs.job_painter import TRY_AGAIN_SECONDS, JobPainter, Paint, failure
from calotype_runtime.jobs.job_store import JobStore, Outcome, WaitingJob
from calotype_runtime.jobs.job_work import JobWork, encode_work
from calotype_runtime.jobs.live_job import LiveJob
from calotype_runtime.jobs.snapshots import Place, Snapshot, snapshot_of_kept, snapshot_of_live

logger = logging.getLogger("calotype.jobs")

ID_BYTES = 16

RETRY_SECONDS_MAX = 59.0
SWEEP_SECONDS_MAX = 60.0
"""Between two looks at the clock for jobs whose time is over; it may have been set."""

NOT_LASTING = CallWarning("other", "jobs.directory", "it is not set: this job is lost when the server ends")

T = TypeVar("T")


class JobRunner:
    """Started with `start`, closed with `aclose`: what was not finished then waits in the store.

    `busy_seconds` says how long a call that came now would wait for its turn among all others.
    """

    def __init__(
        self,
        settings: JobSettings,
        store: JobStore,
        *,
        paint: Paint,
        busy_seconds: Callable[[], float],
        clock: Callable[[], float] = time.time,
        try_again_seconds: float = TRY_AGAIN_SECONDS,
    ) -> None:
        self._settings = settings
        self._store = store
        self._painter = JobPainter(store, paint, try_again_seconds=try_again_seconds)
        self._busy_seconds = busy_seconds
        self._clock = clock
        self._live: dict[str, LiveJob] = {}
        self._line = FairLine()
        self._at_work: dict[str, LiveJob] = {}
        self._arriving = Counter[str]()
        self._tasks = set[asyncio.Task[Any]]()
        self._sweeping: asyncio.Task[None] | None = None
        self._is_open = self._is_running = False
        self._warnings = () if store.lasts else (NOT_LASTING,)

    @property
    def lasts(self) -> bool:
        """Whether what is accepted outlives the server."""
        return self._store.lasts

    async def open(self) -> None:
        """Read what an earlier server has left; a second time does nothing. Raises ConfigError."""
        if not self._is_open:
            left = await self._store.open()
            self._is_open = True
            for kept in left:
                self._enter(LiveJob(kept))

    async def start(self) -> None:
        """Begin to paint."""
        await self.open()
        self._is_running = True
        self._sweeping = self._spawn(self._sweep())
        self._fill()

    async def aclose(self) -> None:
        self._is_running = False
        if self._sweeping:
            self._sweeping.cancel()
        self._painter.stop(self._at_work.values())
        # What has been painted is still stored.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._is_open:
            await self._store.aclose()

    async def accept(self, work: JobWork, *, cost_seconds: float, result_bytes_max: int) -> Snapshot:
        """Store the job, and only then say so. Raises ModelBusyError when too many wait, StorageFullError."""
        # A caller who leaves now leaves a whole job behind, or none.
        return await asyncio.shield(self._spawn(self._accept(work, cost_seconds, result_bytes_max)))

    async def get(self, job_id: str, caller: str) -> Snapshot:
        """Raises NoSuchJobError, for the jobs of others too."""
        live = self._live.get(job_id)
        if live is not None and live.caller == caller:
            return self._snapshot(live)
        kept = await self._store.get(job_id)
        if kept is None or kept.caller != caller:
            raise NoSuchJobError(job_id)
        return snapshot_of_kept(job_id, kept, self._warnings)

    async def cancel(self, job_id: str, caller: str) -> Snapshot:
        """Stop the job's work; one that has ended stays as it is. Gives how it ended. Raises NoSuchJobError."""
        live = self._live.get(job_id)
        if live is not None and live.caller == caller:
            live.is_cancelled = True
            if self._line.leave(live):
                self._tell_the_waiting()
                self._spawn(self._finish(live, Outcome(state="cancelled", progress=live.progress)))
            elif live.painting is not None:
                live.painting.cancel()
            await live.ended.wait()
        return await self.get(job_id, caller)

    async def follow(self, job_id: str, caller: str) -> AsyncGenerator[Snapshot, None]:
        """How it stands now, then whenever that changes, until its end. A slow reader gets the newest of several."""
        live = self._live.get(job_id)
        if live is not None and live.caller == caller:
            changed = asyncio.Event()
            live.followers.add(changed)
            try:
                while not live.ended.is_set():
                    yield self._snapshot(live)
                    await changed.wait()
                    changed.clear()
            finally:
                live.followers.discard(changed)
        yield await self.get(job_id, caller)

    async def _accept(self, work: JobWork, cost_seconds: float, result_bytes_max: int) -> Snapshot:
        assert self._is_open, "start() first"
        call = work.fitted.call
        caller = call.caller.name
        self._refuse_when_full(caller)
        waiting = WaitingJob(
            id=f"job_{secrets.token_hex(ID_BYTES)}",
            caller=caller,
            created_at=self._clock(),
            cost_seconds=cost_seconds,
            images=call.n,
            steps=call.num_inference_steps or 0,
        )
        self._arriving[caller] += 1
        try:
            data = await asyncio.to_thread(encode_work, work)
            await self._store.add(waiting, data, result_bytes_max=result_bytes_max)
        finally:
            self._arriving -= Counter([caller])
        live = LiveJob(waiting)
        self._enter(live)
        self._fill()
        return self._snapshot(live)

    def _refuse_when_full(self, caller: str) -> None:
        waiting = len(self._line) + self._arriving.total()
        own = self._line.count(caller) + self._arriving[caller]
        if waiting >= self._settings.waiting_max:
            raise self._busy(f"{waiting} jobs wait already, which is as many as may")
        if own >= self._settings.waiting_per_caller_max:
            raise self._busy(f"{own} of your jobs wait already, which is as many as may")

    def _busy(self, message: str) -> ModelBusyError:
        soonest = min((job.cost_seconds for job in self._at_work.values()), default=1.0)
        return ModelBusyError(message, retry_after_seconds=min(max(1.0, soonest), RETRY_SECONDS_MAX))

    def _enter(self, live: LiveJob) -> None:
        self._live[live.id] = live
        self._line.add(live)

    def _fill(self) -> None:
        """Begin as many jobs as may be at work."""
        while self._is_running and len(self._line) and len(self._at_work) < self._settings.running_max:
            live = self._line.take()
            self._at_work[live.id] = live
            self._spawn(self._conduct(live))
        self._tell_the_waiting()

    async def _conduct(self, live: LiveJob) -> None:
        try:
            await self._finish(live, await self._painter.outcome(live))
        finally:
            self._line.ended(live)
            del self._at_work[live.id]
            self._fill()

    async def _finish(self, live: LiveJob, outcome: Outcome) -> None:
        try:
            await self._store_end(live, outcome)
        finally:
            # Whatever has become of the store, nobody waits for this job for ever.
            del self._live[live.id]
            live.ended.set()
            live.tell_followers()

    async def _store_end(self, live: LiveJob, outcome: Outcome) -> None:
        try:
            await self._store.finish(live.id, outcome)
        except (StorageError, StorageFullError) as error:
            logger.error("the end of %s cannot be stored: %s", live.id, error)
            # There may be room for so much. If not, the next server will paint it again.
            with contextlib.suppress(StorageError, StorageFullError):
                await self._store.finish(live.id, failure(live, error))

    async def _sweep(self) -> None:
        while True:
            wait: float | None = None
            try:
                wait = await self._store.delete_expired()
            except (StorageError, StorageFullError) as error:
                logger.error("jobs whose time is over cannot be deleted: %s", error)
            await asyncio.sleep(SWEEP_SECONDS_MAX if wait is None else min(wait + 0.01, SWEEP_SECONDS_MAX))

    def _tell_the_waiting(self) -> None:
        """Of their new places."""
        for live in self._line:
            live.tell_followers()

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _snapshot(self, live: LiveJob) -> Snapshot:
        if live.started_at is not None:
            return snapshot_of_live(live, self._warnings)
        is_next = live.id in self._at_work
        before = self._line.before(live)
        # Of what is at work half, since it has begun; of what comes first all.
        at_work = 0.0 if is_next else sum(job.cost_seconds for job in self._at_work.values()) / 2
        seconds = self._busy_seconds() + at_work + sum(job.cost_seconds for job in before)
        return snapshot_of_live(live, self._warnings, place=Place(len(before), round(seconds, 1)))
