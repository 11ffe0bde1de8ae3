"""The models of folders on this machine: an abstract call -> pictures of the engine -> the result."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec

from calotype_provider.errors import EngineError, ModelLoadError, NoImageGeneratedError, NoSuchModelError
from calotype_provider.local.engine import Engine, EngineEvent, Queued
from calotype_provider.local.input_images import InputImages, input_images
from calotype_provider.local.messages import (
    Cancelled,
    InputImage,
    LoadModel,
    Paint,
    Painted,
    Preview,
    Started,
    Step,
    unread_words,
)
from calotype_provider.local.model_folder import read_card
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
    ImageQueued,
    ImageStep,
    ImageUsage,
    Size,
)

logger = logging.getLogger("calotype.engine")


class LocalProvider:
    """Owns the engine, and asks it to load every model whose folder can be read; for the others `image_model` raises
    the ModelLoadError that says why.
    """

    def __init__(
        self,
        models: Mapping[str, Path],
        engine: Engine,
        *,
        stop_seconds_max: float = 20.0,
        png_parameters: bool = True,
    ) -> None:
        """`png_parameters`: whether PNG files say in their text what they were painted from."""
        self.engine = engine
        self._png_parameters = png_parameters
        self._stop_seconds_max = stop_seconds_max
        self._models: dict[str, LocalImageModel | ModelLoadError] = {}
        for model_id, folder in models.items():
            self._models[model_id.casefold()] = self._open(model_id, folder)

    def image_model(self, model_id: str) -> LocalImageModel:
        match self._models.get(model_id.casefold()):
            case None:
                raise NoSuchModelError(model_id, available=self.model_ids())
            case ModelLoadError() as error:
                raise ModelLoadError(error.model_id, error.reason)
            case model:
                return model

    def model_ids(self) -> Sequence[str]:
        return [model.card.model_id for model in self._models.values() if isinstance(model, LocalImageModel)]

    async def aclose(self) -> None:
        await self.engine.aclose(self._stop_seconds_max)

    def _open(self, model_id: str, folder: Path) -> LocalImageModel | ModelLoadError:
        try:
            card = read_card(folder, model_id=model_id)
        except ModelLoadError as error:
            logger.error("%s (%s)", error, folder)
            return error
        self.engine.load(LoadModel(model_id=model_id, folder=str(folder), warm_up=_warm_up(card)))
        return LocalImageModel(card, self.engine, png_parameters=self._png_parameters)


class LocalImageModel:
    """A StreamingImageModel. `n` images are n pictures of the engine, which all wait there at once."""

    def __init__(self, card: ModelCard, engine: Engine, *, png_parameters: bool = True) -> None:
        self._card = card
        self._engine = engine
        self._png_parameters = png_parameters

    @property
    def card(self) -> ModelCard:
        return self._card

    def estimate_seconds(self, call: ImageModelCall) -> float:
        return call.n * self._engine.estimate_seconds(to_paint(call, self._card, 0))

    async def do_generate(self, call: ImageModelCall) -> ImageModelResult:
        async with contextlib.aclosing(self.do_stream(call)) as events:
            async for event in events:
                if isinstance(event, ImageFinished):
                    return event.result
        raise NoImageGeneratedError(f"{self._card.model_id} painted nothing")

    async def do_stream(self, call: ImageModelCall) -> AsyncGenerator[ImageEvent, None]:
        inputs = await _inputs(call, self._card)
        paints = [
            msgspec.structs.replace(to_paint(call, self._card, index, inputs), with_parameters=self._png_parameters)
            for index in range(call.n)
        ]
        painted: dict[int, Painted] = {}
        try:
            async with contextlib.aclosing(_merged([self._engine.submit(paint) for paint in paints])) as events:
                async for index, event in events:
                    match event:
                        case Queued(position=position) if index == 0:
                            yield ImageQueued(position)
                        case Step(step=step, steps=steps):
                            yield ImageStep(index, step, steps)
                        case Preview(step=step, data=data, media_type=media_type):
                            yield ImagePreview(index, step, ImageFile(data, media_type))
                        case Painted():
                            painted[index] = event
                        case Cancelled():
                            raise EngineError("the picture was cancelled")
                        case Queued() | Started():
                            pass
            yield ImageFinished(_result(self._card.model_id, paints, [painted[index] for index in range(call.n)]))
        finally:
            # Finished ones are ignored: this is for a caller who is gone, and for the brothers of one that failed.
            for paint in paints:
                self._engine.cancel(paint.request_id)


async def _inputs(call: ImageModelCall, card: ModelCard) -> InputImages:
    if not call.images and call.control_image is None:
        return InputImages()
    return await asyncio.to_thread(input_images, call, card)


_NO_IMAGES = InputImages()


def to_paint(call: ImageModelCall, card: ModelCard, index: int, inputs: InputImages = _NO_IMAGES) -> Paint:
    """Image `index` of a call that was fitted to the card, as a request of its own."""
    assert call.size is not None, "fitting a call sets its size"
    assert call.seed is not None, "the runtime draws a seed"
    assert call.num_inference_steps is not None, "read_card lets no card through without steps"
    true_cfg = card.guidance_means == "true_cfg"
    away = card.negative_prompt_scale if call.negative_prompt else None
    return Paint(
        request_id=uuid.uuid4().hex,
        model_id=card.model_id,
        prompt=call.prompt,
        # Without a negative prompt, if only an empty one, pipelines with true guidance leave it out.
        negative_prompt=call.negative_prompt or ("" if true_cfg else None),
        seed=call.seed + index,
        width=call.size.width,
        height=call.size.height,
        num_inference_steps=call.num_inference_steps,
        guidance_scale=None if true_cfg else call.guidance_scale,
        true_cfg_scale=call.guidance_scale if true_cfg else away,
        max_sequence_length=card.max_sequence_length,
        images=inputs.images,
        mask=inputs.mask,
        control_image=inputs.control_image,
        references_fit=card.references_fit,
        # What a mask leaves open is painted from nothing, where the card does not say how far.
        strength=1.0 if call.strength is None and call.mask is not None else call.strength,
        strict=call.strict,
        output_format=call.output_format,
        output_compression=call.output_compression,
        previews=call.partial_images,
    )


def _warm_up(card: ModelCard) -> Paint:
    bounds = card.num_inference_steps
    assert bounds is not None, "read_card lets no card through without steps"
    # Two steps: some schedules have no numbers for one.
    steps = max(bounds.min, min(2, bounds.max))
    asked = ImageModelCall(prompt="a", seed=0, num_inference_steps=steps)
    call = msgspec.structs.replace(card, requires=()).fit(asked).call
    return to_paint(call, card, 0, _black(call, card))


def _black(call: ImageModelCall, card: ModelCard) -> InputImages:
    """What the card requires, for a picture that nobody sees."""
    assert call.size is not None, "fitting a call sets its size"
    width, height = call.size.width, call.size.height
    picture = InputImage(width=width, height=height, data=bytes(3 * width * height))
    return InputImages(
        images=(picture,) if "images" in card.requires else (),
        mask=InputImage(width=width, height=height, data=bytes(width * height)) if "mask" in card.requires else None,
        control_image=picture if "control_image" in card.requires else None,
    )


async def _merged(streams: Sequence[AsyncIterator[EngineEvent]]) -> AsyncGenerator[tuple[int, EngineEvent], None]:
    """The events of all streams as they come, each with its stream's index."""
    nexts = {asyncio.ensure_future(anext(stream)): index for index, stream in enumerate(streams)}
    try:
        while nexts:
            done, _ = await asyncio.wait(nexts, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=nexts.__getitem__):
                event = task.result()
                index = nexts.pop(task)
                yield index, event
                if not isinstance(event, Painted | Cancelled):
                    nexts[asyncio.ensure_future(anext(streams[index]))] = index
    finally:
        for task in nexts:
            task.cancel()
        await asyncio.gather(*nexts, return_exceptions=True)


def _result(model_id: str, paints: Sequence[Paint], painted: Sequence[Painted]) -> ImageModelResult:
    images = [
        {
            "seed": paint.seed,
            "size": f"{paint.width}x{paint.height}",
            "steps": paint.num_inference_steps,
            "milliseconds": picture.milliseconds,
        }
        for paint, picture in zip(paints, painted, strict=True)
    ]
    return ImageModelResult(
        images=tuple(
            GeneratedImage(picture.data, picture.media_type, paint.seed, Size(paint.width, paint.height))
            for paint, picture in zip(paints, painted, strict=True)
        ),
        model_id=model_id,
        warnings=(*_unread_warnings(painted[0]), *_preview_warnings(painted[0])),
        provider_metadata={"calotype": {"images": images, "made_with": msgspec.to_builtins(painted[0].made_with)}},
        usage=_usage(painted),
    )


def _unread_warnings(picture: Painted) -> tuple[CallWarning, ...]:
    unread = picture.prompt_tokens_unread
    return (CallWarning("other", "prompt", unread_words(unread)),) if unread else ()


def _preview_warnings(picture: Painted) -> tuple[CallWarning, ...]:
    details = "this model does not tell on the way what its pictures will look like"
    return (CallWarning("unsupported", "partial_images", details),) if picture.previews_unsupported else ()


def _usage(painted: Sequence[Painted]) -> ImageUsage:
    """The prompt and the pictures given are read once, whatever the number of pictures painted."""
    text, images = painted[0].prompt_tokens, painted[0].image_tokens
    output = sum(picture.output_tokens for picture in painted)
    return ImageUsage(
        input_tokens=text + images,
        text_tokens=text,
        image_tokens=images,
        output_tokens=output,
        total_tokens=text + images + output,
    )
