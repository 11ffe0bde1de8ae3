"""Requests that come again: they join the one that runs, or are given what it gave. Knows no pictures and no wire.

Clients try again up to three times and send no idempotency key; some ask thrice at once where they want three pictures.
So equal requests are one only where somebody says so (a key, a seed), or where a client says that it asks again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from calotype_provider.errors import CalotypeError, DeadlineError, EngineError, NoImageGeneratedError
from calotype_runtime.bytes_held import BytesHeld
from calotype_runtime.kept_answers import KeptAnswers, Name, check_body, fresh

ANSWER_SECONDS_MAX = 600.0

LOST_MAX = 64
"""Pieces of work that wait for a caller to ask again."""

IN_VAIN_SECONDS = 15.0
"""How long the same is told to whoever asks again for what cannot be painted: the longest pause of OpenAI's clients is
8 s. With a key it is told as long as an answer is."""

REFUSED_MAX = 256
REFUSED_SECONDS_MAX = 75.0
"""How long a client may take to come back that was told to: at most 60 s, which is the longest that is ever said."""

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]


def _never() -> float:
    return 0.0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as far as it tells which others are the same."""

    caller: str
    body: bytes
    """A digest of all that the answer depends on."""
    held_bytes: int = 0
    """What it holds itself while it waits for what another began."""
    key: str | None = None
    """Its Idempotency-Key."""
    keep: bool = False
    """The work is finished even when nobody waits for it: the caller will come back with the key."""
    has_seed: bool = False
    retry_count: int | None = None
    """How often its client has asked before, where it says so."""
    back_seconds: Callable[[], float] = _never
    """Within how many seconds its client would ask again by itself if it left now; 0: it would not."""


class Repeats(Generic[T]):
    """`answers` keeps what was answered, for `seconds_max`; `held` bounds what those who join hold meanwhile."""

    def __init__(
        self,
        answers: KeptAnswers[T],
        *,
        held: BytesHeld,
        seconds_max: float = ANSWER_SECONDS_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answers = answers
        self._held = held
        self._seconds_max = seconds_max
        self._named: dict[Name, _Run[T]] = {}
        """What runs by a key or a seed."""
        self._unnamed: dict[Name, list[_Run[T]]] = {}
        """All others that run, or have lost their caller."""
        self._lost: set[_Run[T]] = set()
        self._refused = _Refused(clock)

    async def answer(self, asked: Asked, work: Work[T]) -> T:
        """What `work` gives, or gave to a request that this one repeats.

        Raises what it raises, IdempotencyKeyReusedError for a key that came with another body, and ModelBusyError where
        those who wait for others' work hold too much. Cancelling cancels the work too, once nobody else waits for it.
        """
        kept = self._answers.get(_name_of(asked), asked.body)
        if kept is not None:
            return kept
        try:
            run = self._running(asked)
            if run is not None:
                with suppress(DeadlineError), self._held.hold(asked.held_bytes):
                    return await self._follow(run, asked)
                # The deadline was that of whoever began the work; this one may have more time.
                run = self._running(asked)
            return await self._follow(run or self._begin(asked, work), asked)
        except CalotypeError as error:
            if error.is_retryable and _name_of(asked).kind == "body":
                self._refused.note(asked)
            raise

    def keep_failure(self, asked: Asked, error: Exception) -> None:
        """A failure that could not be told, since the answer had begun: who asks again is told instead."""
        seconds = IN_VAIN_SECONDS if asked.key is None else self._seconds_max
        self._answers.keep(_name_of(asked), asked.body, error, seconds=seconds)

    async def aclose(self) -> None:
        """End what runs without a caller."""
        runs = [*self._named.values(), *(run for runs in self._unnamed.values() for run in runs)]
        for run in runs:
            run.task.cancel()
        await asyncio.gather(*(run.task for run in runs), return_exceptions=True)

    def _running(self, asked: Asked) -> _Run[T] | None:
        """The run that this request repeats."""
        name = _name_of(asked)
        if name.kind != "body":
            run = self._named.get(name)
            if run is not None:
                check_body(name, run.body, asked.body)
            return run
        # Each retry takes an attempt of its own: three that were asked at once stay three.
        retry_count = asked.retry_count or 0
        earlier = [run for run in self._unnamed.get(name, []) if run.retry_count < retry_count]
        # An attempt that was told to come back has ended: what runs is somebody else's. Taken whatever runs, or a later
        # request, whose own attempt is lost, would take it.
        if self._refused.take(asked) or not earlier:
            return None
        run = min(earlier, key=lambda run: run.readers)
        run.retry_count = retry_count
        return run

    def _begin(self, asked: Asked, work: Work[T]) -> _Run[T]:
        name = _name_of(asked)
        run = _Run(asyncio.ensure_future(work()), asked.body, asked.retry_count or 0)
        run.on_end = lambda: self._forget(name, run)
        if name.kind == "body":
            self._unnamed.setdefault(name, []).append(run)
        else:
            self._named[name] = run
        run.task.add_done_callback(lambda _: self._ended(asked, run))
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
            raise fresh(error) from error.__cause__
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
        elif (seconds := asked.back_seconds()) > 0 and len(self._lost) < LOST_MAX:
            self._lost.add(run)
            run.end_in(seconds)
        else:
            run.end()

    def _ended(self, asked: Asked, run: _Run[T]) -> None:
        """An answer is kept, and what would fail again too; other failures are told to those who wait, and no more."""
        if run.task.cancelled():
            return
        name, error = _name_of(asked), run.task.exception()
        if self._named.get(name) is run:
            del self._named[name]
        if error is None and name.kind != "body":
            self._answers.keep(name, run.body, run.task.result(), seconds=self._seconds_max)
        elif isinstance(error, Exception) and _is_in_vain(error):
            self.keep_failure(asked, error)

    def _forget(self, name: Name, run: _Run[T]) -> None:
        """Nobody shall join it from now on."""
        self._lost.discard(run)
        if self._named.get(name) is run and not run.task.done():
            del self._named[name]
        attempts = self._unnamed.get(name, [])
        if run in attempts:
            attempts.remove(run)
            if not attempts:
                del self._unnamed[name]


def _is_in_vain(error: Exception) -> bool:
    """Whether another try would do the same work to no end. What is refused before any work may be told anew."""
    if not isinstance(error, CalotypeError):
        return True
    return isinstance(error, EngineError | NoImageGeneratedError) and not error.is_retryable


def _name_of(asked: Asked) -> Name:
    if asked.key is not None:
        return Name(asked.caller, "key", asked.key)
    return Name(asked.caller, "seed" if asked.has_seed else "body", asked.body)


class _Refused:
    """Attempts that were told to come back, by caller, body and how many came before them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: Counter[tuple[str, bytes, int]] = Counter()
        self._told: dict[tuple[str, bytes, int], float] = {}
        """When, the last time; in that order."""

    def note(self, asked: Asked) -> None:
        if asked.retry_count is None:
            return
        attempt = (asked.caller, asked.body, asked.retry_count)
        self._told.pop(attempt, None)
        self._told[attempt] = self._clock()
        self._counts[attempt] += 1
        if len(self._told) > REFUSED_MAX:
            self._forget(next(iter(self._told)))

    def take(self, asked: Asked) -> bool:
        """Whether the attempt before this one was refused; each refusal has one successor."""
        attempt = (asked.caller, asked.body, (asked.retry_count or 0) - 1)
        told = self._told.get(attempt)
        if told is None:
            return False
        self._counts[attempt] -= 1
        is_late = self._clock() - told > REFUSED_SECONDS_MAX
        if is_late or not self._counts[attempt]:
            self._forget(attempt)
        return not is_late

    def _forget(self, attempt: tuple[str, bytes, int]) -> None:
        del self._told[attempt], self._counts[attempt]


@dataclass(eq=False)
class _Run(Generic[T]):
    """One piece of work, and how many wait for it."""

    task: asyncio.Future[T]
    body: bytes
    retry_count: int
    keep: bool = False
    readers: int = 0
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
