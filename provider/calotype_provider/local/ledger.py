"""What was asked of an engine and how far each of it is. Pure bookkeeping: no process, no pipe, no clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import msgspec

from calotype_provider.errors import CalotypeError, EngineError, ModelBusyError, ModelLoadError
from calotype_provider.local.engine import ModelStats, Queued
from calotype_provider.local.mailbox import Mailbox
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
    Started,
    Step,
    WorkerReady,
)
from calotype_provider.local.paces import Paces


@dataclass
class _Request:
    paint: Paint
    mailbox: Mailbox = field(default_factory=Mailbox)
    sent: bool = False
    started: bool = False
    suspect: bool = False
    """A worker died with this picture on its device."""


class Ledger:
    """The models and the unfinished pictures, each in the order in which they came."""

    def __init__(self, *, requests_max: int) -> None:
        self.models: dict[str, ModelStats] = {}
        self.steps_done = 0
        self._requests_max = requests_max
        self._loads: dict[str, LoadModel] = {}
        self._requests: dict[str, _Request] = {}
        self._on_device: frozenset[str] = frozenset()
        """What the worker said last that it would do, and has not come back from."""
        self.device = DeviceStats()
        self.paces = Paces()
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

    def admit(self, paint: Paint) -> Mailbox:
        """Raises ModelBusyError when `requests_max` are unfinished."""
        assert paint.request_id not in self._requests, "two pictures of one id"
        ahead = len(self._requests)
        if ahead >= self._requests_max:
            seconds = sum(self.paces.estimate_seconds(request.paint) for request in self._requests.values())
            raise ModelBusyError(f"{ahead} pictures wait already", retry_after_seconds=max(1.0, seconds))
        request = self._requests[paint.request_id] = _Request(paint)
        request.mailbox.put(Queued(paint.request_id, ahead))
        return request.mailbox

    def cancel(self, request_id: str) -> bool:
        """Whether there was something to cancel."""
        if request_id not in self._requests:
            return False
        self._finish(request_id).mailbox.put(Cancelled(request_id))
        return True

    def expect(self, load: LoadModel) -> None:
        self._loads[load.model_id] = load
        self.models[load.model_id] = ModelStats(model_id=load.model_id, dtype=load.dtype)
        self.notify()

    def forget(self, model_id: str) -> bool:
        """Whether it was known."""
        self.models.pop(model_id, None)
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
            case ModelLoaded(model_id=model_id, revision=revision, resident_bytes=resident, device=device):
                self._update(
                    model_id, state="ready", progress=1.0, revision=revision, resident_bytes=resident, device=device
                )
            case ModelFailed(model_id=model_id, reason=reason):
                self._update(model_id, state="failed", reason=reason)
            case Forward(request_ids=request_ids):
                self._on_device = frozenset(request_ids)
            case DeviceStats():
                self.device = event
            case _:
                self._deliver(event)
        self.notify()

    def start_over(self) -> None:
        """The worker is gone, and with it what it had done. What was on its device is suspected of that."""
        for request_id in self._on_device & self._requests.keys():
            if self._requests[request_id].suspect:
                # It was alone this time.
                self._finish(request_id).mailbox.fail(EngineError(_FATAL))
            else:
                self._requests[request_id].suspect = True
        self._on_device = frozenset()
        self.device = DeviceStats()
        for request in self._requests.values():
            request.sent = request.started = False
        for model in self.models.values():
            if model.state != "failed":
                self.models[model.model_id] = ModelStats(model_id=model.model_id, dtype=model.dtype)
        self.notify()

    def fail_loading(self, reason: str) -> None:
        for model in self.models.values():
            if model.state == "loading":
                self._update(model.model_id, state="failed", reason=reason)
        self.notify()

    def fail_requests(self, message: str, *, is_retryable: bool) -> None:
        for request_id in tuple(self._requests):
            self._finish(request_id).mailbox.fail(EngineError(message, is_retryable=is_retryable))

    def _deliver(self, event: PaintEvent) -> None:
        self.steps_done += isinstance(event, Step)
        request = self._requests.get(event.request_id)
        if request is None:  # Cancelled here while the worker was telling of it.
            return
        match event:
            case Started():
                self._on_device = frozenset((event.request_id,))
                request.started = True
                request.mailbox.put(event)
            case Step() | Preview():
                request.mailbox.put(event)
            case Painted(milliseconds=milliseconds):
                self.paces.learn(request.paint, milliseconds / 1000)
                self._finish(event.request_id).mailbox.put(event)
            case Cancelled():
                self._finish(event.request_id).mailbox.put(event)
            case Failed():
                self._finish(event.request_id).mailbox.fail(self._error(request.paint.model_id, event))

    def _error(self, model_id: str, failed: Failed) -> CalotypeError:
        if failed.kind == "not_loaded":
            model = self.models.get(model_id)
            return ModelLoadError(model_id, (model and model.reason) or failed.message)
        return EngineError(failed.message, is_retryable=failed.kind == "out_of_memory")

    def _finish(self, request_id: str) -> _Request:
        request = self._requests.pop(request_id)
        self.notify()
        return request

    def _update(self, model_id: str, **changes: object) -> None:
        if model_id in self.models:
            self.models[model_id] = msgspec.structs.replace(self.models[model_id], **changes)


_FATAL = "painting this picture has ended the engine's worker twice, the second time alone; others are not affected"
