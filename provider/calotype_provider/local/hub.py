"""Many pipelines at once: each request runs its pipeline's own `__call__`; the calls of their denoisers meet here, and
those that can share a forward do. It knows no family of models, no queue and no process."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
import torch

from calotype_provider.local.forward_meter import ForwardCost, ForwardMeter
from calotype_provider.local.hub_request import HubRequest, Listener, RequestCancelled
from calotype_provider.local.merging import run_calls
from calotype_provider.local.prompt_cache import PromptCache, PromptCacheStats
from calotype_provider.local.running_request import RunningRequest, as_text, without_frames
from calotype_provider.local.waiting_call import Choose, WaitingCall, oldest_first

OnForward = Callable[[Sequence[WaitingCall], ForwardCost], None]
"""Which calls a forward ran, and what it cost."""

logger = logging.getLogger("calotype.hub")


class HubStats(msgspec.Struct, frozen=True, kw_only=True):
    requests: int
    """Begun, or waiting to begin."""
    forwards: int
    rows: int
    batch_sizes: dict[int, int]
    """Calls in a forward -> how many forwards had so many."""
    splits: int
    """Forwards that failed for several calls, and were tried again in halves."""
    prompts: PromptCacheStats


class Hub:
    """Everything happens on the thread that made it, which calls `run_step` again and again."""

    def __init__(
        self,
        choose: Choose | None = None,
        *,
        prompts: PromptCache | None = None,
        on_forward: OnForward | None = None,
        on_out_of_memory: Callable[[Sequence[WaitingCall]], None] | None = None,
    ) -> None:
        # For the thread and for good: pipelines switch it off and put back what they found, and theirs interleave.
        torch.set_grad_enabled(False)
        self._choose = choose or oldest_first()
        self._prompts = prompts or PromptCache()
        self._on_forward = on_forward
        self._on_out_of_memory = on_out_of_memory
        self._meter = ForwardMeter()
        # In the order in which they came.
        self._requests: dict[str, RunningRequest] = {}
        self._cancelled: list[RunningRequest] = []
        self._batch_sizes: Counter[int] = Counter()
        self._rows = 0
        self._splits = 0

    def submit(self, request: HubRequest, listener: Listener) -> None:
        """Take the request in; nothing of it runs before `run_step`."""
        assert request.request_id not in self._requests, f"request {request.request_id} is here already"
        self._requests[request.request_id] = RunningRequest(request, listener, self._prompts)

    def cancel(self, request_id: str) -> None:
        """End the request before its denoiser is called again. Unknown and finished ids are ignored."""
        request = self._requests.get(request_id)
        if request is not None and not request.cancelled:
            request.cancelled = True
            self._cancelled.append(request)

    def run_step(self) -> bool:
        """Begin one new request, up to its first step, or run one forward. False when there was nothing to do."""
        self._end_cancelled()
        waiting = []
        for request in self._requests.values():
            if request.waiting is None:
                self._go_on(request, request.begin)
                return True
            waiting.append(request.waiting)
        if waiting:
            self._forward(self._chosen(waiting))
        return bool(waiting)

    def stats(self) -> HubStats:
        return HubStats(
            requests=len(self._requests),
            forwards=self._batch_sizes.total(),
            rows=self._rows,
            batch_sizes=dict(self._batch_sizes),
            splits=self._splits,
            prompts=self._prompts.stats(),
        )

    def _end_cancelled(self) -> None:
        while self._cancelled:
            request = self._cancelled.pop()
            if self._requests.get(request.request_id) is request:
                self._go_on(request, functools.partial(request.fail, RequestCancelled()))

    def _chosen(self, waiting: Sequence[WaitingCall]) -> Sequence[WaitingCall]:
        chosen = self._choose(waiting)
        assert chosen, "nothing was chosen of what waits"
        key = chosen[0].merge_key
        assert len(chosen) == 1 or (key is not None and all(call.merge_key == key for call in chosen)), "unlike calls"
        return chosen

    def _forward(self, chosen: Sequence[WaitingCall]) -> None:
        requests = [self._requests[call.request_id] for call in chosen]
        try:
            self._meter.start()
            answers = run_calls([request.denoiser_call() for request in requests])
            cost = self._meter.read()
        except Exception as error:  # noqa: BLE001  # What a denoiser raises is for those whose calls it was given.
            names = ", ".join(call.request_id for call in chosen)
            logger.warning("a forward for %s failed\n%s", names, as_text(error))
            failure = without_frames(error)
        else:
            self._count(chosen, cost)
            for request, answer in zip(requests, answers, strict=True):
                self._go_on(request, functools.partial(request.resume, answer))
            return
        # Outside of the except block, whose exception's frames hold what the forward had allocated.
        self._forward_failed(chosen, failure)

    def _forward_failed(self, chosen: Sequence[WaitingCall], failure: BaseException) -> None:
        if len(chosen) == 1:
            request = self._requests[chosen[0].request_id]
            self._go_on(request, functools.partial(request.fail, failure))
            return
        self._splits += 1
        if self._on_out_of_memory is not None and isinstance(failure, torch.OutOfMemoryError):
            self._on_out_of_memory(chosen)
        half = len(chosen) // 2
        self._forward(chosen[:half])
        self._forward(chosen[half:])

    def _count(self, chosen: Sequence[WaitingCall], cost: ForwardCost) -> None:
        self._batch_sizes[len(chosen)] += 1
        self._rows += sum(call.rows for call in chosen)
        if self._on_forward is not None:
            self._on_forward(chosen, cost)

    def _go_on(self, request: RunningRequest, resume: Callable[[], None]) -> None:
        try:
            resume()
        finally:
            if request.waiting is None:
                del self._requests[request.request_id]
