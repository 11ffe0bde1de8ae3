"""Jobs in their turn: fair between callers, cancelled at once, tried again where that helps, and never lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calotype_provider.errors import (
    APICallError,
    EngineError,
    InvalidCallError,
    ModelBusyError,
    NoSuchJobError,
    StorageError,
    StorageFullError,
)
from calotype_provider.model_card import FittedCall
from calotype_provider.types import Caller, ImageFile, ImageModelCall, ImagePreview, ImageStep, Size
from calotype_runtime.config import JobSettings
from calotype_runtime.image_runtime import Delivery
from calotype_runtime.jobs.job_painter import BUSY_SECONDS_MAX, TIMES_BEGUN_MAX, TRIES_MAX
from calotype_runtime.jobs.job_runner import NOT_LASTING, JobRunner
from calotype_runtime.jobs.job_store import Answer, JobStore
from calotype_runtime.jobs.job_work import JobWork
from calotype_runtime.jobs.live_job import LiveJob
from calotype_runtime.jobs.snapshots import Snapshot

SETTINGS = JobSettings(running_max=2, waiting_max=6, waiting_per_caller_max=4)


class Painter:
    """Paints when it is told to, in the order of `begun`."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.deliveries: list[str | None] = []
        self.stopped: list[str] = []
        self.jobs: dict[str, LiveJob] = {}
        self.failures: dict[str, list[Exception]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    async def paint(self, work: JobWork, live: LiveJob) -> Answer:
        name = work.fitted.call.prompt
        self.begun.append(name)
        self.deliveries.append(work.delivery)
        self.jobs[name] = live
        if failures := self.failures.get(name):
            raise failures.pop(0)
        live.begin(7.0)
        try:
            await self.end_of(name).wait()
        except asyncio.CancelledError:
            self.stopped.append(name)
            raise
        return Answer(told=b'{"painted":"%b"}' % name.encode())

    def end_of(self, name: str) -> asyncio.Event:
        return self.ends.setdefault(name, asyncio.Event())


@pytest.fixture
def painter() -> Painter:
    return Painter()


def runner_in(directory: Path | None, painter: Painter, settings: JobSettings = SETTINGS) -> JobRunner:
    store = JobStore(directory, bytes_max=settings.bytes_max, ttl_seconds=settings.ttl_seconds)
    return JobRunner(settings, store, paint=painter.paint, busy_seconds=lambda: 0.5, try_again_seconds=0)


@pytest.fixture
async def runner(painter: Painter) -> AsyncIterator[JobRunner]:
    runner = runner_in(None, painter)
    await runner.start()
    yield runner
    await runner.aclose()


def work_of(name: str, caller: str = "ann", *, delivery: Delivery | None = None, **more: Any) -> JobWork:
    call = ImageModelCall(prompt=name, size=Size(64, 64), num_inference_steps=4, caller=Caller(caller), **more)
    return JobWork(model_id="acme/brush", fitted=FittedCall(call, ()), delivery=delivery, origin="http://localhost")


async def accept(runner: JobRunner, name: str, caller: str = "ann", **more: Any) -> str:
    snapshot = await runner.accept(work_of(name, caller, **more), cost_seconds=2.0, result_bytes_max=1000)
    return snapshot.job.id


async def until_ended(runner: JobRunner, job_id: str, caller: str = "ann") -> Snapshot:
    async for snapshot in runner.follow(job_id, caller):
        last = snapshot
    return last


async def until_begun(painter: Painter, *names: str) -> None:
    async with asyncio.timeout(30):
        while not set(names) <= set(painter.begun):
            await asyncio.sleep(0.001)


async def test_a_job_is_accepted_painted_and_kept(runner: JobRunner, painter: Painter) -> None:
    snapshot = await runner.accept(work_of("a"), cost_seconds=2.0, result_bytes_max=1000)
    assert (snapshot.job.state, snapshot.job.warnings) == ("queued", (NOT_LASTING,))
    assert snapshot.job.position == 0
    job_id = snapshot.job.id
    await until_begun(painter, "a")
    assert (await runner.get(job_id, "ann")).job.state == "running"
    painter.end_of("a").set()
    ended = await until_ended(runner, job_id)
    assert (ended.job.state, ended.result) == ("succeeded", b'{"painted":"a"}')
    assert (ended.job.created_at, ended.job.started_at) == (snapshot.job.created_at, 7)
    assert msgspec.to_builtins(ended.job.progress) == {"step": 4, "steps": 4}
    assert ended.job.expires_at is not None


async def test_ids_cannot_be_guessed_and_are_of_no_use_to_others(runner: JobRunner, painter: Painter) -> None:
    ids = [await accept(runner, name) for name in ("a", "b", "c")]
    assert len(set(ids)) == 3
    assert all(len(job_id) == 36 for job_id in ids)
    painter.end_of("a").set()
    await until_ended(runner, ids[0])
    for job_id in ids:
        with pytest.raises(NoSuchJobError):
            await runner.get(job_id, "bob")
        with pytest.raises(NoSuchJobError):
            await runner.cancel(job_id, "bob")
        with pytest.raises(NoSuchJobError):
            await anext(runner.follow(job_id, "bob"))
    assert painter.stopped == []


async def test_callers_take_turns_whoever_has_asked_for_more(runner: JobRunner, painter: Painter) -> None:
    greedy = [await accept(runner, f"a{k}") for k in range(6)]
    modest = [await accept(runner, f"b{k}", "bob") for k in range(2)]
    await until_begun(painter, "a0", "a1")
    assert [(await runner.get(job_id, "bob")).job.position for job_id in modest] == [0, 2]
    assert (await runner.get(greedy[3], "ann")).job.position == 3
    for name in ("a0", "a1", "b0", "b1", "a2", "a3", "a4", "a5"):
        await until_begun(painter, name)
        painter.end_of(name).set()
    assert (await until_ended(runner, greedy[-1])).job.state == "succeeded"
    assert painter.begun.index("b0") == 2
    assert painter.begun.index("b1") <= 4


async def test_places_and_waits_are_told_while_a_job_is_queued(runner: JobRunner, painter: Painter) -> None:
    ids = [await accept(runner, f"a{k}") for k in range(4)]
    await until_begun(painter, "a0", "a1")
    jobs = [(await runner.get(job_id, "ann")).job for job_id in ids]
    assert [job.state for job in jobs] == ["running", "running", "queued", "queued"]
    # 0.5 s of everybody's, half of the two at work, and 2 s of each before.
    assert [(job.position, job.estimate_seconds) for job in jobs[2:]] == [(0, 2.5), (1, 4.5)]
    follower = runner.follow(ids[3], "ann")
    assert (await anext(follower)).job.position == 1
    painter.end_of("a0").set()
    assert (await anext(follower)).job.position == 0
    await follower.aclose()


async def test_no_more_wait_than_may_of_one_caller_and_of_all(runner: JobRunner, painter: Painter) -> None:
    for k in range(2):
        await accept(runner, f"a{k}")
    await until_begun(painter, "a0", "a1")
    for k in range(4):
        await accept(runner, f"b{k}")
    with pytest.raises(ModelBusyError, match="of your jobs") as caught:
        await accept(runner, "b4")
    assert 0 < caught.value.retry_after_seconds < 60
    for k in range(2):
        await accept(runner, f"c{k}", "bob")
    with pytest.raises(ModelBusyError, match="6 jobs wait"):
        await accept(runner, "c2", "bob")


async def test_many_who_come_at_once_are_counted_before_they_are_stored(runner: JobRunner, painter: Painter) -> None:
    answers = await asyncio.gather(*(accept(runner, f"a{k}") for k in range(20)), return_exceptions=True)
    accepted = [answer for answer in answers if isinstance(answer, str)]
    # Two may have come to their turn before the last one asked.
    assert 4 <= len(accepted) <= 6
    assert all(isinstance(answer, ModelBusyError) for answer in answers if not isinstance(answer, str))


@pytest.mark.parametrize("at", ["queued", "running", "ended"])
async def test_a_job_is_cancelled_once(runner: JobRunner, painter: Painter, at: str) -> None:
    names = ["a", "b", "c"] if at == "queued" else ["c"]
    *_, job_id = [await accept(runner, name) for name in names]
    if at != "queued":
        await until_begun(painter, "c")
    if at == "ended":
        painter.end_of("c").set()
        await until_ended(runner, job_id)
    state = "succeeded" if at == "ended" else "cancelled"
    answers = await asyncio.gather(runner.cancel(job_id, "ann"), runner.cancel(job_id, "ann"))
    assert [answer.job.state for answer in answers] == [state, state]
    assert (await runner.get(job_id, "ann")).job.state == state
    assert painter.stopped == (["c"] if at == "running" else [])
    assert await accept(runner, "d")
    await until_begun(painter, *(["a", "b"] if at == "queued" else ["d"]))


async def test_a_job_may_be_asked_about_while_it_is_being_cancelled(runner: JobRunner, painter: Painter) -> None:
    *_, waits = [await accept(runner, name) for name in ("a", "b", "c")]
    follower = runner.follow(waits, "ann")
    assert (await anext(follower)).job.state == "queued"
    cancelling = asyncio.create_task(runner.cancel(waits, "ann"))
    await asyncio.sleep(0)
    assert (await runner.get(waits, "ann")).job.state in ("queued", "cancelled")
    assert [snapshot.job.state async for snapshot in follower][-1] == "cancelled"
    assert (await cancelling).job.state == "cancelled"


async def test_followers_are_told_the_newest_then_the_end(runner: JobRunner, painter: Painter) -> None:
    job_id = await accept(runner, "a", n=2, partial_images=1)
    await until_begun(painter, "a")
    live = painter.jobs["a"]
    follower = runner.follow(job_id, "ann")
    first = (await anext(follower)).job
    assert (first.state, msgspec.to_builtins(first.progress)) == ("running", {"step": 0, "steps": 8})
    for step in (1, 2, 3):
        live.note(ImageStep(0, step, 4))
    live.note(ImageStep(1, 1, 4))
    live.note(ImagePreview(0, 2, ImageFile(b"file", "image/png")))
    late = runner.follow(job_id, "ann")
    for snapshot in (await anext(follower), await anext(late)):
        assert msgspec.to_builtins(snapshot.job.progress) == {"step": 4, "steps": 8}
        assert snapshot.preview is not None
        assert snapshot.preview.image.data == b"file"
    painter.end_of("a").set()
    for reader in (follower, late):
        assert [snapshot.job.state async for snapshot in reader] == ["succeeded"]
    assert [snapshot.job.state async for snapshot in runner.follow(job_id, "ann")] == ["succeeded"]


@pytest.mark.parametrize(
    "error",
    [ModelBusyError("b", retry_after_seconds=0), EngineError("e", is_retryable=True), APICallError("a", url="u")],
)
async def test_what_another_try_may_mend_is_tried_again(runner: JobRunner, painter: Painter, error: Exception) -> None:
    painter.failures["a"] = [error] * (TRIES_MAX - 1)
    painter.end_of("a").set()
    ended = await until_ended(runner, await accept(runner, "a"))
    assert ended.job.state == "succeeded"
    assert painter.begun == ["a"] * TRIES_MAX


async def test_a_busy_device_is_waited_for_however_often(runner: JobRunner, painter: Painter) -> None:
    painter.failures["a"] = [ModelBusyError("b", retry_after_seconds=0)] * 20
    painter.end_of("a").set()
    assert (await until_ended(runner, await accept(runner, "a"))).job.state == "succeeded"


@pytest.mark.parametrize(
    ("error", "code", "tries"),
    [
        (InvalidCallError("n", parameter="n"), "invalid_parameter", 1),
        (EngineError("e"), "engine_error", 1),
        (EngineError("e", is_retryable=True), "engine_error", TRIES_MAX),
        (StorageFullError("s", retry_after_seconds=5), "storage_full", 1),
        (ZeroDivisionError("a secret number"), "internal_error", 1),
    ],
)
async def test_a_failure_is_told_in_the_words_of_the_route(
    runner: JobRunner, painter: Painter, error: Exception, code: str, tries: int
) -> None:
    painter.failures["a"] = [error] * 10
    ended = await until_ended(runner, await accept(runner, "a"))
    assert (ended.job.state, ended.result) == ("failed", None)
    told = msgspec.to_builtins(ended.job.error)
    assert told["code"] == code
    assert "secret" not in told["message"]
    assert painter.begun == ["a"] * tries
    painter.end_of("b").set()
    assert (await until_ended(runner, await accept(runner, "b"))).job.state == "succeeded"


@pytest.mark.parametrize(
    ("error", "tries_by_url"),
    [
        (StorageFullError("s", retry_after_seconds=0), TRIES_MAX),
        (StorageFullError("s", retry_after_seconds=BUSY_SECONDS_MAX + 1), 1),
        (StorageError("s", is_retryable=True), TRIES_MAX),
        (StorageError("s"), 1),
    ],
)
async def test_a_store_without_room_is_waited_for_and_then_the_pictures_come_in_base64(
    runner: JobRunner, painter: Painter, error: Exception, tries_by_url: int
) -> None:
    painter.failures["a"] = [error] * tries_by_url
    painter.end_of("a").set()
    ended = await until_ended(runner, await accept(runner, "a", delivery="url"))
    assert ended.job.state == "succeeded"
    assert painter.deliveries == ["url"] * tries_by_url + [None]


async def test_room_that_comes_in_time_is_taken(runner: JobRunner, painter: Painter) -> None:
    painter.failures["a"] = [StorageFullError("s", retry_after_seconds=0)] * (TRIES_MAX - 1)
    painter.end_of("a").set()
    assert (await until_ended(runner, await accept(runner, "a", delivery="url"))).job.state == "succeeded"
    assert painter.deliveries == ["url"] * TRIES_MAX


class FailingDatabase:
    """SQLite whose disk fails when it is told to."""

    def __init__(self, database: sqlite3.Connection, failing: str) -> None:
        self._database = database
        self._failing = failing
        self.is_broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def execute(self, text: str, *values: Any) -> sqlite3.Cursor:
        if self.is_broken and text.startswith(self._failing):
            raise sqlite3.OperationalError("disk I/O error")
        return self._database.execute(text, *values)


@pytest.mark.parametrize("failing", ["SELECT bytes", "BEGIN", "UPDATE", "COMMIT"])
async def test_nobody_waits_for_ever_for_a_job_whose_end_cannot_be_stored(
    runner: JobRunner, painter: Painter, failing: str
) -> None:
    store: Any = runner._store
    database = store._database = FailingDatabase(store._database, failing)
    job_id = await accept(runner, "a")
    await until_begun(painter, "a")
    follower = asyncio.create_task(until_ended(runner, job_id))
    await asyncio.sleep(0)
    database.is_broken = True
    async with asyncio.timeout(30):
        assert (await runner.cancel(job_id, "ann")).job.state == "queued"
        assert (await follower).job.state == "queued"
    database.is_broken = False
    # The place that it had at work is free again.
    painter.end_of("b").set()
    assert (await until_ended(runner, await accept(runner, "b"))).job.state == "succeeded"


async def test_what_was_not_finished_is_taken_up_again_and_what_was_stays(tmp_path: Path, painter: Painter) -> None:
    first = runner_in(tmp_path, painter)
    await first.start()
    ids = {name: await accept(first, name, seed=7) for name in ("a", "b", "c", "d")}
    painter.end_of("a").set()
    assert (await until_ended(first, ids["a"])).job.warnings == ()
    await until_begun(painter, "b", "c")
    await first.aclose()
    assert sorted(painter.stopped) == ["b", "c"]
    painter.begun.clear()
    second = runner_in(tmp_path, painter)
    await second.open()
    assert (await second.get(ids["a"], "ann")).result == b'{"painted":"a"}'
    assert [(await second.get(ids[name], "ann")).job.position for name in ("b", "c", "d")] == [0, 1, 2]
    await second.start()
    for name in ("b", "c", "d"):
        painter.end_of(name).set()
        assert (await until_ended(second, ids[name])).job.state == "succeeded"
    assert painter.begun == ["b", "c", "d"]
    await second.aclose()


async def test_a_job_that_ends_every_server_is_given_up_and_one_that_was_stopped_in_good_order_is_not(
    tmp_path: Path, painter: Painter
) -> None:
    runner = runner_in(tmp_path, painter)
    await runner.start()
    job_id = await accept(runner, "a")
    for _ in range(2 * TIMES_BEGUN_MAX):
        await until_begun(painter, "a")
        painter.begun.clear()
        await runner.aclose()
        runner = runner_in(tmp_path, painter)
        await runner.start()
    await until_begun(painter, "a")
    await runner.aclose()
    store = JobStore(tmp_path, bytes_max=SETTINGS.bytes_max, ttl_seconds=SETTINGS.ttl_seconds)
    await store.open()
    for _ in range(TIMES_BEGUN_MAX):
        await store.begin(job_id)
    await store.aclose()
    runner = runner_in(tmp_path, painter)
    await runner.start()
    ended = await until_ended(runner, job_id)
    assert ended.job.state == "failed"
    assert "the server has ended" in msgspec.to_builtins(ended.job.error)["message"]
    await runner.aclose()


async def test_a_caller_that_leaves_while_its_job_is_stored_leaves_a_whole_job(
    tmp_path: Path, painter: Painter
) -> None:
    runner = runner_in(tmp_path, painter)
    await runner.start()
    accepting = asyncio.create_task(accept(runner, "a"))
    await asyncio.sleep(0)
    accepting.cancel()
    await asyncio.gather(accepting, return_exceptions=True)
    await until_begun(painter, "a")
    await runner.aclose()
