"""What routes are given: models behind their queue, a codec off the event loop, and the store of answers by URL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from calotype_adapters.vercel.types import SpecVersion
from calotype_provider.call_checks import refuse_when_strict
from calotype_provider.errors import StorageError, StorageFullError
from calotype_provider.image_model import ImageModel
from calotype_provider.local.engine import EngineStats, Readiness
from calotype_provider.model_card import FittedCall
from calotype_provider.registry import ProviderRegistry
from calotype_provider.types import (
    CallWarning,
    ImageEvent,
    ImageModelCall,
    ImageModelResult,
    ImageQueued,
)
from calotype_runtime.bytes_held import BytesHeld
from calotype_runtime.config import Settings
from calotype_runtime.file_store.from_settings import open_file_store
from calotype_runtime.file_store.store import FileStore, Reservation
from calotype_runtime.generate_image import estimate_seconds, fit, generate_image
from calotype_runtime.image_inputs import PictureReader, picture_bytes, pictures_of
from calotype_runtime.jobs.job_runner import JobRunner
from calotype_runtime.jobs.job_store import JobStore
from calotype_runtime.jobs.job_work import JobWork
from calotype_runtime.jobs.paint_job import paint_job
from calotype_runtime.jobs.snapshots import Snapshot
from calotype_runtime.kept_answers import KeptAnswers
from calotype_runtime.queue import AdmissionQueue, Place
from calotype_runtime.repeats import ANSWER_SECONDS_MAX, Repeats
from calotype_runtime.request_body import BodyReader
from calotype_runtime.request_log import RequestRecord

T = TypeVar("T")

CODEC_THREADS = 2
FILE_BYTES_PER_PIXEL_MAX = 4
FILE_BYTES_BESIDE_PIXELS_MAX = 64 * 2**10
"""Together more than any file of a picture that we give: three bytes a pixel at worst, and its headers."""

PICTURES_HELD_BYTES_MAX = 2**30
"""What callers have sent, as they sent it and as it was read, until their calls are answered: all together."""

STORE_SHARE_FOR_URL = 0.25
"""Kept for callers who ask for URLs: the others get base64 too, and would fill the store without noticing."""

NO_URL = CallWarning("other", "url", "the store of answers by URL is full, or fails: this answer has b64_json alone")

JSON_BYTES_PER_PICTURE_MAX = 2048
"""What an answer says of a picture besides its base64."""

Delivery = Literal["url", "b64_json"]

TellOfCall = Callable[[ImageModelCall, ImageEvent], None]


class Painting(msgspec.Struct, frozen=True):
    """The call as it was fitted, its result and, where they were asked for and could be kept, its pictures' paths.

    A path is '/files/...' on this server, or a whole URL where the store gives its pictures out itself.
    """

    call: ImageModelCall
    """Without the pictures that were given."""
    result: ImageModelResult
    paths: tuple[str, ...] | None
    created: int
    """In seconds since 1970: a repeat is told the same."""


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
        self._store_bytes_for_url = int(settings.files.bytes_max * STORE_SHARE_FOR_URL)
        self.queue = AdmissionQueue(
            running_max=settings.queue.running_max,
            waiting_max=settings.queue.waiting_max,
            waiting_per_caller_max=settings.queue.waiting_per_caller_max,
        )
        self.codec = ThreadPoolExecutor(CODEC_THREADS, thread_name_prefix="codec")
        """Where bodies are decoded and answers encoded, so that the event loop never waits for either."""
        jobs = settings.jobs
        self.jobs = JobRunner(
            jobs,
            JobStore(
                None if jobs.directory is None else Path(jobs.directory).expanduser(),
                bytes_max=jobs.bytes_max,
                ttl_seconds=jobs.ttl_seconds,
                urls_last=settings.files.lasts,
            ),
            paint=partial(paint_job, self),
            busy_seconds=self.queue.wait_seconds_estimate,
        )
        self.pictures = PictureReader(settings.pictures, executor=self.codec)
        self._pictures_held = BytesHeld(
            bytes_max=max(PICTURES_HELD_BYTES_MAX, 4 * settings.pictures.request_bytes_max),
            what="pictures are held for calls that wait or are painted",
        )
        self.repeats = Repeats[Painting](
            KeptAnswers(_bytes_of_painting),
            held=self._pictures_held,
            seconds_max=min(ANSWER_SECONDS_MAX, settings.files.ttl_seconds),
        )
        self.accepted = Repeats[Snapshot](
            KeptAnswers(lambda _: 0), held=self._pictures_held, seconds_max=min(ANSWER_SECONDS_MAX, jobs.ttl_seconds)
        )
        self.bodies = BodyReader(
            bytes_max=settings.body_bytes_max,
            seconds_max=settings.body_seconds_max,
            sum_bytes_max=settings.bodies_bytes_max,
            executor=self.codec,
        )

    @cached_property
    def store(self) -> FileStore:
        """Opened when it is first asked for: what serves nothing leaves its directory to the server that does."""
        return open_file_store(self.settings.files)

    def image_model(self, model_id: str | None) -> ImageModel:
        """The default model when none is named. Raises NoSuchModelError."""
        return self.registry.image_model(self.settings.default_model if model_id is None else model_id)

    async def paint(
        self,
        model_id: str | None,
        call: ImageModelCall,
        *,
        delivery: Delivery | None,
        record: RequestRecord,
        tell: TellOfCall | None = None,
        wait_seconds_max: float | None = None,
    ) -> Painting:
        """Fit the call, fetch its pictures, reserve room for the answer, paint, keep.

        `delivery` None wants URLs too where there is room for them. `tell` is told how far the pictures are, and of
        the call as it was fitted. Raises StorageFullError, and DeadlineError for a wait over `wait_seconds_max`, before
        any work is done.
        """
        async with self._fitted(model_id, call, record) as (model, fitted):
            return await self._paint_fitted(
                model, fitted, delivery=delivery, record=record, tell=tell, wait_seconds_max=wait_seconds_max
            )

    async def accept(
        self,
        model_id: str | None,
        call: ImageModelCall,
        *,
        delivery: Delivery | None,
        origin: str,
        warnings: tuple[CallWarning, ...],
        record: RequestRecord,
        spec: SpecVersion | None = None,
    ) -> Snapshot:
        """Fit the call, fetch its pictures, and keep it as a job that is painted later: see `JobRunner.accept`.

        The others say how its answer is written, `spec` that it is in the words of the AI SDK's gateway. Raises
        StorageFullError where URLs are asked for and the store of pictures is full now.
        """
        async with self._fitted(model_id, call, record) as (model, fitted):
            if (reservation := await self._reserve(fitted.call, delivery)) is not None:
                # There is room now, which is all that can be said: it is taken when the pictures' turn comes.
                reservation.release()
            work = JobWork(
                model_id=model.card.model_id,
                fitted=fitted,
                delivery=delivery,
                origin=origin,
                warnings=warnings,
                spec=spec,
            )
            return await self.jobs.accept(
                work,
                cost_seconds=estimate_seconds(model, fitted.call),
                result_bytes_max=_answer_bytes_max(fitted.call, delivery),
            )

    async def paint_fitted(
        self,
        model_id: str,
        fitted: FittedCall,
        *,
        delivery: Delivery | None,
        record: RequestRecord,
        tell: TellOfCall,
        admitted: Callable[[], None],
    ) -> Painting:
        """The rest of `paint`, for a call that was fitted before; `admitted` is told when its turn has come."""
        model = self.image_model(model_id)
        record.model = model.card.model_id
        with self._pictures_held.hold(picture_bytes(fitted.call)):
            record.note_call(fitted.call, with_prompt=self.settings.log_prompts)
            return await self._paint_fitted(
                model, fitted, delivery=delivery, record=record, tell=tell, wait_seconds_max=None, admitted=admitted
            )

    @asynccontextmanager
    async def _fitted(
        self, model_id: str | None, call: ImageModelCall, record: RequestRecord
    ) -> AsyncIterator[tuple[ImageModel, FittedCall]]:
        """The model, and the call with its pictures as files, which are held meanwhile."""
        model = self.image_model(model_id)
        record.model = model.card.model_id
        # Before anything is fetched: what is refused whatever the pictures are.
        fitted = fit(model, call)
        with self._pictures_held.hold(self._bytes_at_first(call)) as holding:
            if pictures_of(call):
                resolved = await self.pictures.resolve(call)
                holding.resize(picture_bytes(call) + picture_bytes(resolved))
                # Their sizes are known now: that of the painting may follow them.
                fitted = fit(model, resolved)
            record.note_call(fitted.call, with_prompt=self.settings.log_prompts)
            yield model, fitted

    async def _paint_fitted(
        self,
        model: ImageModel,
        fitted: FittedCall,
        *,
        delivery: Delivery | None,
        record: RequestRecord,
        tell: TellOfCall | None,
        wait_seconds_max: float | None,
        admitted: Callable[[], None] | None = None,
    ) -> Painting:
        reservation = await self._reserve(fitted.call, delivery)
        if reservation is None and delivery is None:
            fitted = msgspec.structs.replace(fitted, warnings=(*fitted.warnings, NO_URL))
            refuse_when_strict(fitted.call, fitted.warnings)
        with reservation or nullcontext():
            result = await generate_image(
                model,
                fitted,
                queue=self.queue,
                placed=partial(_place, record, tell and partial(tell, fitted.call)),
                admitted=partial(_admit, record, admitted),
                tell=tell and partial(tell, fitted.call),
                wait_seconds_max=wait_seconds_max,
            )
            paths = None if reservation is None else await self._keep(result, reservation, delivery)
        if paths is None and delivery is None and NO_URL not in result.warnings:
            result = msgspec.structs.replace(result, warnings=(*result.warnings, NO_URL))
            refuse_when_strict(fitted.call, result.warnings)
        return Painting(_without_pictures(fitted.call), result, paths, int(time.time()))

    def _bytes_at_first(self, call: ImageModelCall) -> int:
        """What came with the call, and what its pictures may be until they are known."""
        return picture_bytes(call) + self.settings.pictures.request_bytes_max if pictures_of(call) else 0

    async def in_codec(self, work: Callable[[], T]) -> T:
        """Run what would hold the event loop in one of the codec's threads."""
        return await asyncio.get_running_loop().run_in_executor(self.codec, work)

    async def start(self) -> None:
        """Begin what nobody waits for."""
        await self.jobs.start()

    async def aclose(self) -> None:
        # First: what is cut short by the end of the rest would count as failed.
        await self.jobs.aclose()
        await self.repeats.aclose()
        await self.registry.aclose()
        await self.pictures.aclose()
        if "store" in vars(self):
            await self.store.aclose()
        self.codec.shutdown(wait=False, cancel_futures=True)

    async def _reserve(self, call: ImageModelCall, delivery: Delivery | None) -> Reservation | None:
        if delivery == "b64_json":
            return None
        bytes_needed = _file_bytes_max(call)
        leaving = self._store_bytes_for_url if delivery is None else 0
        try:
            return await self.store.reserve(bytes_needed, files=call.n, leaving=leaving)
        except (StorageError, StorageFullError):
            if delivery == "url":
                raise
            return None

    async def _keep(
        self, result: ImageModelResult, reservation: Reservation, delivery: Delivery | None
    ) -> tuple[str, ...] | None:
        """None where base64 will do, and the store fails, or is full and a file larger than any that we make."""
        try:
            return tuple([await reservation.put(image.data, image.media_type) for image in result.images])
        except (StorageError, StorageFullError):
            if delivery == "url":
                raise
            return None


def _place(record: RequestRecord, tell: Callable[[ImageEvent], None] | None, place: Place) -> None:
    record.note_place(place.position, place.seconds)
    if tell and place.seconds:
        tell(ImageQueued(place.position, place.seconds))


def _admit(record: RequestRecord, admitted: Callable[[], None] | None, wait_seconds: float) -> None:
    record.note_admission(wait_seconds)
    if admitted:
        admitted()


def _file_bytes_max(call: ImageModelCall) -> int:
    """Of all pictures of a fitted call."""
    assert call.size is not None, "a fitted call has a size"
    return call.n * (call.size.pixels * FILE_BYTES_PER_PIXEL_MAX + FILE_BYTES_BESIDE_PIXELS_MAX)


def _answer_bytes_max(call: ImageModelCall, delivery: Delivery | None) -> int:
    """Of the answer in JSON; URLs are told apart from what takes their place when they are over."""
    texts = 2 if delivery == "url" else 1
    return _file_bytes_max(call) * 4 // 3 + texts * (call.n + 1) * JSON_BYTES_PER_PICTURE_MAX


def _bytes_of_painting(painting: Painting) -> int:
    return sum(len(image.data) for image in painting.result.images)


def _without_pictures(call: ImageModelCall) -> ImageModelCall:
    return msgspec.structs.replace(call, images=(), mask=None, control_image=None)
