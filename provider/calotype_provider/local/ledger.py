"""What was asked of an engine and how far each of it is. Pure bookkeeping: no process, no pipe."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from calotype_provider.errors import EngineError, ModelBusyError, NoSuchRequestError
from calotype_provider.local.engine import ModelStats, Queued
from calotype_provider.local.failures import failure_of
from calotype_provider.local.mailbox import Mailbox, Outcome, Reader
from calotype_provider.local.messages import (
    Cancelled,
    DeviceStats,
    Event,
    Failed,
    Forward,
    LoadModel,
    ModelFailed,
    ModelLoaded,
    ModelLoading,
    Paint,
    Painted,
    PaintEvent,
    Preview,
    Priced,
    Started,
    Step,
    WorkerReady,
)
from calotype_provider.local.outcomes import Outcomes
from calotype_provider.local.paces import Paces
from calotype_provider.local.painted_sizes import PaintedSizes


@dataclass
class _Request:
    paint: Paint
    mailbox: Mailbox = field(default_factory=Mailbox)
    sent: bool = False
    started: bool = False
    share_left: float = 1.0
    """Of its steps."""
    suspect: bool = False
    """A worker died with this picture on its device."""


class Ledger:
    """The models and the unfinished pictures, each in the order in which they came."""

    def __init__(self, *, requests_max: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.models: dict[str, ModelStats] = {}
        self.painted = 0
        self.steps_done = 0
        self._requests_max = requests_max
        self._loads: dict[str, LoadModel] = {}
        self._requests: dict[str, _Request] = {}
        self._on_device: frozenset[str] = frozenset()
        """What the worker said last that it would do, and has not come back from."""
        self.device = DeviceStats()
        self.paces = Paces()
        self._painted_sizes = PaintedSizes()
        self._outcomes = Outcomes(clock=clock)
        self._changed = asyncio.Event()

    @property
    def running(self) -> int:
        return sum(request.started for request in self._requests.values())

    @property
    def unfinished(self) -> int:
        return len(self._requests)

    @property
    def loading(self) -> bool:
        return any(model.state in ("waiting", "loading") for model in self.models.values())

    async def change(self) -> None:
        """Wait until something here, or somebody who called `notify`, has changed."""
        await self._changed.wait()

    def notify(self) -> None:
        # Each waits for the next change on a new event, so that nobody has to clear it.
        self._changed.set()
        self._changed = asyncio.Event()

    def admit(self, paint: Paint) -> Reader:
        """Raises ModelBusyError when `requests_max` are unfinished."""
        assert paint.request_id not in self._requests, "two pictures of one id"
        ahead = len(self._requests)
        if ahead >= self._requests_max:
            raise ModelBusyError(f"{ahead} pictures wait already", retry_after_seconds=max(1.0, self._seconds_left()))
        self._outcomes.forget(paint.request_id)
        request = self._requests[paint.request_id] = _Request(paint)
        request.mailbox.put(Queued(paint.request_id, ahead))
        return request.mailbox.read()

    def resume(self, request_id: str) -> Reader:
        """Raises NoSuchRequestError when it is unknown, or ended too long ago."""
        if request_id in self._requests:
            return self._requests[request_id].mailbox.read()
        outcome = self._outcomes.get(request_id)
        if outcome is None:
            raise NoSuchRequestError(request_id)
        mailbox = Mailbox()
        mailbox.end(outcome)
        return mailbox.read()

    def cancel(self, request_id: str) -> bool:
        """Whether there was something to cancel."""
        if request_id not in self._requests:
            return False
        self._end(request_id, Cancelled(request_id))
        return True

    def expect(self, load: LoadModel) -> None:
        self._loads[load.model_id] = load
        self.models[load.model_id] = ModelStats(model_id=load.model_id)
        self.notify()

    def forget(self, model_id: str) -> bool:
        """Whether it was known."""
        self.models.pop(model_id, None)
        self.paces.forget(model_id)
        self._painted_sizes.forget(model_id)
        self.notify()
        return self._loads.pop(model_id, None) is not None

    def loads(self) -> list[LoadModel]:
        """What a new worker has to load."""
        return [load for load in self._loads.values() if self.models[load.model_id].state != "failed"]

    def take_ready(self) -> list[Paint]:
        """The pictures that the worker may be sent now, and has not been. They count as sent.

        While there are suspects, each is painted alone, so that the one that is fatal takes no other with it.
        """
        suspects = [request for request in self._requests.values() if request.suspect]
        ready = [request for request in suspects[:1] or self._requests.values() if not request.sent]
        for request in ready:
            request.sent = True
        return [request.paint for request in ready]

    def take(self, event: Event) -> None:
        """Enter what the worker tells, and pass it on to whoever waits for it."""
        match event:
            case WorkerReady():
                pass
            case ModelLoading(model_id=model_id, progress=progress):
                self._update(model_id, state="loading", progress=progress)
            case ModelLoaded(model_id=model_id):
                facts = {name: getattr(event, name) for name in ("revision", "resident_bytes", "dtype", "device")}
                self._update(model_id, state="ready", progress=1.0, **facts)
                self._learn_warm_up(model_id)
            case ModelFailed(model_id=model_id, reason=reason):
                self._update(model_id, state="failed", reason=reason)
            case Forward(request_ids=request_ids):
                self._on_device = frozenset(request_ids)
            case DeviceStats():
                self.device = event
            case Priced(request_id=request_id, seconds=seconds):
                self._learn_price(request_id, seconds)
            case _:
                self._deliver(event)
        self.notify()

    def start_over(self) -> None:
        """The worker is gone, and with it what it had done. What was on its device is suspected of that."""
        for request_id in self._on_device & self._requests.keys():
            if self._requests[request_id].suspect:
                # It was alone this time.
                self._end(request_id, functools.partial(EngineError, _FATAL))
            else:
                self._requests[request_id].suspect = True
        self._on_device = frozenset()
        self.device = DeviceStats()
        for request in self._requests.values():
            request.sent = request.started = False
            request.share_left = 1.0
            request.mailbox.start_over()
        for model in self.models.values():
            if model.state != "failed":
                self.models[model.model_id] = ModelStats(model_id=model.model_id)
        self.notify()

    def fail_loading(self, reason: str) -> None:
        for model in self.models.values():
            if model.state == "loading":
                self._update(model.model_id, state="failed", reason=reason)
        self.notify()

    def fail_requests(self, message: str, *, is_retryable: bool) -> None:
        for request_id in tuple(self._requests):
            self._end(request_id, functools.partial(EngineError, message, is_retryable=is_retryable))

    def _deliver(self, event: PaintEvent) -> None:
        self.steps_done += isinstance(event, Step)
        self.painted += isinstance(event, Painted)
        request = self._requests.get(event.request_id)
        if request is None:  # Cancelled here while the worker was telling of it.
            return
        match event:
            case Started():
                self._on_device = frozenset((event.request_id,))
                request.started = True
                request.mailbox.put(event)
            case Step(step=step, steps=steps):
                request.share_left = 1.0 - step / max(1, steps)
                request.mailbox.put(event)
            case Preview():
                request.mailbox.put(event)
            case Painted():
                self._painted_sizes.learn(request.paint)
                self._end(event.request_id, event)
            case Cancelled():
                self._end(event.request_id, event)
            case Failed():
                model = self.models.get(request.paint.model_id)
                failure = failure_of(request.paint, event, model=model, painted_sizes=self._painted_sizes)
                self._end(event.request_id, failure)

    def _end(self, request_id: str, outcome: Outcome) -> None:
        self._requests.pop(request_id).mailbox.end(outcome)
        self._outcomes.keep(request_id, outcome)
        self.notify()

    def _seconds_left(self) -> float:
        requests = self._requests.values()
        return sum(request.share_left * self.paces.estimate_seconds(request.paint) for request in requests)

    def _learn_price(self, request_id: str, seconds: float) -> None:
        """Of a picture, or of what a model painted when it was loaded."""
        request = self._requests.get(request_id)
        warm_ups = (load.warm_up for load in self._loads.values() if load.warm_up is not None)
        warm_up = next((paint for paint in warm_ups if paint.request_id == request_id), None)
        paint = request.paint if request else warm_up
        if paint is not None:
            self.paces.learn(paint, seconds)

    def _learn_warm_up(self, model_id: str) -> None:
        load = self._loads.get(model_id)
        if load is not None and load.warm_up is not None:
            self._painted_sizes.learn(load.warm_up)

    def _update(self, model_id: str, **changes: object) -> None:
        if model_id in self.models:
            self.models[model_id] = msgspec.structs.replace(self.models[model_id], **changes)


_FATAL = "painting this picture has ended the engine's worker twice, the second time alone; others are not affected"
