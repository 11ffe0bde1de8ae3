"""The process that owns one device: commands come in on stdin, events go out on stdout, torch runs on the main thread.

It ends when its stdin does, whatever it is doing: nobody is left to paint for.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from calotype_provider.errors import ModelLoadError
from calotype_provider.local.command_queue import CommandQueue
from calotype_provider.local.messages import (
    Cancel,
    Failed,
    LoadModel,
    ModelFailed,
    ModelLoaded,
    ModelLoading,
    Paint,
    UnloadModel,
    WorkerReady,
    WorkerSettings,
)
from calotype_provider.local.worker_pipes import Outbox, read_commands, take_pipes

if TYPE_CHECKING:
    from calotype_provider.local.loader import LoadedPipeline
    from calotype_provider.local.painter import Painter

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}

logger = logging.getLogger("calotype.worker")


class Worker:
    """The engine thread: takes commands between two steps of the pictures that it paints."""

    def __init__(self, queue: CommandQueue, outbox: Outbox, settings: WorkerSettings) -> None:
        self._queue = queue
        self._outbox = outbox
        self._settings = settings
        self._models: dict[str, LoadedPipeline] = {}
        self._painter: Painter | None = None

    def run(self) -> NoReturn:
        while True:
            self._take_commands()
            if self._painter is not None and self._painter.has_work:
                self._painter.run_step()

    def _take_commands(self) -> None:
        """All that there are; waits for one when nothing is being painted."""
        while True:
            busy = self._painter is not None and self._painter.has_work
            command = self._queue.take(wait=not busy, paints=self._painter is None or self._painter.has_room)
            match command:
                case None:
                    return
                case LoadModel():
                    self._load(command)
                case UnloadModel(model_id=model_id):
                    self._unload(model_id)
                case Paint():
                    self._paint(command)
                case Cancel(request_id=request_id):
                    if self._painter is not None:
                        self._painter.cancel(request_id)

    def _load(self, load: LoadModel) -> None:
        self._outbox.send(ModelLoading(load.model_id, 0.0))
        try:
            loaded = self._load_pipeline(load)
        except ModelLoadError as error:
            self._outbox.send(ModelFailed(load.model_id, error.reason))
        except Exception as error:  # A folder can fail in any way that its libraries know; other models live on.
            from calotype_provider.local.paint_listener import described

            logger.exception("model %s cannot be loaded", load.model_id)
            self._outbox.send(ModelFailed(load.model_id, described(error, without=load.folder)))
        else:
            self._models[load.model_id] = loaded
            facts = (loaded.revision, loaded.resident_bytes, loaded.dtype, loaded.device)
            self._outbox.send(ModelLoaded(load.model_id, *facts))

    def _load_pipeline(self, load: LoadModel) -> LoadedPipeline:
        # Imported here, seconds after the server has heard that the worker is there.
        from calotype_provider.local import loader
        from calotype_provider.local.painter import Painter

        if self._painter is None:
            loader.prepare_torch(self._settings.threads)
            settings = self._settings
            self._painter = Painter(self._outbox, exact=settings.exact, hang_seconds_min=settings.hang_seconds_min)

        def tell(progress: float) -> None:
            self._outbox.send(ModelLoading(load.model_id, 0.3 + 0.6 * progress))

        tell(0.0)
        loaded = loader.load_pipeline(
            Path(load.folder),
            model_id=load.model_id,
            dtype=load.dtype,
            on_progress=tell,
            others=tuple(self._models.values()),
        )
        tell(1.0)
        if load.warm_up is not None:
            self._painter.warm_up(load.warm_up, loaded)
        return loaded

    def _unload(self, model_id: str) -> None:
        # Pictures of it that are being painted keep it until they end.
        self._models.pop(model_id, None)
        if self._painter is not None:
            self._painter.forget(model_id)

    def _paint(self, paint: Paint) -> None:
        loaded = self._models.get(paint.model_id)
        if loaded is None or self._painter is None:
            self._outbox.send(Failed(paint.request_id, "not_loaded", "it is not loaded"))
        else:
            self._painter.add(paint, loaded)


def main() -> NoReturn:
    settings = msgspec.json.decode(sys.argv[1], type=WorkerSettings) if len(sys.argv) > 1 else WorkerSettings()
    commands, events = take_pipes()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    os.environ.update(OFFLINE)
    queue, outbox = CommandQueue(), Outbox(events)
    threading.Thread(target=read_commands, args=(commands, queue, outbox), name="reader", daemon=True).start()
    outbox.send(WorkerReady())
    Worker(queue, outbox, settings).run()


if __name__ == "__main__":
    main()
