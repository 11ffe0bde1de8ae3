"""What becomes of one picture in the hub: told to the server, encoded beside the device."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from calotype_provider.local import encoding
from calotype_provider.local.hub_request import RequestCancelled
from calotype_provider.local.loader import LoadedPipeline
from calotype_provider.local.messages import Cancelled, Failed, FailureKind, Paint, Painted, Preview, Step
from calotype_provider.local.painting import Pixels, prompt_tokens_unread, to_pixels
from calotype_provider.local.worker_pipes import Outbox
from calotype_provider.types import MEDIA_TYPES, OutputFormat

ENCODING_THREADS = 2
ENCODING_PICTURES_MAX = 4
"""Painted pictures held in memory for the encoders; the engine thread waits when there are more."""

PREVIEW_FORMAT: OutputFormat = "jpeg"
MESSAGE_CHARACTERS_MAX = 500

logger = logging.getLogger("calotype.worker")


class EncoderPool:
    """Threads that make files of pictures while the device goes on."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(ENCODING_THREADS, thread_name_prefix="encoder")
        self._slots = threading.BoundedSemaphore(ENCODING_PICTURES_MAX)

    def submit(self, work: Callable[[], None]) -> None:
        """Waits for one of `ENCODING_PICTURES_MAX` places. `work` tells its own failures."""
        self._slots.acquire()
        self._threads.submit(self._run, work)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._slots.release()


class PaintListener:
    """Hears of one picture from the hub, on the engine's thread."""

    def __init__(
        self,
        paint: Paint,
        loaded: LoadedPipeline,
        *,
        outbox: Outbox,
        encoders: EncoderPool,
        exact: bool,
        on_begin: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._paint = paint
        self._loaded = loaded
        self._outbox = outbox
        self._encoders = encoders
        self._on_begin = on_begin
        self._on_end = on_end
        self._started = time.perf_counter()
        self._steps = paint.num_inference_steps
        self._made_with = loaded.made_with(exact=exact)

    def on_begin(self) -> None:
        self._started = time.perf_counter()
        self._on_begin()

    def on_step(self, step: int, steps: int) -> None:
        self._steps = steps
        self._outbox.send(Step(self._paint.request_id, step, steps))

    def on_preview(self, step: int, images: torch.Tensor) -> None:
        pixels, steps = to_pixels(images), self._steps
        self._encoders.submit(lambda: self._or_fail(lambda: self._tell_preview(pixels, step, steps)))

    def on_done(self, output: Any) -> None:
        self._on_end()
        self._or_fail(lambda: self._take(output), kind="pipeline")

    def on_error(self, error: BaseException) -> None:
        self._on_end()
        if isinstance(error, RequestCancelled):
            self._outbox.send(Cancelled(self._paint.request_id))
        else:
            self._fail("out_of_memory" if isinstance(error, torch.OutOfMemoryError) else "pipeline", error)

    def _take(self, output: Any) -> None:
        pixels = to_pixels(output.images)
        unread = prompt_tokens_unread(self._loaded.pipeline, self._paint)
        self._encoders.submit(lambda: self._or_fail(lambda: self._tell_painted(pixels, unread)))

    def _tell_preview(self, pixels: Pixels, step: int, steps: int) -> None:
        data = encoding.encode(pixels, PREVIEW_FORMAT, compression=None)
        media_type = MEDIA_TYPES[PREVIEW_FORMAT]
        request_id = self._paint.request_id
        self._outbox.send(Preview(request_id=request_id, step=step, steps=steps, data=data, media_type=media_type))

    def _tell_painted(self, pixels: Pixels, unread: int) -> None:
        paint = self._paint
        painted = Painted(
            request_id=paint.request_id,
            data=encoding.encode(pixels, paint.output_format, compression=paint.output_compression),
            media_type=MEDIA_TYPES[paint.output_format],
            milliseconds=round((time.perf_counter() - self._started) * 1000, 1),
            made_with=self._made_with,
            prompt_tokens_unread=unread,
        )
        self._outbox.send(painted)

    def _or_fail(self, work: Callable[[], None], *, kind: FailureKind = "encoding") -> None:
        try:
            work()
        except Exception as error:
            # Nobody else looks: what is not told here is waited for forever.
            logger.exception("request %s cannot be finished", self._paint.request_id)
            self._fail(kind, error)

    def _fail(self, kind: FailureKind, error: BaseException) -> None:
        self._outbox.send(Failed(self._paint.request_id, kind, described(error)))


def described(error: BaseException, *, without: str | None = None) -> str:
    """The error in a line for a caller, who has no business with the paths of this machine."""
    text = f"{type(error).__name__}: {error}"
    return (text.replace(without, "the model's folder") if without else text)[:MESSAGE_CHARACTERS_MAX]
