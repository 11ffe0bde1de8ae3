"""What routes are given: models behind their queue, a codec off the event loop, and the store of answers by URL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Literal, TypeVar

import msgspec

from calotype_provider.errors import StorageFullError
from calotype_provider.image_model import ImageModel
from calotype_provider.local.engine import EngineStats, Readiness
from calotype_provider.registry import ProviderRegistry
from calotype_provider.types import CallWarning, ImageModelCall, ImageModelResult
from calotype_runtime.config import Settings
from calotype_runtime.file_store import FileStore, Reservation
from calotype_runtime.generate_image import fit, generate_image
from calotype_runtime.queue import AdmissionQueue
from calotype_runtime.request_body import BodyReader
from calotype_runtime.request_log import RequestRecord

T = TypeVar("T")

CODEC_THREADS = 2
FILE_BYTES_PER_PIXEL_MAX = 4
FILE_BYTES_BESIDE_PIXELS_MAX = 64 * 2**10
"""Together more than any file of a picture that we give: three bytes a pixel at worst, and its headers."""

STORE_SHARE_FOR_URL = 0.25
"""Kept for callers who ask for URLs: the others get base64 too, and would fill the store without noticing."""

NO_URL = CallWarning("other", "url", "the store of answers by URL is full: this answer has b64_json alone")

Delivery = Literal["url", "b64_json"]


class Painting(msgspec.Struct, frozen=True):
    """A result and, where they were asked for and could be kept, the paths of its pictures."""

    result: ImageModelResult
    paths: tuple[str, ...] | None


class ImageRuntime:
    def __init__(
        self,
        *,
        settings: Settings,
        registry: ProviderRegistry,
        readiness: Callable[[], Readiness],
        engine_stats: Callable[[], EngineStats],
    ) -> None:
        self.settings = settings
        self.registry = registry
        self.readiness = readiness
        self.engine_stats = engine_stats
        self.started_at = int(time.time())
        self.store = FileStore(bytes_max=settings.files.bytes_max, ttl_seconds=settings.files.ttl_seconds)
        self._store_bytes_for_url = int(settings.files.bytes_max * STORE_SHARE_FOR_URL)
        self.queue = AdmissionQueue(
            running_max=settings.queue.running_max,
            waiting_max=settings.queue.waiting_max,
            waiting_per_caller_max=settings.queue.waiting_per_caller_max,
        )
        self.codec = ThreadPoolExecutor(CODEC_THREADS, thread_name_prefix="codec")
        """Where bodies are decoded and answers encoded, so that the event loop never waits for either."""
        self.bodies = BodyReader(
            bytes_max=settings.body_bytes_max,
            seconds_max=settings.body_seconds_max,
            sum_bytes_max=settings.bodies_bytes_max,
            executor=self.codec,
        )

    def image_model(self, model_id: str | None) -> ImageModel:
        """The default model when none is named. Raises NoSuchModelError."""
        return self.registry.image_model(self.settings.default_model if model_id is None else model_id)

    async def paint(
        self, model_id: str | None, call: ImageModelCall, *, delivery: Delivery | None, record: RequestRecord
    ) -> Painting:
        """Fit the call, reserve room for the answer, paint, keep.

        `delivery` None wants URLs too where there is room for them. Raises StorageFullError before any work is done.
        """
        model = self.image_model(model_id)
        record.model = model.card.model_id
        fitted = fit(model, call)
        record.note_call(fitted.call, with_prompt=self.settings.log_prompts)
        reservation = self._reserve(fitted.call, delivery)
        with reservation or nullcontext():
            result = await generate_image(
                model, fitted, queue=self.queue, codec=self.codec, admitted=record.note_admission
            )
            paths = None if reservation is None else self._keep(result, reservation, delivery)
        if paths is None and delivery is None:
            result = msgspec.structs.replace(result, warnings=(*result.warnings, NO_URL))
        record.note_result(result)
        return Painting(result, paths)

    async def in_codec(self, work: Callable[[], T]) -> T:
        """Run what would hold the event loop in one of the codec's threads."""
        return await asyncio.get_running_loop().run_in_executor(self.codec, work)

    async def aclose(self) -> None:
        await self.registry.aclose()
        self.codec.shutdown(wait=False, cancel_futures=True)

    def _reserve(self, call: ImageModelCall, delivery: Delivery | None) -> Reservation | None:
        assert call.size is not None, "a fitted call has a size"
        if delivery == "b64_json":
            return None
        bytes_needed = call.n * (call.size.pixels * FILE_BYTES_PER_PIXEL_MAX + FILE_BYTES_BESIDE_PIXELS_MAX)
        if delivery is None and self.store.bytes_free - bytes_needed < self._store_bytes_for_url:
            return None
        try:
            return self.store.reserve(bytes_needed, files=call.n)
        except StorageFullError:
            if delivery == "url":
                raise
            return None

    def _keep(
        self, result: ImageModelResult, reservation: Reservation, delivery: Delivery | None
    ) -> tuple[str, ...] | None:
        """None where a file is larger than any that we make ourselves, the store is full, and base64 will do."""
        try:
            names = [reservation.put(image.data, image.media_type) for image in result.images]
        except StorageFullError:
            if delivery == "url":
                raise
            return None
        return tuple(self.store.path_for(name) for name in names)
