"""What became of the newest pictures, kept a while for those who come back. Its clock is an argument."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from calotype_provider.local.mailbox import Outcome
from calotype_provider.local.messages import Painted

OUTCOMES_MAX = 64
OUTCOMES_BYTES_MAX = 64 * 1024 * 1024
"""Of encoded pictures."""
OUTCOME_SECONDS_MAX = 60.0


class Outcomes:
    """Drops the oldest first; what is too old goes at the next look."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The oldest first.
        self._kept: dict[str, _Kept] = {}
        self._bytes = 0

    def keep(self, request_id: str, outcome: Outcome) -> None:
        assert request_id not in self._kept, "a picture that ended twice"
        size = len(outcome.data) if isinstance(outcome, Painted) else 0
        self._kept[request_id] = _Kept(outcome, size, self._clock())
        self._bytes += size
        self._drop_oldest()

    def get(self, request_id: str) -> Outcome | None:
        self._drop_oldest()
        kept = self._kept.get(request_id)
        return kept.outcome if kept else None

    def forget(self, request_id: str) -> None:
        kept = self._kept.pop(request_id, None)
        self._bytes -= kept.bytes if kept else 0

    def _drop_oldest(self) -> None:
        too_old = self._clock() - OUTCOME_SECONDS_MAX
        while self._kept:
            request_id, oldest = next(iter(self._kept.items()))
            too_many = len(self._kept) > OUTCOMES_MAX or self._bytes > OUTCOMES_BYTES_MAX
            if not too_many and oldest.ended > too_old:
                return
            self.forget(request_id)


@dataclass(frozen=True, slots=True)
class _Kept:
    outcome: Outcome
    bytes: int
    ended: float
