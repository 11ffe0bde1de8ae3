"""The engine whose device belongs to a worker process: starts it, feeds it, and starts it again when it dies.

A picture depends on its request alone, so what a dying worker leaves undone is simply sent to the next one.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import Process
from collections import deque
from collections.abc import AsyncIterator, Sequence

import msgspec

from calotype_provider.errors import EngineError, ModelLoadError
from calotype_provider.local.engine import EngineEvent, EngineSettings, EngineState, EngineStats
from calotype_provider.local.ledger import Ledger
from calotype_provider.local.messages import (
    Cancel,
    Command,
    Event,
    FrameError,
    LoadModel,
    ModelFailed,
    ModelLoaded,
    ModelLoading,
    Paint,
    UnloadModel,
    WorkerReady,
    WorkerSettings,
    encode_frame,
    read_event,
)
from calotype_provider.local.worker_process import worker_process

# Without -P a file called torch.py where the server was started would be imported.
WORKER_COMMAND = (sys.executable, "-P", "-m", "calotype_provider.local.worker")

logger = logging.getLogger("calotype.engine")


class SubprocessEngine:
    """An `Engine`. What is loaded and submitted before `start()` waits for it."""

    def __init__(
        self, settings: EngineSettings | None = None, *, worker_command: Sequence[str] = WORKER_COMMAND
    ) -> None:
        self._settings = settings or EngineSettings()
        worker_settings = WorkerSettings(
            threads=self._settings.threads,
            exact=self._settings.exact,
            hang_seconds_min=self._settings.hang_seconds_min,
        )
        self._command = (*worker_command, msgspec.json.encode(worker_settings).decode())
        self._ledger = Ledger(requests_max=self._settings.requests_max)
        self._process: Process | None = None
        self._connected = False
        self._supervisor: asyncio.Task[None] | None = None
        self._failed = False
        self._stopping = False
        self._restarts = 0
        self._restart_times: deque[float] = deque(maxlen=max(1, self._settings.restarts_max))

    def start(self) -> None:
        """Begin to start the worker; return at once."""
        assert self._supervisor is None, "started twice"
        self._supervisor = asyncio.create_task(self._supervise(), name="calotype-engine")

    def submit(self, request: Paint) -> AsyncIterator[EngineEvent]:
        self._refuse_when_over()
        # Before it is entered: what cannot be sent must not be sent again to every worker to come.
        encode_frame(request)
        events = self._ledger.admit(request)
        self._send_ready()
        return events

    def resume(self, request_id: str) -> AsyncIterator[EngineEvent]:
        return self._ledger.resume(request_id)

    def cancel(self, request_id: str) -> None:
        if self._ledger.cancel(request_id):
            self._send(Cancel(request_id))

    def load(self, model: LoadModel) -> None:
        self._ledger.expect(model)
        self._send(model)

    def unload(self, model_id: str) -> None:
        if self._ledger.forget(model_id):
            self._send(UnloadModel(model_id))

    async def ready(self, model_id: str) -> None:
        while True:
            self._refuse_when_over()
            model = self._ledger.models.get(model_id)
            if model is None or model.state == "failed":
                raise ModelLoadError(model_id, (model and model.reason) or "nobody asked for it to be loaded")
            if model.state == "ready":
                return
            await self._ledger.change()

    def stats(self) -> EngineStats:
        running = self._ledger.running
        return EngineStats(
            state=self._state(),
            models=tuple(self._ledger.models.values()),
            waiting=self._ledger.unfinished - running,
            running=running,
            painted=self._ledger.painted,
            steps_done=self._ledger.steps_done,
            restarts=self._restarts,
            worker_pid=self._process.pid if self._process else None,
            device=self._ledger.device,
        )

    def estimate_seconds(self, request: Paint) -> float:
        return self._ledger.paces.estimate_seconds(request)

    async def aclose(self, wait_seconds: float) -> None:
        self._stopping = True
        try:
            async with asyncio.timeout(wait_seconds):
                while self._ledger.unfinished and self._supervisor:
                    await self._ledger.change()
        except TimeoutError:
            logger.warning("%d pictures were not done in %g seconds", self._ledger.unfinished, wait_seconds)
        finally:
            self._ledger.fail_requests("the engine has stopped", is_retryable=True)
            self._ledger.notify()
            if self._supervisor:
                self._supervisor.cancel()
                await asyncio.wait({self._supervisor})

    async def _supervise(self) -> None:
        try:
            await self._run_worker()
            while True:
                while not self._may_restart():
                    await self._give_up()
                logger.warning("starting the worker again; %d pictures are painted anew", self._ledger.unfinished)
                await self._run_worker()
        except Exception:
            # A mistake of ours: nobody may wait for a worker that will not come.
            logger.critical("the engine's supervisor has failed", exc_info=True)
            self._fail()
            raise

    async def _run_worker(self) -> None:
        """Start a worker and serve it until it dies. Cancelling ends it."""
        try:
            async with worker_process(self._command) as process:
                self._process = process
                await self._converse(process)
                logger.error("the worker (process %d) is gone", process.pid)
        except (OSError, FrameError) as error:
            logger.error("the worker has failed: %s", error)
        finally:
            self._process, self._connected = None, False
            self._ledger.start_over()

    async def _converse(self, process: Process) -> None:
        """Take the worker's events until its pipe ends, or until it is late."""
        assert process.stdout, "the worker's stdout is a pipe"
        seconds_max = self._settings.start_seconds_max
        try:
            async with asyncio.timeout(seconds_max) as limit:
                while (event := await read_event(process.stdout)) is not None:
                    match event:
                        case ModelLoading(progress=0.0):
                            seconds_max = self._settings.load_seconds_max
                            limit.reschedule(asyncio.get_running_loop().time() + seconds_max)
                        case WorkerReady() | ModelLoaded() | ModelFailed():
                            limit.reschedule(None)
                    self._take(event)
        except TimeoutError:
            logger.error("the worker did not start, or did not load a model, in %g seconds", seconds_max)
            self._ledger.fail_loading(f"it took longer than {seconds_max:g} seconds")
            process.kill()

    def _take(self, event: Event) -> None:
        match event:
            case WorkerReady():
                self._connected = True
                for load in self._ledger.loads():
                    self._send(load)
            case ModelLoaded():
                logger.info("model %s is ready (%s, revision %s)", event.model_id, event.device, event.revision)
            case ModelFailed():
                logger.error("model %s cannot be loaded: %s", event.model_id, event.reason)
        self._ledger.take(event)
        self._send_ready()

    def _send_ready(self) -> None:
        """The pictures whose turn has come: after a crash the suspects go first, one by one."""
        if self._connected:
            for paint in self._ledger.take_ready():
                self._send(paint)

    def _send(self, command: Command) -> None:
        """To the worker, if one listens; the next one is told everything when it does."""
        if self._connected and self._process and self._process.stdin:
            self._process.stdin.write(encode_frame(command))

    def _may_restart(self) -> bool:
        if self._restart_wait_seconds() > 0:
            return False
        self._restart_times.append(asyncio.get_running_loop().time())
        self._restarts += 1
        return True

    def _restart_wait_seconds(self) -> float:
        """How long until another restart is within the bound."""
        if len(self._restart_times) < self._settings.restarts_max:
            return 0.0
        oldest = self._restart_times[-self._settings.restarts_max]
        return oldest + self._settings.restart_window_seconds - asyncio.get_running_loop().time()

    async def _give_up(self) -> None:
        """Fail what waits, take nothing new until the window has passed, and then try once more."""
        bounds = (self._settings.restarts_max, self._settings.restart_window_seconds)
        logger.critical("the worker died again after %d restarts in %g seconds: giving up for now", *bounds)
        self._fail()
        await asyncio.sleep(max(0.0, self._restart_wait_seconds()))
        self._failed = False

    def _fail(self) -> None:
        self._failed = True
        self._ledger.fail_requests(_GAVE_UP, is_retryable=False)
        self._ledger.notify()

    def _refuse_when_over(self) -> None:
        if self._failed:
            raise EngineError(_GAVE_UP)
        if self._stopping:
            raise EngineError("the engine is stopping", is_retryable=True)

    def _state(self) -> EngineState:
        if self._stopping:
            return "stopping"
        if self._failed:
            return "failed"
        if not self._connected:
            return "starting"
        return "loading" if self._ledger.loading else "ready"


_GAVE_UP = "the engine's worker died again and again; the server's log says why"
