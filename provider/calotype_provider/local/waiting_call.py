"""What waits for the device, and what may choose among it. Pure: no torch, no clock."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol

import msgspec

TOKENS_MAX = 4096


class WaitingCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a denoiser that a request waits for."""

    request_id: str
    model_id: str
    merge_key: Hashable | None
    """Calls with equal keys can share one forward; with None it runs alone."""
    rows: int
    tokens: int
    """Of all its rows, picture and text together."""
    steps_done: int
    steps: int
    """As the pipeline counts: fewer than asked for when it begins with a picture, more for a second-order solver."""

    @property
    def steps_left(self) -> int:
        return self.steps - self.steps_done


class Choose(Protocol):
    def __call__(self, waiting: Sequence[WaitingCall], /) -> Sequence[WaitingCall]:
        """Which calls run next, in one forward. `waiting` is never empty and stands in the order in which the requests
        came; the answer is one of its calls, or several with the same merge key."""


def oldest_first(tokens_max: int = TOKENS_MAX) -> Choose:
    """The oldest request, and with it whoever can share its forward, as far as `tokens_max` lets them in."""

    def choose(waiting: Sequence[WaitingCall], /) -> Sequence[WaitingCall]:
        oldest = waiting[0]
        if oldest.merge_key is None:
            return [oldest]
        chosen, tokens = [oldest], oldest.tokens
        for call in waiting[1:]:
            if call.merge_key == oldest.merge_key and tokens + call.tokens <= tokens_max:
                chosen.append(call)
                tokens += call.tokens
        return chosen

    return choose
