"""Admission: bounds, order, and places that never leak."""

import asyncio

import pytest

from calotype_provider.errors import ModelBusyError
from calotype_runtime.queue import RETRY_AFTER_SECONDS_MAX, AdmissionQueue


async def hold(queue: AdmissionQueue, name: str, order: list[str], release: asyncio.Event) -> None:
    async with queue.slot():
        order.append(name)
        await release.wait()


async def settle() -> None:
    """Let every task run as far as it can without time passing."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_running_is_bounded_and_the_oldest_waiter_is_next() -> None:
    queue, release = AdmissionQueue(running_max=2, waiting_max=10), asyncio.Event()
    order: list[str] = []
    tasks = [asyncio.create_task(hold(queue, name, order, release)) for name in "abcd"]
    await settle()
    assert order == ["a", "b"]
    assert (queue.running, queue.waiting) == (2, 2)
    release.set()
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c", "d"]
    assert (queue.running, queue.waiting) == (0, 0)


async def test_one_more_than_may_wait_is_told_to_come_back() -> None:
    queue, release = AdmissionQueue(running_max=1, waiting_max=2), asyncio.Event()
    order: list[str] = []
    tasks = [asyncio.create_task(hold(queue, name, order, release)) for name in "abc"]
    await settle()
    with pytest.raises(ModelBusyError) as caught:
        await hold(queue, "d", order, release)
    assert 0 < caught.value.retry_after_seconds <= RETRY_AFTER_SECONDS_MAX
    release.set()
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c"]


async def test_a_waiter_that_leaves_gives_its_place_up() -> None:
    queue, release = AdmissionQueue(running_max=1, waiting_max=1), asyncio.Event()
    order: list[str] = []
    first = asyncio.create_task(hold(queue, "a", order, release))
    await settle()
    second = asyncio.create_task(hold(queue, "b", order, release))
    await settle()
    second.cancel()
    await settle()
    third = asyncio.create_task(hold(queue, "c", order, release))
    await settle()
    release.set()
    await asyncio.gather(first, third)
    assert order == ["a", "c"]
    assert (queue.running, queue.waiting) == (0, 0)


async def test_a_waiter_that_leaves_in_the_moment_of_its_turn_passes_it_on() -> None:
    queue, release = AdmissionQueue(running_max=1, waiting_max=5), asyncio.Event()
    order: list[str] = []
    first = asyncio.create_task(hold(queue, "a", order, release))
    await settle()
    second, third = (asyncio.create_task(hold(queue, name, order, release)) for name in "bc")
    await settle()
    first.cancel()
    await asyncio.sleep(0)
    # The place now belongs to the second, which has not run yet.
    second.cancel()
    release.set()
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert order == ["a", "c"]
    assert (queue.running, queue.waiting) == (0, 0)


async def test_the_wait_is_measured_by_the_queues_clock() -> None:
    now = 100.0
    queue = AdmissionQueue(running_max=1, waiting_max=1, clock=lambda: now)
    waited: list[float] = []

    async def enter() -> None:
        async with queue.slot() as wait_seconds:
            waited.append(wait_seconds)

    async with queue.slot():
        task = asyncio.create_task(enter())
        await settle()
        now = 107.5
    await task
    assert waited == [7.5]
