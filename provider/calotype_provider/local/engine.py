"""What an engine is: pictures in, events out. Nothing here that could not be sent to another machine, and no torch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal, Protocol

import msgspec

from calotype_provider.local.messages import Cancelled, DeviceStats, LoadModel, Paint, Painted, Preview, Started, Step


class Queued(msgspec.Struct, frozen=True, tag="queued"):
    """The first event of every picture: `position` others came before it and are not painted yet."""

    request_id: str
    position: int


EngineEvent = Queued | Started | Step | Preview | Painted | Cancelled


class Engine(Protocol):
    """Owns devices and the models on them. Pictures are submitted one by one; what runs together is its own affair."""

    def submit(self, request: Paint) -> AsyncIterator[EngineEvent]:
        """Take the picture in at once; yield Queued, Started, Steps and Previews (the newest, where a reader is slow),
        and last Painted or Cancelled. Iterating may raise ModelLoadError or EngineError instead.

        Raises ModelBusyError when too many wait, EngineError when the engine has failed or is stopping.
        """

    def resume(self, request_id: str) -> AsyncIterator[EngineEvent]:
        """The events of a picture that was submitted before: what is known now (Queued, or else Started and the newest
        Step and Preview), then what comes; only the end of one that has ended. Several may read of one picture, and
        a reader that leaves off does not cancel it.

        Raises NoSuchRequestError for an id that is unknown, or whose picture ended too long ago.
        """

    def cancel(self, request_id: str) -> None:
        """Stop painting it at the next step; its events end with Cancelled. Unknown and finished ids are ignored."""

    def load(self, model: LoadModel) -> None:
        """Begin to load. Pictures for it may be submitted from now on: they wait for it."""

    def unload(self, model_id: str) -> None:
        """Give the model's memory back, after the pictures submitted before."""

    async def ready(self, model_id: str) -> None:
        """Wait until the model can paint. Raises ModelLoadError or EngineError when it never will."""

    def stats(self) -> EngineStats:
        """How it stands now. Cheap."""

    def estimate_seconds(self, request: Paint) -> float:
        """About how long the picture's steps would hold the device, each alone, by the table of whoever paints."""

    async def aclose(self, wait_seconds: float) -> None:
        """Take nothing new, let the pictures taken finish for that time, then stop."""


SECONDS_MAX = 86_400.0
PositiveSeconds = Annotated[float, msgspec.Meta(gt=0, le=SECONDS_MAX)]
"""Not infinite, and a number: a day at most."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The engine's bounds and the worker's means."""

    threads: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Threads of torch on the CPU; by default OMP_NUM_THREADS, or else as many as there are usable cores."""
    requests_max: Annotated[int, msgspec.Meta(ge=1)] = 256
    start_seconds_max: PositiveSeconds = 60.0
    load_seconds_max: PositiveSeconds = 900.0
    """For one model, from the moment that its turn comes."""
    exact: bool = False
    """Pictures never share a forward: bit-equal to the plain pipeline everywhere, whoever else is painted for."""
    hang_seconds_min: PositiveSeconds = 60.0
    """A forward that takes this long, and ten times as long as others like it, ends the worker."""
    restarts_max: Annotated[int, msgspec.Meta(ge=1)] = 3
    restart_window_seconds: Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)] = 300.0


EngineState = Literal["starting", "loading", "ready", "failed", "stopping"]
ModelState = Literal["waiting", "loading", "ready", "failed"]


class Readiness(msgspec.Struct, frozen=True):
    """Whether one model can paint: the body of `GET /ready`."""

    state: EngineState
    """`ready` when the model can paint."""
    model: str
    """Which one."""
    progress: float
    """Of its loading, 0 to 1."""


class ModelStats(msgspec.Struct, frozen=True, kw_only=True):
    model_id: str
    """Its name in requests."""
    state: ModelState = "waiting"
    """How far its loading is."""
    progress: float = 0.0
    """Of its loading, 0 to 1."""
    revision: str | None = None
    """A hash of its index and its weights' headers."""
    resident_bytes: int = 0
    """Of its weights, without those that it shares with a model loaded before."""
    dtype: str | None = None
    """Of its weights in memory, when they are there."""
    device: str | None = None
    """Where they are."""
    reason: str | None = None
    """Why it cannot be loaded."""


class EngineStats(msgspec.Struct, frozen=True, kw_only=True):
    state: EngineState
    """Of the engine as a whole."""
    models: tuple[ModelStats, ...]
    """Those it has been asked to load."""
    waiting: int
    """Pictures that have not begun."""
    running: int
    """Pictures that have."""
    painted: int
    """Pictures painted since the server began."""
    steps_done: int
    """Denoising steps, of all pictures, since the server began."""
    restarts: int
    """Workers that were replaced."""
    worker_pid: int | None
    """The process that owns the device."""
    device: DeviceStats
    """Of the worker that runs now."""

    def readiness(self, model_id: str) -> Readiness:
        """`ready` only when the engine and this very model are."""
        model = next((model for model in self.models if model.model_id == model_id), None)
        if model is None:
            return Readiness("failed", model_id, 0.0)
        if self.state in ("starting", "failed", "stopping"):
            return Readiness(self.state, model_id, model.progress)
        return Readiness("loading" if model.state == "waiting" else model.state, model_id, model.progress)
