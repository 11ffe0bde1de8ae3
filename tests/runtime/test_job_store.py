"""Jobs on disk: nothing accepted is lost, what has ended lives as long as was said, and never more than fits."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from calotype_provider.errors import ConfigError, EngineError, StorageError, StorageFullError
from calotype_provider.model_card import FittedCall
from calotype_provider.types import Caller, CallWarning, ImageFile, ImageModelCall, Size
from calotype_runtime.jobs.job import JobProgress
from calotype_runtime.jobs.job_database import FILE_NAME
from calotype_runtime.jobs.job_store import (
    FULL_RETRY_SECONDS,
    JOB_BYTES_COUNTED_MIN,
    JobStore,
    Outcome,
    WaitingJob,
)
from calotype_runtime.jobs.job_work import JobWork, decode_work, encode_work

TTL_SECONDS = 60.0
JOBS_MAX = 3
WORK = b"w" * 1000
RESULT = b'"' + b"r" * 2000 + b'"'
DONE = Outcome(state="succeeded", started_at=5.0, progress=JobProgress(4, 4), result=RESULT)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def store_in(directory: Path | None, clock: Clock) -> JobStore:
    """Room for three jobs of WORK that may have results like RESULT."""
    bytes_max = JOBS_MAX * (JOB_BYTES_COUNTED_MIN + len(WORK) + len(RESULT))
    return JobStore(directory, bytes_max=bytes_max, ttl_seconds=TTL_SECONDS, clock=clock)


@pytest.fixture(params=["lasting", "temporary"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[JobStore]:
    store = store_in(tmp_path / "jobs" if request.param == "lasting" else None, clock)
    assert await store.open() == []
    yield store
    await store.aclose()


def job(name: str, caller: str = "ann") -> WaitingJob:
    return WaitingJob(id=name, caller=caller, created_at=3.5, cost_seconds=0.25, images=2, steps=4)


async def add(store: JobStore, *names: str) -> None:
    for name in names:
        await store.add(job(name), WORK, result_bytes_max=len(RESULT))


async def result_of(store: JobStore, name: str) -> bytes | None:
    kept = await store.get(name)
    return None if kept is None else kept.outcome.result


async def test_a_job_is_kept_until_its_time_is_over_and_not_a_moment_longer(store: JobStore, clock: Clock) -> None:
    await add(store, "a")
    assert await store.begin("a") == (WORK, 1)
    await store.finish("a", DONE)
    kept = await store.get("a")
    assert kept is not None
    assert (kept.caller, kept.created_at, kept.finished_at, kept.outcome) == ("ann", 3.5, clock.now, DONE)
    assert kept.expires_at == clock.now + TTL_SECONDS
    clock.now += TTL_SECONDS - 0.01
    assert await result_of(store, "a") == RESULT
    clock.now += 0.01
    assert await store.get("a") is None


async def test_what_has_not_ended_does_not_expire(store: JobStore, clock: Clock) -> None:
    await add(store, "a")
    clock.now += 100 * TTL_SECONDS
    assert await store.delete_expired() is None
    kept = await store.get("a")
    assert kept is not None
    assert (kept.outcome.state, kept.finished_at, kept.expires_at) == ("queued", None, None)


async def test_it_says_when_the_next_job_is_due(store: JobStore, clock: Clock) -> None:
    await add(store, "a", "b")
    await store.finish("a", DONE)
    clock.now += 20
    await store.finish("b", DONE)
    assert await store.delete_expired() == pytest.approx(TTL_SECONDS - 20)
    clock.now += TTL_SECONDS - 20
    assert await store.delete_expired() == pytest.approx(20)
    clock.now += 20
    assert await store.delete_expired() is None


async def test_a_clock_that_is_set_back_keeps_nothing_for_ever(store: JobStore, clock: Clock) -> None:
    await add(store, "a")
    await store.finish("a", DONE)
    clock.now -= 10 * TTL_SECONDS
    assert await store.delete_expired() is None
    assert await store.get("a") is None


BY_URL = msgspec.structs.replace(DONE, result=b'"a URL"', result_later=RESULT, urls_until=1_000_010.0)


async def test_pictures_by_url_are_in_the_result_when_the_urls_are_over(store: JobStore, clock: Clock) -> None:
    await add(store, "a")
    await store.finish("a", BY_URL)
    clock.now = 1_000_009.99
    assert await result_of(store, "a") == b'"a URL"'
    clock.now += 0.01
    assert await result_of(store, "a") == RESULT


@pytest.mark.parametrize("urls_last", [True, False])
async def test_urls_that_ended_with_their_server_are_told_no_more(
    tmp_path: Path, clock: Clock, urls_last: bool
) -> None:
    for _ in range(2):
        store = JobStore(tmp_path, bytes_max=10**8, ttl_seconds=TTL_SECONDS, urls_last=urls_last, clock=clock)
        if not await store.open() and await store.get("a") is None:
            await add(store, "a")
            await store.finish("a", BY_URL)
            assert await result_of(store, "a") == b'"a URL"'
            await store.aclose()
    assert await result_of(store, "a") == (b'"a URL"' if urls_last else RESULT)
    await store.aclose()


async def test_pictures_beside_their_urls_take_room(store: JobStore) -> None:
    await add(store, "a", "b", "c")
    with pytest.raises(StorageFullError):
        await store.finish("a", msgspec.structs.replace(BY_URL, result_later=RESULT * 2))


async def test_a_store_of_the_version_before_is_taken_over(tmp_path: Path, clock: Clock) -> None:
    first = store_in(tmp_path, clock)
    await first.open()
    await add(first, "a", "b")
    await first.finish("b", DONE)
    await first.aclose()
    database = sqlite3.connect(tmp_path / FILE_NAME)
    for column in ("result_later", "urls_until"):
        database.execute(f"ALTER TABLE jobs DROP COLUMN {column}")
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()
    for _ in range(2):
        second = store_in(tmp_path, clock)
        assert await second.open() == [job("a")]
        assert await result_of(second, "b") == RESULT
        await second.aclose()


async def test_a_full_store_takes_no_more_until_something_expires(store: JobStore, clock: Clock) -> None:
    await add(store, "a", "b", "c")
    with pytest.raises(StorageFullError) as caught:
        await add(store, "d")
    assert caught.value.retry_after_seconds == FULL_RETRY_SECONDS
    await store.finish("a", DONE)
    with pytest.raises(StorageFullError) as caught:
        await add(store, "d")
    assert caught.value.retry_after_seconds == pytest.approx(TTL_SECONDS)
    clock.now += TTL_SECONDS
    await add(store, "d")
    assert await store.get("d") is not None


async def test_room_that_a_result_did_not_need_is_free_again(store: JobStore) -> None:
    await add(store, "a", "b", "c")
    for name in ("a", "b", "c"):
        await store.finish(name, Outcome(state="cancelled"))
    await add(store, "d")


async def test_what_can_never_fit_is_not_asked_for_again_soon(store: JobStore) -> None:
    with pytest.raises(StorageFullError) as caught:
        await store.add(job("a"), WORK, result_bytes_max=10**9)
    assert caught.value.retry_after_seconds == TTL_SECONDS


async def test_a_result_larger_than_was_said_is_refused_when_it_does_not_fit(store: JobStore) -> None:
    await add(store, "a", "b", "c")
    with pytest.raises(StorageFullError):
        await store.finish("a", Outcome(state="succeeded", result=RESULT * 2))
    await store.finish("a", Outcome(state="failed", error=b"{}"))
    await store.finish("b", Outcome(state="succeeded", result=RESULT * 2))


async def test_how_often_a_job_was_begun_is_counted_unless_it_was_put_back(store: JobStore) -> None:
    await add(store, "a")
    assert [(await store.begin("a"))[1] for _ in range(2)] == [1, 2]
    await store.put_back("a")
    assert (await store.begin("a"))[1] == 2


async def test_nothing_is_known_of_other_ids(store: JobStore) -> None:
    await add(store, "a")
    assert await store.get("b") is None
    assert await store.get("' OR 1=1 --") is None


async def test_a_lasting_store_gives_back_what_was_in_it(tmp_path: Path, clock: Clock) -> None:
    first = store_in(tmp_path, clock)
    await first.open()
    await add(first, "a", "b", "c")
    await first.begin("c")
    await first.finish("b", DONE)
    await first.aclose()
    second = store_in(tmp_path, clock)
    assert second.lasts
    assert await second.open() == [job("a"), job("c")]
    assert await result_of(second, "b") == RESULT
    assert await second.begin("c") == (WORK, 2)
    # What was counted is counted again.
    with pytest.raises(StorageFullError):
        await add(second, "d")
    await second.aclose()


async def test_a_store_that_was_never_closed_gives_back_what_was_in_it(tmp_path: Path, clock: Clock) -> None:
    first = store_in(tmp_path / "first", clock)
    await first.open()
    await add(first, "a")
    (tmp_path / "second").mkdir()
    # As the files are while the first is at work, which is as a killed one leaves them.
    for path in (tmp_path / "first").iterdir():
        (tmp_path / "second" / path.name).write_bytes(path.read_bytes())
    second = store_in(tmp_path / "second", clock)
    assert await second.open() == [job("a")]
    await first.aclose()
    await second.aclose()


async def test_work_is_forgotten_with_the_jobs_end_and_the_file_shrinks(tmp_path: Path, clock: Clock) -> None:
    store = JobStore(tmp_path, bytes_max=10**8, ttl_seconds=TTL_SECONDS, clock=clock)
    await store.open()
    secret = b"a prompt that is nobody's business" * 100_000
    await store.add(job("a"), secret, result_bytes_max=0)
    await store.finish("a", DONE)
    await store.aclose()
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert len(data) < 100_000
    assert secret[:40] not in data


async def test_a_directory_is_used_by_one_server_and_open_to_nobody_else(tmp_path: Path, clock: Clock) -> None:
    directory = tmp_path / "deep" / "jobs"
    first, second = store_in(directory, clock), store_in(directory, clock)
    await first.open()
    await add(first, "a")
    with pytest.raises(ConfigError, match="another server uses it"):
        await second.open()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    await first.aclose()
    third = store_in(directory, clock)
    assert await third.open() == [job("a")]
    await third.aclose()
    await second.aclose()


@pytest.mark.parametrize("obstacle", ["a file in its place", "no database", "another version"])
async def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path, clock: Clock, obstacle: str) -> None:
    directory = tmp_path / "jobs"
    if obstacle == "a file in its place":
        directory.write_text("")
    else:
        directory.mkdir()
        (directory / FILE_NAME).write_bytes(b"no database" * 1000 if obstacle == "no database" else b"")
    if obstacle == "another version":
        with sqlite3.connect(directory / FILE_NAME) as database:
            database.execute("PRAGMA user_version = 99")
        database.close()
    store = store_in(directory, clock)
    with pytest.raises(ConfigError, match=r"jobs\.directory"):
        await store.open()
    await store.aclose()


async def test_a_store_that_fails_says_so_in_our_words(tmp_path: Path, clock: Clock) -> None:
    store = JobStore(tmp_path, bytes_max=10**8, ttl_seconds=TTL_SECONDS, clock=clock)
    await store.open()
    await add(store, "a")
    with pytest.raises(StorageError, match="UNIQUE"):
        await add(store, "a")
    # The transaction was rolled back: the store goes on.
    await add(store, "b")
    await store.aclose()


async def test_whatever_sqlite_refuses_is_an_error_of_the_store(tmp_path: Path, clock: Clock) -> None:
    store = JobStore(tmp_path, bytes_max=10**8, ttl_seconds=TTL_SECONDS, clock=clock)
    await store.open()
    await add(store, "a")
    assert store._database is not None
    await store._in_thread(store._database.close)
    with pytest.raises(StorageError, match="closed"):
        await add(store, "b")
    for asked in (store.begin("a"), store.put_back("a"), store.finish("a", DONE), store.get("a")):
        with pytest.raises(StorageError, match="closed"):
            await asked
    with pytest.raises(StorageError, match="closed"):
        await store.delete_expired()
    await store.aclose()


def test_work_comes_back_whole() -> None:
    picture = ImageFile(b"\x00\xffpicture", "image/png", Size(64, 64))
    call = ImageModelCall(
        prompt="ein roter Fuchs 🦊", n=2, size=Size(64, 96), seed=2**53 - 1, strength=0.5, images=(picture, picture),
        mask=picture, control_image=picture, partial_images=2, strict=True, caller=Caller("ann", "req_1"),
        provider_options={"acme": {"brush": ["soft", 1, None]}},
    )  # fmt: skip
    warning = CallWarning("other", "size", "nearest")
    work = JobWork(
        model_id="acme/brush",
        fitted=FittedCall(call, (warning,)),
        delivery=None,
        origin="http://localhost",
        warnings=(warning,),
    )
    assert decode_work(encode_work(work)) == work


@pytest.mark.parametrize("left", [b"", b"\xc1", msgspec.msgpack.encode({"model_id": 7})])
def test_work_that_cannot_be_read_is_an_error_of_ours(left: bytes) -> None:
    with pytest.raises(EngineError, match="another version"):
        decode_work(left)
