"""Answers that are kept for requests that come again, and failures that another try would only repeat. Bounded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

from calotype_provider.errors import IdempotencyKeyReusedError

ANSWERS_PER_CALLER_MAX = 256
"""By keys, and as many by seeds."""

ANSWERS_MAX = 4096
ANSWERS_BYTES_MAX = 512 * 2**20

ENTRY_BYTES = 1024
"""About what is kept of an answer besides itself."""

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


class Name(NamedTuple):
    """What an answer is found by: its caller, and the key or the body that the request came with."""

    caller: str
    kind: Literal["key", "seed", "body"]
    text: str | bytes


class KeptAnswers(Generic[T]):
    """`size_of` an answer in bytes. The oldest go first: of a caller that has too many its own, and where all are too
    many those that can be painted again from their seed.
    """

    def __init__(
        self,
        size_of: Callable[[T], int],
        *,
        per_caller_max: int = ANSWERS_PER_CALLER_MAX,
        answers_max: int = ANSWERS_MAX,
        bytes_max: int = ANSWERS_BYTES_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._size_of = size_of
        self._per_caller_max = per_caller_max
        self._answers_max = answers_max
        self._bytes_max = bytes_max
        self._clock = clock
        self._kept: dict[Name, _Kept[T]] = {}
        """In the order in which they came."""
        self._counts: Counter[tuple[str, str]] = Counter()
        self._bytes = 0

    def get(self, name: Name, body: bytes) -> T | None:
        """Raises the failure that is kept, and IdempotencyKeyReusedError where the name had another body."""
        self._forget_old()
        kept = self._kept.get(name)
        if kept is None:
            return None
        check_body(name, kept.body, body)
        if isinstance(kept.outcome, Exception):
            raise fresh(kept.outcome)
        return kept.outcome

    def keep(self, name: Name, body: bytes, outcome: T | Exception, *, seconds: float) -> None:
        self._forget(name)
        if isinstance(outcome, Exception):
            # Its frames hold the request, pictures and all.
            outcome, size = fresh(outcome), ENTRY_BYTES
        else:
            size = ENTRY_BYTES + self._size_of(outcome)
        self._kept[name] = _Kept(body, outcome, size, self._clock() + seconds)
        self._counts[name.caller, name.kind] += 1
        self._bytes += size
        self._forget_old()
        self._make_room(name)

    def _make_room(self, newest: Name) -> None:
        share = (newest.caller, newest.kind)
        if self._counts[share] > self._per_caller_max:
            self._forget(next(name for name in self._kept if (name.caller, name.kind) == share))
        while len(self._kept) > self._answers_max or self._bytes > self._bytes_max:
            can_be_painted_again = (name for name in self._kept if name.kind == "seed")
            self._forget(next(can_be_painted_again, None) or next(iter(self._kept)))

    def _forget_old(self) -> None:
        now = self._clock()
        for name in [name for name, kept in self._kept.items() if kept.until <= now]:
            self._forget(name)

    def _forget(self, name: Name) -> None:
        kept = self._kept.pop(name, None)
        if kept is None:
            return
        self._bytes -= kept.size
        self._counts[name.caller, name.kind] -= 1
        if not self._counts[name.caller, name.kind]:
            del self._counts[name.caller, name.kind]


@dataclass(frozen=True)
class _Kept(Generic[T]):
    body: bytes
    outcome: T | Exception
    size: int
    until: float


def check_body(name: Name, known: bytes, body: bytes) -> None:
    """Raises IdempotencyKeyReusedError."""
    if known != body:
        raise IdempotencyKeyReusedError(f"the idempotency key {name.text!r} came with another body before")


def fresh(error: E) -> E:
    """The same to tell, without what it was raised by: neither readers nor time add to what an error holds on to."""
    copy = error.__class__.__new__(error.__class__, *error.args)
    copy.__dict__.update(error.__dict__)
    return copy
