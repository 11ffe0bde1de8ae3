"""Work that callers do not wait for: how it stands, how it ended, and an end to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from functools import partial
from typing import Any

import msgspec
from litestar import Request, delete, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp

from calotype_runtime.error_answers import answer_for
from calotype_runtime.event_stream import Encode, EventStream, event
from calotype_runtime.image_runtime import ImageRuntime
from calotype_runtime.jobs.job import encode_job, encode_job_event
from calotype_runtime.jobs.snapshots import Snapshot
from calotype_runtime.json_answer import JsonAnswer
from calotype_runtime.leaving import while_caller_waits
from calotype_runtime.repeats import Asked

AnyRequest = Request[Any, Any, Any]
Runtime = NamedDependency[ImageRuntime]


@get("/v1/jobs/{job_id:str}")
async def get_job(
    request: AnyRequest, runtime: Runtime, job_id: FromPath[str], preview: FromQuery[bool] = False
) -> ASGIApp:
    """How a job stands; with its result when it has one. 404 for the jobs of others."""
    snapshot = await runtime.jobs.get(job_id, request.state.record.caller)
    return await _answer(runtime, snapshot, with_preview=preview)


@delete("/v1/jobs/{job_id:str}", status_code=200)
async def cancel_job(request: AnyRequest, runtime: Runtime, job_id: FromPath[str]) -> ASGIApp:
    """Stop a job's work. One that has ended stays as it is."""
    snapshot = await runtime.jobs.cancel(job_id, request.state.record.caller)
    return await _answer(runtime, snapshot, with_preview=False)


@get("/v1/jobs/{job_id:str}/events")
async def follow_job(request: AnyRequest, runtime: Runtime, job_id: FromPath[str]) -> ASGIApp:
    """How a job stands now, then whenever that changes, until its end. Whoever comes again is told the newest."""
    record = request.state.record
    taken = asyncio.Event()

    async def run(encode: Encode) -> bytes:
        taken.set()
        return await runtime.in_codec(encode)

    async def tell(send: Callable[[Encode], None]) -> None:
        before: Snapshot | None = None
        async with aclosing(runtime.jobs.follow(job_id, record.caller)) as snapshots:
            async for snapshot in snapshots:
                send(_told(snapshot, before))
                before = snapshot
                # A reader who is slow misses some, and nothing is heaped up for it.
                await taken.wait()
                taken.clear()

    def tell_failure(error: Exception) -> bytes:
        return event(msgspec.json.encode(answer_for(error, record).body), name="error")

    stream = EventStream(tell, run=run, tell_failure=tell_failure)
    await while_caller_waits(request.receive, stream.begin())
    return stream


async def answer_accepted(
    request: AnyRequest, runtime: ImageRuntime, asked: Asked, accept: Callable[[], Coroutine[Any, Any, Snapshot]]
) -> ASGIApp:
    """202: the job is stored, and will be painted. A repeat is told of the one that there is, and how it stands by now;
    two that are alike and have one seed are two all the same. Once it is being stored, it is stored, whoever leaves.
    """
    told = runtime.accepted.answer(msgspec.structs.replace(asked, has_seed=False, keep=asked.key is not None), accept)
    job_id = (await while_caller_waits(request.receive, told)).job.id
    snapshot = await runtime.jobs.get(job_id, request.state.record.caller)
    [data] = encode_job(snapshot.job)
    headers = {"location": f"/v1/jobs/{snapshot.job.id}", "preference-applied": "respond-async"}
    return ASGIResponse(body=data, status_code=202, headers=headers, media_type="application/json")


async def _answer(runtime: ImageRuntime, snapshot: Snapshot, *, with_preview: bool) -> ASGIApp:
    preview = snapshot.preview if with_preview else None
    return JsonAnswer(
        await runtime.in_codec(partial(encode_job, snapshot.job, result=snapshot.result, preview=preview))
    )


def _told(snapshot: Snapshot, before: Snapshot | None) -> Encode:
    """An event is named for what is new in it; a preview is in the one that it is new in."""
    state = snapshot.job.state
    preview = None if before is not None and snapshot.preview is before.preview else snapshot.preview
    name: str
    if before is None or before.job.state != state:
        name = state
    elif preview is not None:
        name = "preview"
    else:
        name = "progress" if state == "running" else state
    return partial(encode_job_event, f"job.{name}", snapshot.job, result=snapshot.result, preview=preview)
