"""Requests that come again: they join the one that runs, or are given what it gave. Knows no pictures and no wire.

Clients try again up to three times and send no idempotency key; some ask thrice at once where they want three pictures.
So equal requests are one only where somebody says so (a key, a seed), or where a client says that it asks again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from calotype_provider.errors import CalotypeError, IdempotencyKeyReusedError

ANSWERS_MAX = 256
ANSWERS_BYTES_MAX = 512 * 2**20
ANSWER_SECONDS_MAX = 600.0

LOST_MAX = 64
LOST_SECONDS_MAX = 15.0
"""How long work goes on for a caller whose client will ask again: the longest pause of OpenAI's clients is 8 s."""

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as far as it tells which others are the same."""

    caller: str
    body: bytes
    """A digest of all that the answer depends on."""
    key: str | None = None
    """Its Idempotency-Key."""
    keep: bool = False
    """The work is finished even when nobody waits for it: the caller will come back with the key."""
    has_seed: bool = False
    retry_count: int = 0
    """How often its client has asked before."""
    asks_again: Callable[[], bool] = lambda: False
    """Whether its client would ask again by itself if it left now."""


class Repeats(Generic[T]):
    """`size_of` an answer in bytes. Of answers that are kept, the oldest go first; so do those whose time is over."""

    def __init__(
        self,
        size_of: Callable[[T], int],
        *,
        answers_max: int = ANSWERS_MAX,
        bytes_max: int = ANSWERS_BYTES_MAX,
        seconds_max: float = ANSWER_SECONDS_MAX,
        lost_seconds_max: float = LOST_SECONDS_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._size_of = size_of
        self._answers_max = answers_max
        self._bytes_max = bytes_max
        self._seconds_max = seconds_max
        self._lost_seconds_max = lost_seconds_max
        self._clock = clock
        self._named: dict[Hashable, _Run[T]] = {}
        """By a key or a seed: running, or answered, in the order in which they were."""
        self._unnamed: dict[Hashable, list[_Run[T]]] = {}
        """All others that run, or have lost their caller, by caller and body."""
        self._lost: set[_Run[T]] = set()
        self._bytes = 0

    async def answer(self, asked: Asked, work: Work[T]) -> T:
        """What `work` gives, or gave to a request that this one repeats.

        Raises what it raises, and IdempotencyKeyReusedError for a key that came with another body. Cancelling cancels
        the work too, once nobody else waits for it.
        """
        self._forget_old()
        run = self._running(asked) or self._begin(asked, work)
        return await self._follow(run, asked)

    def keep_failure(self, asked: Asked, error: CalotypeError) -> None:
        """A failure that could not be told, since the answer had begun: the request's next attempt is told instead."""
        # By a key or a seed it is found already, unless another try may do better.
        if _name_of(asked) is not None:
            return
        failed: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        failed.set_exception(error)
        self._wait_for_retry(self._enter(asked, failed))

    async def aclose(self) -> None:
        """End what runs without a caller."""
        runs = [*self._named.values(), *(run for runs in self._unnamed.values() for run in runs)]
        for run in runs:
            run.task.cancel()
        await asyncio.gather(*(run.task for run in runs), return_exceptions=True)

    def _running(self, asked: Asked) -> _Run[T] | None:
        """The run that this request repeats."""
        if (name := _name_of(asked)) is not None:
            run = self._named.get(name)
            if run is not None and run.body != asked.body:
                raise IdempotencyKeyReusedError(f"the idempotency key {asked.key!r} came with another body before")
            return run
        # Each retry takes an attempt of its own: three that were asked at once stay three.
        attempts = self._unnamed.get((asked.caller, asked.body), [])
        earlier = [run for run in attempts if run.retry_count < asked.retry_count]
        run = min(earlier, key=lambda run: run.readers, default=None)
        if run is not None:
            run.retry_count = asked.retry_count
        return run

    def _begin(self, asked: Asked, work: Work[T]) -> _Run[T]:
        return self._enter(asked, asyncio.ensure_future(work()))

    def _enter(self, asked: Asked, task: asyncio.Future[T]) -> _Run[T]:
        run = _Run(task, asked.body, asked.retry_count)
        # Looked at here, lest asyncio complain of a failure that nobody was left to hear of.
        run.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        name = _name_of(asked)
        if name is not None:
            self._named[name] = run
            run.task.add_done_callback(lambda _: self._keep(name, run))
        else:
            self._unnamed.setdefault((asked.caller, asked.body), []).append(run)
            run.on_end = lambda: self._forget_attempt(asked, run)
        return run

    async def _follow(self, run: _Run[T], asked: Asked) -> T:
        run.readers += 1
        run.keep = run.keep or asked.keep
        self._lost.discard(run)
        run.stay()
        try:
            return await asyncio.shield(run.task)
        except CalotypeError as error:
            # One error may be raised to several readers: none keeps the frames of another.
            raise error.with_traceback(None) from error.__cause__
        finally:
            run.readers -= 1
            if run.readers == 0:
                self._left(run, asked)

    def _left(self, run: _Run[T], asked: Asked) -> None:
        """Nobody waits for it now."""
        if run.task.done():
            run.end()
        elif run.keep:
            pass
        elif asked.asks_again():
            self._wait_for_retry(run)
        else:
            run.end()

    def _wait_for_retry(self, run: _Run[T]) -> None:
        if len(self._lost) >= LOST_MAX:
            run.end()
            return
        self._lost.add(run)
        run.end_in(self._lost_seconds_max)

    def _keep(self, name: Hashable, run: _Run[T]) -> None:
        """The run has ended. An answer, or an error that would be the same again, is kept; others are forgotten."""
        if self._named.get(name) is not run:
            return
        if run.task.cancelled() or _is_worth_another_try(run.task.exception()):
            del self._named[name]
            return
        run.ended, run.bytes = self._clock(), 0 if run.task.exception() else self._size_of(run.task.result())
        # Behind those that were answered before.
        self._named[name] = self._named.pop(name)
        self._bytes += run.bytes
        self._forget_old()

    def _forget_attempt(self, asked: Asked, run: _Run[T]) -> None:
        self._lost.discard(run)
        attempts = self._unnamed.get((asked.caller, asked.body), [])
        if run in attempts:
            attempts.remove(run)
        if not attempts:
            self._unnamed.pop((asked.caller, asked.body), None)

    def _forget_old(self) -> None:
        answered = [(name, run) for name, run in self._named.items() if run.ended is not None]
        too_old = self._clock() - self._seconds_max
        for index, (name, run) in enumerate(answered):
            assert run.ended is not None, "only what was answered is looked at"
            too_many = len(answered) - index > self._answers_max or self._bytes > self._bytes_max
            if not too_many and run.ended > too_old:
                return
            del self._named[name]
            self._bytes -= run.bytes


def _name_of(asked: Asked) -> Hashable | None:
    if asked.key is not None:
        return (asked.caller, "key", asked.key)
    return (asked.caller, "seed", asked.body) if asked.has_seed else None


def _is_worth_another_try(error: BaseException | None) -> bool:
    """Only what was told once and for all is told again."""
    return error is not None and not (isinstance(error, CalotypeError) and not error.is_retryable)


@dataclass(eq=False)
class _Run(Generic[T]):
    """One piece of work, and how many wait for it."""

    task: asyncio.Future[T]
    body: bytes
    retry_count: int
    keep: bool = False
    readers: int = 0
    ended: float | None = None
    bytes: int = 0
    on_end: Callable[[], None] = field(default=lambda: None)
    _ending: asyncio.TimerHandle | None = None

    def stay(self) -> None:
        """Somebody has come back."""
        if self._ending:
            self._ending.cancel()
            self._ending = None

    def end_in(self, seconds: float) -> None:
        self._ending = asyncio.get_running_loop().call_later(seconds, self.end)

    def end(self) -> None:
        """Nobody will ask for it again by being a retry. Work that is done already is not changed by it."""
        self.task.cancel()
        self.on_end()
