"""The process that owns one device: commands come in on stdin, events go out on stdout, torch runs on the main thread.

It ends when its stdin does, whatever it is doing: nobody is left to paint for.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from calotype_provider.errors import ModelLoadError
from calotype_provider.local.command_queue import CommandQueue
from calotype_provider.local.messages import (
    Cancelled,
    Failed,
    FailureKind,
    LoadModel,
    ModelFailed,
    ModelLoaded,
    ModelLoading,
    Paint,
    Painted,
    Started,
    Step,
    UnloadModel,
    WorkerReady,
)
from calotype_provider.local.worker_pipes import Outbox, read_commands, take_pipes
from calotype_provider.types import MEDIA_TYPES

if TYPE_CHECKING:
    from calotype_provider.local.loader import LoadedPipeline
    from calotype_provider.local.painting import Picture

ENCODING_THREADS = 2
ENCODING_PICTURES_MAX = 4
"""Painted pictures held in memory for the encoders; the engine thread waits when there are more."""

MESSAGE_CHARACTERS_MAX = 500
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}

logger = logging.getLogger("calotype.worker")


class PaintingCancelled(Exception):
    """Raised into a pipeline, between two steps."""


class Worker:
    """The engine thread: takes one command after the other, and paints one picture at a time."""

    def __init__(self, queue: CommandQueue, outbox: Outbox, *, threads: int | None) -> None:
        self._queue = queue
        self._outbox = outbox
        self._threads = threads
        self._torch_prepared = False
        self._models: dict[str, LoadedPipeline] = {}
        self._encoders = ThreadPoolExecutor(ENCODING_THREADS, thread_name_prefix="encoder")
        self._encoder_slots = threading.BoundedSemaphore(ENCODING_PICTURES_MAX)

    def run(self) -> NoReturn:
        while True:
            match self._queue.get():
                case LoadModel() as load:
                    self._load(load)
                case UnloadModel(model_id=model_id):
                    self._models.pop(model_id, None)
                case Paint() as paint:
                    self._paint(paint)
                    self._queue.done()

    def _load(self, load: LoadModel) -> None:
        self._outbox.send(ModelLoading(load.model_id, 0.0))
        try:
            loaded = self._load_pipeline(load)
        except ModelLoadError as error:
            self._outbox.send(ModelFailed(load.model_id, error.reason))
        except Exception as error:  # A folder can fail in any way that its libraries know; other models live on.
            logger.exception("model %s cannot be loaded", load.model_id)
            self._outbox.send(ModelFailed(load.model_id, _described(error, without=load.folder)))
        else:
            self._models[load.model_id] = loaded
            facts = (loaded.revision, loaded.resident_bytes, loaded.dtype, loaded.device)
            self._outbox.send(ModelLoaded(load.model_id, *facts))

    def _load_pipeline(self, load: LoadModel) -> LoadedPipeline:
        # Imported here, seconds after the server has heard that the worker is there.
        from calotype_provider.local import loader, painting

        if not self._torch_prepared:
            loader.prepare_torch(self._threads)
            self._torch_prepared = True

        def tell(progress: float) -> None:
            self._outbox.send(ModelLoading(load.model_id, 0.3 + 0.6 * progress))

        tell(0.0)
        loaded = loader.load_pipeline(Path(load.folder), model_id=load.model_id, dtype=load.dtype, on_progress=tell)
        tell(1.0)
        if load.warm_up is not None:
            painting.paint_picture(loaded.pipeline, load.warm_up, on_step=lambda step: None)
        return loaded

    def _paint(self, paint: Paint) -> None:
        loaded = self._models.get(paint.model_id)
        if loaded is None:
            return self._fail(paint, "not_loaded", "it is not loaded")
        self._outbox.send(Started(paint.request_id))
        started = time.perf_counter()
        try:
            picture = self._paint_picture(paint, loaded)
        except PaintingCancelled:
            self._outbox.send(Cancelled(paint.request_id))
        except Exception as error:  # Whatever a pipeline raises ends this picture only.
            # Logged and dropped: a kept exception keeps the frames that it came through, and their tensors.
            logger.exception("request %s failed", paint.request_id)
            kind: FailureKind = "out_of_memory" if type(error).__name__ == "OutOfMemoryError" else "pipeline"
            self._fail(paint, kind, _described(error))
        else:
            self._encoder_slots.acquire()
            self._encoders.submit(self._encode, paint, loaded, picture, started)

    def _paint_picture(self, paint: Paint, loaded: LoadedPipeline) -> Picture:
        from calotype_provider.local import painting

        def on_step(step: int) -> None:
            if self._queue.is_cancelled(paint.request_id):
                raise PaintingCancelled
            self._outbox.send(Step(paint.request_id, step, paint.num_inference_steps))

        return painting.paint_picture(loaded.pipeline, paint, on_step=on_step)

    def _encode(self, paint: Paint, loaded: LoadedPipeline, picture: Picture, started: float) -> None:
        """On an encoder's thread, while the next picture is painted."""
        from calotype_provider.local import encoding

        try:
            data = encoding.encode(picture.pixels, paint.output_format, compression=paint.output_compression)
            painted = Painted(
                request_id=paint.request_id,
                data=data,
                media_type=MEDIA_TYPES[paint.output_format],
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
                model_revision=loaded.revision,
                dtype=loaded.dtype,
                prompt_tokens_unread=picture.prompt_tokens_unread,
            )
            self._outbox.send(painted)
        except Exception as error:  # Nobody looks into the pool's futures: what is not told here is waited for forever.
            logger.exception("request %s cannot be encoded", paint.request_id)
            self._fail(paint, "encoding", _described(error))
        finally:
            self._encoder_slots.release()

    def _fail(self, paint: Paint, kind: FailureKind, message: str) -> None:
        self._outbox.send(Failed(paint.request_id, kind, message))


def _described(error: Exception, *, without: str | None = None) -> str:
    """The error in a line for a caller, who has no business with the paths of this machine."""
    text = f"{type(error).__name__}: {error}"
    return (text.replace(without, "the model's folder") if without else text)[:MESSAGE_CHARACTERS_MAX]


def main() -> NoReturn:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int)
    threads: int | None = parser.parse_args().threads
    commands, events = take_pipes()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    os.environ.update(OFFLINE)
    queue, outbox = CommandQueue(), Outbox(events)
    threading.Thread(target=read_commands, args=(commands, queue, outbox), name="reader", daemon=True).start()
    outbox.send(WorkerReady())
    Worker(queue, outbox, threads=threads).run()


if __name__ == "__main__":
    main()
