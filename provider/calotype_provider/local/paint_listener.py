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
from calotype_provider.local.painting import Pixels, PromptTokens, latent_tokens, to_pixels
from calotype_provider.local.paste_back import paste_back
from calotype_provider.local.picture_text import picture_text
from calotype_provider.local.previews import can_preview
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
        prompt_tokens: PromptTokens,
        on_begin: Callable[[], None],
        on_end: Callable[[], None],
        is_alone: Callable[[], bool],
    ) -> None:
        self._paint = paint
        self._loaded = loaded
        self._outbox = outbox
        self._encoders = encoders
        self._on_begin = on_begin
        self._on_end = on_end
        self._is_alone = is_alone
        self._prompt_tokens = prompt_tokens
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
            self._fail("pipeline", error)

    def _take(self, output: Any) -> None:
        pixels = to_pixels(output.images)
        self._encoders.submit(lambda: self._or_fail(lambda: self._tell_painted(pixels)))

    def _tell_preview(self, pixels: Pixels, step: int, steps: int) -> None:
        data = encoding.encode(pixels, PREVIEW_FORMAT, compression=None)
        media_type = MEDIA_TYPES[PREVIEW_FORMAT]
        request_id = self._paint.request_id
        self._outbox.send(Preview(request_id=request_id, step=step, steps=steps, data=data, media_type=media_type))

    def _tell_painted(self, pixels: Pixels) -> None:
        paint, pipeline = self._paint, self._loaded.pipeline
        if paint.mask is not None:
            pixels = paste_back(pixels, paint.images[0], paint.mask)
        text = picture_text(paint) if paint.with_parameters else None
        given = (*paint.images, *((paint.control_image,) if paint.control_image else ()))
        painted = Painted(
            request_id=paint.request_id,
            data=encoding.encode(pixels, paint.output_format, compression=paint.output_compression, text=text),
            media_type=MEDIA_TYPES[paint.output_format],
            milliseconds=round((time.perf_counter() - self._started) * 1000, 1),
            made_with=self._made_with,
            prompt_tokens=self._prompt_tokens.read,
            prompt_tokens_unread=self._prompt_tokens.unread,
            image_tokens=sum(latent_tokens(pipeline, image.width, image.height) for image in given),
            output_tokens=latent_tokens(pipeline, paint.width, paint.height),
            previews_unsupported=paint.previews > 0 and not can_preview(pipeline),
        )
        self._outbox.send(painted)

    def _or_fail(self, work: Callable[[], None], *, kind: FailureKind = "encoding") -> None:
        try:
            work()
        except Exception as error:  # Nobody else looks: what is not told here is waited for forever.
            logger.exception("request %s cannot be finished", self._paint.request_id)
            self._fail(kind, error)

    def _fail(self, kind: FailureKind, error: BaseException) -> None:
        if isinstance(error, torch.OutOfMemoryError):
            kind = "too_large" if self._is_alone() else "out_of_memory"
        self._outbox.send(Failed(self._paint.request_id, kind, described(error)))


def described(error: BaseException, *, without: str | None = None) -> str:
    """The error in a line for a caller, who has no business with the paths of this machine."""
    text = f"{type(error).__name__}: {error}"
    return (text.replace(without, "the model's folder") if without else text)[:MESSAGE_CHARACTERS_MAX]
