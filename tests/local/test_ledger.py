"""The books of an engine, without one."""

from __future__ import annotations

import msgspec
import pytest
from engine_requests import FLUX, paint, painted_as

from calotype_provider.errors import EngineError, ModelBusyError, NoSuchRequestError
from calotype_provider.local.engine import EngineEvent, Queued
from calotype_provider.local.ledger import Ledger
from calotype_provider.local.mailbox import Reader
from calotype_provider.local.messages import (
    Cancelled,
    Failed,
    FailureKind,
    LoadModel,
    ModelLoaded,
    Paint,
    Priced,
    Started,
    Step,
)
from calotype_provider.local.outcomes import OUTCOME_SECONDS_MAX


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sized(side: int, *, steps: int = 10) -> Paint:
    return msgspec.structs.replace(paint(steps=steps), width=side, height=side)


async def all_of(reader: Reader) -> list[EngineEvent]:
    return [event async for event in reader]


def fail(ledger: Ledger, request: Paint, kind: FailureKind) -> Reader:
    events = ledger.admit(request)
    ledger.take(Failed(request.request_id, kind, "CUDA out of memory: process 17 has 80 GiB"))
    return events


async def test_whoever_comes_back_is_told_how_it_ended_for_a_while() -> None:
    clock = Clock()
    ledger = Ledger(requests_max=9, clock=clock)
    done, cancelled, failed = paint(), paint(), paint()
    ledger.admit(done)
    ledger.take(Started(done.request_id))
    ledger.take(painted_as(done.request_id))
    ledger.admit(cancelled)
    ledger.cancel(cancelled.request_id)
    fail(ledger, failed, "pipeline")
    assert await all_of(ledger.resume(done.request_id)) == [painted_as(done.request_id)]
    assert await all_of(ledger.resume(cancelled.request_id)) == [Cancelled(cancelled.request_id)]
    for _ in range(2):
        with pytest.raises(EngineError, match="CUDA"):
            await all_of(ledger.resume(failed.request_id))
    clock.now += OUTCOME_SECONDS_MAX
    for request in (done, cancelled, failed):
        with pytest.raises(NoSuchRequestError, match=request.request_id):
            ledger.resume(request.request_id)


async def test_pictures_that_were_painted_are_counted_and_no_others() -> None:
    ledger = Ledger(requests_max=9)
    done, cancelled, late, failed = (paint() for _ in range(4))
    for request in (done, cancelled, late):
        ledger.admit(request)
    ledger.take(painted_as(done.request_id))
    ledger.cancel(cancelled.request_id)
    ledger.take(Cancelled(cancelled.request_id))
    fail(ledger, failed, "pipeline")
    assert ledger.painted == 1
    # It was painted all the same.
    ledger.cancel(late.request_id)
    ledger.take(painted_as(late.request_id))
    assert ledger.painted == 2


async def test_an_id_that_is_used_again_is_the_newer_picture() -> None:
    ledger = Ledger(requests_max=9)
    request = paint()
    for _ in range(2):
        ledger.admit(request)
        assert await anext(ledger.resume(request.request_id)) == Queued(request.request_id, 0)
        ledger.take(painted_as(request.request_id))
    assert await all_of(ledger.resume(request.request_id)) == [painted_as(request.request_id)]


async def test_an_estimate_is_what_the_workers_table_says() -> None:
    ledger = Ledger(requests_max=2)
    first, second = sized(64, steps=10), sized(128, steps=10)
    ledger.admit(first)
    ledger.take(Priced(first.request_id, 30.0))
    assert ledger.paces.estimate_seconds(sized(64, steps=20)) == pytest.approx(60.0)
    ledger.admit(second)
    with pytest.raises(ModelBusyError) as refused:
        ledger.admit(paint())
    assert refused.value.retry_after_seconds == pytest.approx(30.0 + 120.0)
    # What is done already is not waited for.
    ledger.take(Step(first.request_id, 9, 10))
    with pytest.raises(ModelBusyError) as refused:
        ledger.admit(paint())
    assert refused.value.retry_after_seconds == pytest.approx(3.0 + 120.0)


async def test_a_picture_too_large_for_the_device_is_told_what_has_fitted_and_not_to_try_again() -> None:
    ledger = Ledger(requests_max=9)
    with pytest.raises(EngineError, match=r"^1024x1024 does not fit .* half the pixels may, 720x720$") as unknown:
        await all_of(fail(ledger, sized(1024), "too_large"))
    assert not unknown.value.is_retryable
    smaller = sized(768)
    ledger.admit(smaller)
    ledger.take(painted_as(smaller.request_id))
    with pytest.raises(EngineError, match=r"^1024x1024 does not fit in the device's memory; 768x768 has$"):
        await all_of(fail(ledger, sized(1024), "too_large"))


async def test_what_a_model_warmed_up_with_has_fitted() -> None:
    ledger = Ledger(requests_max=9)
    ledger.expect(LoadModel(model_id=FLUX, folder="/models/flux", warm_up=sized(512)))
    ledger.take(ModelLoaded(FLUX, "0123", 9, "bfloat16", "cuda"))
    with pytest.raises(EngineError, match="512x512 has"):
        await all_of(fail(ledger, sized(1024), "too_large"))


async def test_a_picture_that_did_not_fit_beside_others_may_be_tried_again() -> None:
    with pytest.raises(EngineError, match="beside") as error:
        await all_of(fail(Ledger(requests_max=9), sized(1024), "out_of_memory"))
    assert error.value.is_retryable


async def test_after_a_crash_those_who_join_find_it_queued() -> None:
    ledger = Ledger(requests_max=9)
    request = paint()
    ledger.admit(request)
    ledger.take_ready()
    ledger.take(Started(request.request_id))
    ledger.take(Step(request.request_id, 1, 2))
    assert await anext(ledger.resume(request.request_id)) == Started(request.request_id)
    ledger.start_over()
    assert await anext(ledger.resume(request.request_id)) == Queued(request.request_id, 0)


def test_the_price_of_a_models_first_picture_is_known_from_its_loading() -> None:
    ledger, warm_up = Ledger(requests_max=9), sized(64, steps=2)
    ledger.expect(LoadModel(model_id=FLUX, folder="/nowhere", warm_up=warm_up))
    ledger.take(Priced(warm_up.request_id, 4.0))
    assert ledger.paces.estimate_seconds(sized(64, steps=10)) == pytest.approx(20.0)
    ledger.take(Priced("nobody's", 4000.0))
    assert ledger.paces.estimate_seconds(sized(64, steps=10)) == pytest.approx(20.0)
