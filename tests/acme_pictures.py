"""A provider as somebody else would write it, installed beside the server: models that show, fail and tell."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from calotype_provider.errors import EngineError, NoSuchModelError
from calotype_provider.image_model import ImageModel
from calotype_provider.model_card import ModelCard
from calotype_provider.types import (
    CallWarning,
    GeneratedImage,
    ImageEvent,
    ImageFile,
    ImageFinished,
    ImageModelCall,
    ImageModelResult,
    ImagePreview,
    ImageStep,
    Size,
)

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
SIZE = Size(64, 64)


class Brush:
    """Answers at once, by itself two pictures at most, and warns of the sizes of the pictures it was given."""

    card = ModelCard(
        model_id="acme/brush", default_size=SIZE, sizes=(SIZE,), images_max=16, mask=True, max_images_per_call=2
    )

    async def do_generate(self, call: ImageModelCall) -> ImageModelResult:
        seed = call.seed or 0
        images = tuple(GeneratedImage(PICTURE, "image/png", seed + k, SIZE) for k in range(call.n))
        sizes = " ".join(str(image.size) for image in call.images if isinstance(image, ImageFile))
        warnings = (CallWarning("other", "images", sizes),) if sizes else ()
        return ImageModelResult(images=images, model_id=self.card.model_id, warnings=warnings)


class Film(Brush):
    """Shows each picture once on the way, and may break at some point."""

    def __init__(self, name: str, *, early: Exception | None = None, late: Exception | None = None) -> None:
        self.card = ModelCard(model_id=f"acme/{name}", default_size=SIZE, sizes=(SIZE,), max_images_per_call=2)
        self._early = early
        self._late = late

    async def do_stream(self, call: ImageModelCall) -> AsyncIterator[ImageEvent]:
        yield ImageStep(0, 1, 2)
        if self._early:
            raise self._early
        for index in range(call.n if call.partial_images else 0):
            yield ImagePreview(index, 1, ImageFile(PICTURE, "image/png"))
        if self._late:
            raise self._late
        yield ImageFinished(await self.do_generate(call))


class Slow(Brush):
    """Takes its time, and counts how often it has painted: the count is in the warnings."""

    painted = itertools.count(1)

    def __init__(
        self, name: str, *, seconds: float, told_seconds: float | None = None, error: Exception | None = None
    ) -> None:
        self.card = ModelCard(model_id=f"acme/{name}", default_size=SIZE, sizes=(SIZE,))
        self._seconds = seconds
        self._told_seconds = seconds if told_seconds is None else told_seconds
        self._error = error

    def estimate_seconds(self, call: ImageModelCall) -> float:
        return self._told_seconds

    async def do_generate(self, call: ImageModelCall) -> ImageModelResult:
        count = next(self.painted)
        await asyncio.sleep(self._seconds)
        if self._error:
            raise self._error
        result = await super().do_generate(call)
        return msgspec.structs.replace(result, warnings=(CallWarning("other", "painted", str(count)),))


class Endless(Slow):
    """Is always about to be done."""

    def estimate_seconds(self, call: ImageModelCall) -> float:
        return 0.2


class Nothing(Brush):
    """Answers without a picture."""

    card = ModelCard(model_id="acme/nothing", default_size=SIZE, sizes=(SIZE,))

    async def do_generate(self, call: ImageModelCall) -> ImageModelResult:
        return ImageModelResult(images=(), model_id=self.card.model_id)


class Acme:
    def image_model(self, model_id: str) -> ImageModel:
        match model_id:
            case "acme/brush":
                return Brush()
            case "acme/endless":
                return Endless("endless", seconds=3600)
            case "acme/nothing":
                return Nothing()
            case "acme/film":
                return Film("film")
            case "acme/breaks-early":
                return Film("breaks-early", early=EngineError("the film tore at once", is_retryable=True))
            case "acme/breaks-late":
                return Film("breaks-late", late=EngineError("the film tore"))
            case "acme/slow":
                return Slow("slow", seconds=2.5)
            case "acme/slower":
                return Slow("slower", seconds=8.0, told_seconds=1.0)
            case "acme/slow-breaks":
                return Slow("slow-breaks", seconds=2.5, error=EngineError("the brush broke", is_retryable=True))
            case "acme/has-a-bug-too":
                return Slow("has-a-bug-too", seconds=0, error=ZeroDivisionError("a secret number"))
            case "acme/has-a-bug":
                return Film("has-a-bug", late=ZeroDivisionError("a secret number"))
            case _:
                raise NoSuchModelError(model_id)


def install(folder: Path) -> dict[str, str]:
    """The environment in which a server finds this provider, as a distribution in `folder`."""
    information = folder / "acme_pictures-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-pictures\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[calotype.providers]\nacme = acme_pictures:Acme\n")
    return {"PYTHONPATH": f"{folder}:{Path(__file__).parent}"}
