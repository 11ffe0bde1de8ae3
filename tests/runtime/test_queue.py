"""Admission: bounds, order, and places that never leak."""

import asyncio
import random

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


async def test_a_waiter_that_leaves_while_the_place_becomes_free_is_simply_gone() -> None:
    queue, release = AdmissionQueue(running_max=1, waiting_max=5), asyncio.Event()
    order: list[str] = []
    first = asyncio.create_task(hold(queue, "a", order, release))
    await settle()
    second = asyncio.create_task(hold(queue, "b", order, release))
    await settle()
    second.cancel()
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert second.cancelled()
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


async def test_callers_take_turns_however_many_calls_one_of_them_has() -> None:
    queue = AdmissionQueue(running_max=1, waiting_max=100)
    order: list[str] = []

    async def call(caller: str) -> None:
        async with queue.slot(caller=caller):
            order.append(caller)

    async with queue.slot():
        tasks = [asyncio.create_task(call("greedy")) for _ in range(6)]
        await settle()
        tasks += [asyncio.create_task(call("modest")) for _ in range(2)]
        await settle()
    await asyncio.gather(*tasks)
    assert order == ["greedy", "modest", "greedy", "modest", "greedy", "greedy", "greedy", "greedy"]


async def test_turns_are_fair_by_device_time_and_not_by_number() -> None:
    queue = AdmissionQueue(running_max=1, waiting_max=100)
    order: list[str] = []

    async def call(caller: str, cost_seconds: float) -> None:
        async with queue.slot(caller=caller, cost_seconds=cost_seconds):
            order.append(caller)

    async with queue.slot():
        tasks = [asyncio.create_task(call("large", 8.0)) for _ in range(3)]
        tasks += [asyncio.create_task(call("small", 1.0)) for _ in range(24)]
        await settle()
    await asyncio.gather(*tasks)
    # When the second large one starts, the small ones have had about as much of the device.
    second = [index for index, caller in enumerate(order) if caller == "large"][1]
    assert 7 <= order[:second].count("small") <= 17


async def test_one_callers_calls_keep_their_order() -> None:
    queue = AdmissionQueue(running_max=1, waiting_max=100)
    order: list[float] = []

    async def call(cost_seconds: float) -> None:
        async with queue.slot(caller="ann", cost_seconds=cost_seconds):
            order.append(cost_seconds)

    async with queue.slot():
        tasks = [asyncio.create_task(call(cost)) for cost in (5.0, 1.0, 3.0)]
        await settle()
    await asyncio.gather(*tasks)
    assert order == [5.0, 1.0, 3.0]


async def test_one_caller_may_not_fill_the_queue() -> None:
    queue, release = AdmissionQueue(running_max=1, waiting_max=10, waiting_per_caller_max=2), asyncio.Event()

    async def call(caller: str) -> None:
        async with queue.slot(caller=caller):
            await release.wait()

    tasks = [asyncio.create_task(call("greedy")) for _ in range(3)]
    await settle()
    with pytest.raises(ModelBusyError, match="your calls"):
        await call("greedy")
    tasks.append(asyncio.create_task(call("modest")))
    await settle()
    assert queue.waiting == 3
    release.set()
    await asyncio.gather(*tasks)


class Waiting:
    """Calls that wait until they are let go, by caller."""

    def __init__(self, queue: AdmissionQueue) -> None:
        self.queue = queue
        self.release = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def come(
        self, caller: str, *, cost_seconds: float = 1.0, wait_seconds_max: float | None = None
    ) -> asyncio.Task[None]:
        async def call() -> None:
            slot = self.queue.slot(caller=caller, cost_seconds=cost_seconds, wait_seconds_max=wait_seconds_max)
            async with slot:
                await self.release.wait()

        task = asyncio.create_task(call())
        self.tasks.append(task)
        await settle()
        return task

    async def refusal(self, caller: str, *, wait_seconds_max: float | None = None) -> str:
        """Why it may not even wait."""
        task = await self.come(caller, wait_seconds_max=wait_seconds_max)
        assert task.done()
        assert isinstance(task.exception(), ModelBusyError)
        return str(task.exception())

    async def let_go(self) -> list[BaseException | None]:
        self.release.set()
        return await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_in_a_full_queue_the_greediest_callers_newest_call_makes_way() -> None:
    calls = Waiting(AdmissionQueue(running_max=1, waiting_max=4))
    greedy = [await calls.come("greedy") for _ in range(5)]
    assert "4 calls wait already" in await calls.refusal("greedy")
    # 3 of the one and 1 of the other, then 2 and 2: nobody makes way for one who would have as many.
    await calls.come("ann")
    assert [task.done() for task in greedy] == [False, False, False, False, True]
    await calls.come("ann")
    assert [task.done() for task in greedy] == [False, False, False, True, True]
    for caller in ("ann", "greedy"):
        await calls.refusal(caller)
    for task in greedy[3:]:
        error = task.exception()
        assert isinstance(error, ModelBusyError)
        assert 0 < error.retry_after_seconds <= RETRY_AFTER_SECONDS_MAX
    assert calls.queue.waiting == 4
    assert (await calls.let_go()).count(None) == 5
    assert (calls.queue.running, calls.queue.waiting) == (0, 0)


async def test_callers_with_as_many_do_not_put_out_each_other() -> None:
    calls = Waiting(AdmissionQueue(running_max=1, waiting_max=3))
    for caller in ("first", "ann", "bob", "eve"):
        await calls.come(caller)
    for caller in ("ann", "dan"):
        await calls.refusal(caller)
    assert calls.queue.waiting == 3
    await calls.let_go()


async def test_nobody_makes_way_for_a_call_that_is_refused_all_the_same() -> None:
    calls = Waiting(AdmissionQueue(running_max=1, waiting_max=2))
    for _ in range(3):
        await calls.come("greedy", cost_seconds=20.0)
    assert "would be" in await calls.refusal("ann", wait_seconds_max=5.0)
    assert calls.queue.waiting == 2
    await calls.let_go()


async def test_who_leaves_in_the_moment_of_making_way_leaves_no_place_behind() -> None:
    calls = Waiting(AdmissionQueue(running_max=1, waiting_max=2))
    for _ in range(3):
        leaver = await calls.come("greedy")
    coming = asyncio.ensure_future(calls.come("ann"))
    # Ann has come, and the leaver has not heard of it yet.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaver.cancel()
    await coming
    assert (calls.queue.running, calls.queue.waiting) == (1, 2)
    assert (await calls.let_go()).count(None) == 3
    assert (calls.queue.running, calls.queue.waiting) == (0, 0)


async def test_a_wait_that_would_be_too_long_is_refused_at_the_door() -> None:
    queue = AdmissionQueue(running_max=1, waiting_max=10)
    async with queue.slot(cost_seconds=20.0):
        with pytest.raises(ModelBusyError, match="would be 10"):
            async with queue.slot(wait_seconds_max=5.0):
                pass
    assert (queue.running, queue.waiting) == (0, 0)


async def test_a_wait_that_becomes_too_long_ends_and_leaves_no_place_behind() -> None:
    queue = AdmissionQueue(running_max=1, waiting_max=10)
    async with queue.slot(cost_seconds=0.01):
        with pytest.raises(ModelBusyError, match="as long as it may"):
            async with queue.slot(wait_seconds_max=0.02):
                pass
        assert (queue.running, queue.waiting) == (1, 0)
    assert (queue.running, queue.waiting) == (0, 0)


async def test_places_survive_any_mixture_of_leaving_and_finishing() -> None:
    rng = random.Random(7)
    queue = AdmissionQueue(running_max=3, waiting_max=1000)
    finished = 0

    async def call(caller: str, cost: float) -> None:
        nonlocal finished
        async with queue.slot(caller=caller, cost_seconds=cost):
            assert queue.running <= 3
            for _ in range(rng.randint(0, 5)):
                await asyncio.sleep(0)
            finished += 1

    tasks = [asyncio.create_task(call(rng.choice("abc"), rng.random() * 9)) for _ in range(300)]
    for _ in range(200):
        await asyncio.sleep(0)
        if rng.random() < 0.5:
            rng.choice(tasks).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert finished > 100
    assert (queue.running, queue.waiting) == (0, 0)
