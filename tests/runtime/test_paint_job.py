"""A job's work is not begun while the engine has given up: jobs that wait would fail one after the other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from calotype_provider.errors import ModelBusyError
from calotype_provider.local.engine import EngineState
from calotype_provider.model_card import FittedCall
from calotype_provider.types import ImageModelCall
from calotype_runtime.jobs.job_store import WaitingJob
from calotype_runtime.jobs.job_work import JobWork
from calotype_runtime.jobs.live_job import LiveJob
from calotype_runtime.jobs.paint_job import paint_job


class Begun(Exception):
    pass


@pytest.mark.parametrize(
    ("state", "model_id", "raised"),
    [
        ("failed", "calotype/tintype", ModelBusyError),
        ("failed", "acme/brush", Begun),
        ("ready", "calotype/tintype", Begun),
        ("starting", "calotype/tintype", Begun),
    ],
)
async def test_only_an_engine_that_has_given_up_keeps_its_jobs_waiting(
    state: EngineState, model_id: str, raised: type[Exception]
) -> None:
    async def begin(*_: Any, **__: Any) -> None:
        raise Begun

    stats = SimpleNamespace(state=state, models=(SimpleNamespace(model_id="calotype/tintype"),))
    runtime: Any = SimpleNamespace(engine_stats=lambda: stats, paint_fitted=begin)
    work = JobWork(model_id=model_id, fitted=FittedCall(ImageModelCall(prompt="a"), ()), delivery=None, origin="")
    live = LiveJob(WaitingJob(id="job_1", caller="ann", created_at=0, cost_seconds=1, images=1, steps=1))
    with pytest.raises(raised):
        await paint_job(runtime, work, live)
