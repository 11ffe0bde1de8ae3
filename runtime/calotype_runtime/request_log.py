"""One structured record per request, one line of JSON each. Prompts stay out unless a setting asks for them."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Iterable

import msgspec

from calotype_provider.types import CallWarning, ImageModelCall, ImageModelResult

logger = logging.getLogger("calotype.requests")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


class RequestRecord(msgspec.Struct, omit_defaults=True):
    """Filled while the request runs; what was never known stays out of the line."""

    request_id: str
    method: str
    path: str
    caller: str | None = None
    model: str | None = None
    """The id that was asked for, as its card spells it."""
    painted_by: str | None = None
    n: int | None = None
    size: str | None = None
    num_inference_steps: int | None = None
    seed: int | None = None
    queue_position: int | None = None
    """Calls that waited before it when it came."""
    queue_seconds: float | None = None
    """About how long it would wait, as was thought then."""
    wait_milliseconds: float | None = None
    milliseconds: float | None = None
    status: int | None = None
    error: str | None = None
    warnings: list[str] = []
    prompt: str | None = None

    def note_call(self, call: ImageModelCall, *, with_prompt: bool) -> None:
        self.n, self.size, self.seed = call.n, str(call.size), call.seed
        self.num_inference_steps = call.num_inference_steps
        self.prompt = call.prompt if with_prompt else None

    def note_place(self, position: int, seconds: float) -> None:
        self.queue_position, self.queue_seconds = position, round(seconds, 1)

    def note_admission(self, wait_seconds: float) -> None:
        self.wait_milliseconds = round(wait_seconds * 1000, 1)

    def note_result(self, result: ImageModelResult, *, warnings: Iterable[CallWarning]) -> None:
        """Also of a request that was answered with what another had painted."""
        self.painted_by, self.seed = result.model_id, result.images[0].seed
        self.model = self.model or result.model_id
        self.warnings = [warning.feature for warning in warnings]


def new_record(*, method: str, path: str, request_id: str | None) -> RequestRecord:
    """The caller's own id is kept when it is well formed, so that both sides' logs can be laid beside each other."""
    known = request_id is not None and _REQUEST_ID.fullmatch(request_id)
    return RequestRecord(
        request_id=request_id if known and request_id else f"req_{secrets.token_hex(12)}",
        method=method,
        path=path[:200],
    )


def write_record(record: RequestRecord, *, started: float) -> None:
    """`started` is time.perf_counter() at the request's beginning."""
    record.milliseconds = round((time.perf_counter() - started) * 1000, 1)
    logger.info("%s", msgspec.json.encode(record).decode())
