"""One job, from its work in the store to its outcome: begun, painted with patience, and what its failure is called."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from calotype_adapters.openai.errors import for_status, to_error
from calotype_provider.errors import (
    APICallError,
    CalotypeError,
    EngineError,
    ModelBusyError,
    StorageError,
    StorageFullError,
)
from calotype_runtime.jobs.job_store import Answer, JobStore, Outcome
from calotype_runtime.jobs.job_work import JobWork, decode_work
from calotype_runtime.jobs.live_job import LiveJob

logger = logging.getLogger("calotype.jobs")

TIMES_BEGUN_MAX = 5
"""A job that was being painted whenever the server ended may be why it did."""

TRIES_MAX = 3
"""Of a job that fails in a way that another try may mend, as a client would try again."""

TRY_AGAIN_SECONDS = 2.0
BUSY_SECONDS_MAX = 60.0

Paint = Callable[[JobWork, LiveJob], Awaitable[Answer]]
"""Paints a job's work, tells the job of it, and gives the answer."""


class JobPainter:
    def __init__(self, store: JobStore, paint: Paint, *, try_again_seconds: float) -> None:
        self._store = store
        self._paint = paint
        self._try_again_seconds = try_again_seconds
        self._is_stopping = False

    def stop(self, at_work: Iterable[LiveJob]) -> None:
        """The server stops: these, and whatever is about to begin, are put back."""
        self._is_stopping = True
        for live in at_work:
            if live.painting is not None:
                live.painting.cancel()

    async def outcome(self, live: LiveJob) -> Outcome:
        """How the job ended. Raises CancelledError when it has not, since the server stops."""
        try:
            answer = await self._paint_stored(live)
            return Outcome(
                state="succeeded",
                started_at=live.started_at,
                progress=live.progress_at_end,
                result=answer.told,
                result_later=answer.told_later,
                urls_until=answer.urls_until,
            )
        except asyncio.CancelledError:
            if not live.is_cancelled:
                raise
            return Outcome(state="cancelled", started_at=live.started_at, progress=live.progress)
        except Exception as error:  # noqa: BLE001  # Whatever fails is this job's answer, and nobody else's.
            return failure(live, error)

    async def _paint_stored(self, live: LiveJob) -> Answer:
        work = await self._begin(live)
        live.painting = asyncio.create_task(self._paint_patiently(work, live))
        if live.is_cancelled or self._is_stopping:
            live.painting.cancel()
        try:
            return await live.painting
        except asyncio.CancelledError:
            if not live.is_cancelled:
                await self._store.put_back(live.id)
            raise

    async def _begin(self, live: LiveJob) -> JobWork:
        data, times_begun = await self._store.begin(live.id)
        if times_begun > TIMES_BEGUN_MAX:
            raise EngineError(f"the server has ended {times_begun - 1} times while this job was being painted")
        return await asyncio.to_thread(decode_work, data)

    async def _paint_patiently(self, work: JobWork, live: LiveJob) -> Answer:
        """Others may be before it for as long as they will: nobody stands at the door who could come back.

        What was accepted as URLs is given in base64, with a warning, where the store of pictures stays full or broken.
        """
        tries_left = url_tries_left = TRIES_MAX
        while True:
            try:
                return await self._paint(work, live)
            except ModelBusyError as error:
                wait = min(error.retry_after_seconds, BUSY_SECONDS_MAX)
            except (StorageError, StorageFullError) as error:
                if work.delivery != "url":
                    raise
                url_tries_left -= 1
                seconds = self._seconds_to_room(error) if url_tries_left else None
                if seconds is None:
                    work = msgspec.structs.replace(work, delivery=None)
                wait = seconds or 0.0
            except (EngineError, APICallError) as error:
                tries_left -= 1
                if not error.is_retryable or not tries_left:
                    raise
                wait = self._try_again_seconds
            await asyncio.sleep(wait)

    def _seconds_to_room(self, error: StorageError | StorageFullError) -> float | None:
        """None where waiting would be in vain, or would hold up the jobs behind for too long."""
        if isinstance(error, StorageFullError):
            return error.retry_after_seconds if error.retry_after_seconds <= BUSY_SECONDS_MAX else None
        return self._try_again_seconds if error.is_retryable else None


def failure(live: LiveJob, error: Exception) -> Outcome:
    if not isinstance(error, CalotypeError):
        logger.error("%s failed", live.id, exc_info=error)
    answer = to_error(error) if isinstance(error, CalotypeError) else for_status(500, f"internal error in {live.id}")
    return Outcome(
        state="failed",
        started_at=live.started_at,
        progress=live.progress,
        error=msgspec.json.encode(answer.body.error),
    )
