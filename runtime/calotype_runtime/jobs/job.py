"""A job as callers see it, and as bytes."""

from __future__ import annotations

from typing import Literal

import msgspec
import pybase64
from msgspec import UNSET, UnsetType

from calotype_adapters.openai.convert import FORMATS
from calotype_adapters.openai.types import ErrorBody, ImagesResponse
from calotype_provider.types import CallWarning, ImagePreview, OutputFormat
from calotype_runtime.event_stream import event

JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class JobProgress(msgspec.Struct, frozen=True):
    step: int
    """Denoising steps done, over all pictures of the job."""
    steps: int
    """As many as there will be."""


class JobPreview(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture looks so far."""

    image_index: int
    """Which picture of the job, from 0."""
    step: int
    """The picture's steps that had been done."""
    output_format: OutputFormat
    """Of this very file."""
    b64_json: msgspec.Raw
    """The file."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    """What the job is asked for by; nobody can guess it."""
    object: Literal["job"] = "job"
    """Always `job`."""
    state: JobState
    """`queued` and `running` go on, the others are final."""
    created_at: int
    """When it was accepted, in seconds since 1970."""
    started_at: int | None = None
    """When its pictures' turn came; anew where the server was started anew."""
    finished_at: int | None = None
    """When it ended, however it ended."""
    expires_at: int | None = None
    """When a job that has ended is deleted, with its result."""
    position: int | UnsetType = UNSET
    """While it is queued: how many jobs are before it."""
    estimate_seconds: float | UnsetType = UNSET
    """While it is queued: in about how many seconds its turn comes."""
    progress: JobProgress | UnsetType = UNSET
    """How far its pictures are."""
    preview: JobPreview | UnsetType = UNSET
    """The newest; only where the request asked for `partial_images`, and this answer for `preview`."""
    warnings: tuple[CallWarning, ...] = ()
    """Of the job; those of its pictures are in the result."""
    error: ErrorBody | UnsetType = UNSET
    """Why it failed: what the request would have been answered."""
    result: ImagesResponse | UnsetType = UNSET
    """What the request would have been answered."""


def encode_job(job: Job, *, result: bytes | None = None, preview: ImagePreview | None = None) -> list[bytes]:
    """JSON in pieces; `result` is JSON that was made before, megabytes of it, and is not made or copied again."""
    if preview is not None:
        job = msgspec.structs.replace(job, preview=_shown(preview))
    data = msgspec.json.encode(job)
    return [data] if result is None else [data[:-1], b',"result":', result, b"}"]


def encode_job_event(name: str, job: Job, *, result: bytes | None, preview: ImagePreview | None) -> bytes:
    return event(b"".join(encode_job(job, result=result, preview=preview)), name=name)


def _shown(preview: ImagePreview) -> JobPreview:
    return JobPreview(
        image_index=preview.index,
        step=preview.step,
        output_format=FORMATS[preview.image.media_type],
        b64_json=msgspec.Raw(b'"%b"' % pybase64.b64encode(preview.image.data)),
    )
