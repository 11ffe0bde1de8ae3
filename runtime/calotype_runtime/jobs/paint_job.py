"""One job's work -> its answer: the steps of a request that is waited for, and no others."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from calotype_adapters.vercel.convert import to_empty_response
from calotype_provider.errors import ModelBusyError, NoImageGeneratedError
from calotype_provider.types import CallWarning, ImageEvent, ImageModelCall
from calotype_runtime.image_answers import encode_answer, encode_gateway_answer
from calotype_runtime.jobs.job_store import Answer
from calotype_runtime.jobs.job_work import JobWork
from calotype_runtime.jobs.live_job import LiveJob
from calotype_runtime.request_log import new_record, write_record

if TYPE_CHECKING:
    from calotype_runtime.image_runtime import ImageRuntime, Painting

GIVEN_UP_SECONDS = 60.0
"""After which an engine that has given up is asked again."""

URL_LIFE_TOLD = 0.9
"""Of a URL's time: whoever asks in the rest of it would be told of one that is about to end."""

URL_IS_OVER = CallWarning("other", "url", "the time of this job's URLs is over: its pictures are in b64_json")


async def paint_job(runtime: ImageRuntime, work: JobWork, live: LiveJob) -> Answer:
    """The log has a record of it, under the id of the request that asked for the job.

    Raises ModelBusyError while the engine has given up for a time: jobs that have not begun wait for it to try again.
    """
    _refuse_when_given_up(runtime, work.model_id)
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
        return await runtime.in_codec(partial(_encode, painting, work, runtime.settings.files.ttl_seconds))
    except NoImageGeneratedError as error:
        record.error = type(error).__name__
        if work.spec is None:
            raise
        # The gateway's clients read it in an answer without pictures.
        return Answer(told=msgspec.json.encode(to_empty_response(str(error))))
    except BaseException as error:
        record.error = type(error).__name__
        raise
    finally:
        write_record(record, started=started)


def _refuse_when_given_up(runtime: ImageRuntime, model_id: str) -> None:
    engine = runtime.engine_stats()
    if engine.state == "failed" and any(model.model_id == model_id for model in engine.models):
        raise ModelBusyError("the engine has given up", retry_after_seconds=GIVEN_UP_SECONDS)


def _encode(painting: Painting, work: JobWork, url_seconds: float) -> Answer:
    warnings, origin = work.warnings, work.origin
    if work.spec is not None:
        request_id = work.fitted.call.caller.request_id or ""
        pieces = encode_gateway_answer(painting, warnings=warnings, spec=work.spec, request_id=request_id)
        return Answer(told=b"".join(pieces))
    if work.delivery != "url":
        return Answer(told=b"".join(encode_answer(painting, warnings=warnings, origin=origin)))
    # A job may be asked for when its URLs are over, or have ended with the server that gave them.
    later = msgspec.structs.replace(painting, paths=None)
    return Answer(
        told=b"".join(encode_answer(painting, warnings=warnings, origin=origin, with_base64=False)),
        told_later=b"".join(encode_answer(later, warnings=(*warnings, URL_IS_OVER), origin=origin)),
        urls_until=painting.created + URL_LIFE_TOLD * url_seconds,
    )
