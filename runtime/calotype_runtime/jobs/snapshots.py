"""How a job stands: what is in memory, or in the store -> what its caller is told."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import UNSET

from calotype_adapters.openai.types import ErrorBody
from calotype_provider.types import CallWarning, ImagePreview
from calotype_runtime.jobs.job import Job
from calotype_runtime.jobs.job_store import KeptJob
from calotype_runtime.jobs.live_job import LiveJob


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All that there is to say of a job; what takes megabytes is beside it."""

    job: Job
    result: bytes | None = None
    """The answer, in JSON."""
    preview: ImagePreview | None = None


class Place(NamedTuple):
    """Of a job that is queued."""

    position: int
    estimate_seconds: float


def snapshot_of_live(live: LiveJob, warnings: tuple[CallWarning, ...], *, place: Place | None = None) -> Snapshot:
    """`place` is that of a job whose turn has not come."""
    progress = live.progress
    job = Job(
        id=live.id,
        state="running" if place is None else "queued",
        created_at=int(live.created_at),
        started_at=_whole(live.started_at),
        position=UNSET if place is None else place.position,
        estimate_seconds=UNSET if place is None else place.estimate_seconds,
        progress=UNSET if progress is None else progress,
        warnings=warnings,
    )
    return Snapshot(job=job, preview=live.preview)


def snapshot_of_kept(job_id: str, kept: KeptJob, warnings: tuple[CallWarning, ...]) -> Snapshot:
    outcome = kept.outcome
    job = Job(
        id=job_id,
        state=outcome.state,
        created_at=int(kept.created_at),
        started_at=_whole(outcome.started_at),
        finished_at=_whole(kept.finished_at),
        expires_at=_whole(kept.expires_at),
        progress=UNSET if outcome.progress is None else outcome.progress,
        warnings=warnings,
        error=UNSET if outcome.error is None else msgspec.json.decode(outcome.error, type=ErrorBody),
    )
    return Snapshot(job=job, result=outcome.result)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
