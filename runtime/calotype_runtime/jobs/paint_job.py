"""One job's work -> its answer: the steps of a request that is waited for, and no others."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from calotype_provider.types import ImageEvent, ImageModelCall
from calotype_runtime.image_answers import encode_answer
from calotype_runtime.jobs.job_work import JobWork
from calotype_runtime.jobs.live_job import LiveJob
from calotype_runtime.request_log import new_record, write_record

if TYPE_CHECKING:
    from calotype_runtime.image_runtime import ImageRuntime, Painting


async def paint_job(runtime: ImageRuntime, work: JobWork, live: LiveJob) -> bytes:
    """The answer in JSON. The log has a record of it, under the id of the request that asked for the job."""
    caller = work.fitted.call.caller
    record = new_record(method="JOB", path=f"/v1/jobs/{live.id}", request_id=caller.request_id)
    record.caller = caller.name
    started = time.perf_counter()

    def tell(call: ImageModelCall, event: ImageEvent) -> None:
        live.note(event)

    try:
        painting = await runtime.paint_fitted(
            work.model_id,
            work.fitted,
            delivery=work.delivery,
            record=record,
            tell=tell,
            admitted=lambda: live.begin(time.time()),
        )
        record.note_result(painting.result, warnings=(*work.warnings, *painting.result.warnings))
        return await runtime.in_codec(partial(_encode, painting, work))
    except BaseException as error:
        record.error = type(error).__name__
        raise
    finally:
        write_record(record, started=started)


def _encode(painting: Painting, work: JobWork) -> bytes:
    with_base64 = work.delivery != "url"
    return b"".join(encode_answer(painting, warnings=work.warnings, origin=work.origin, with_base64=with_base64))
