"""Between OpenAI's words and the abstract call. Pure: no clock, no network, no base64."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from calotype_adapters.openai.types import (
    AskedQuality,
    ImageData,
    ImageEditRequest,
    ImageGenerationRequest,
    ImageRequest,
    ImagesResponse,
    ImageVariationRequest,
    InputTokensDetails,
    Model,
    ModelList,
    Usage,
)
from calotype_adapters.picture_facts import facts_of
from calotype_adapters.pictures import INPUT_IMAGES_MAX, PICTURES_MAX, to_image, to_images
from calotype_adapters.sizes import asked_size
from calotype_provider.call_checks import refuse_when_strict
from calotype_provider.errors import InvalidCallError
from calotype_provider.geometry import parse_aspect_ratio
from calotype_provider.model_card import ModelCard
from calotype_provider.types import (
    MEDIA_TYPES,
    Caller,
    CallWarning,
    ImageFile,
    ImageModelCall,
    ImageModelResult,
    ImageSource,
    ImageUsage,
    OutputFormat,
    Quality,
)

MODEL_ID_CHARACTERS_MAX = 200

Value = TypeVar("Value")

FORMATS: dict[str, OutputFormat] = {media_type: name for name, media_type in MEDIA_TYPES.items()}

_NOBODY = Caller()
_NOT_DONE = {
    "style": "say it in the prompt",
    "moderation": "nothing is moderated here",
    "input_fidelity": "strength says how far an image-to-image model may leave its image",
    "complexity": "nothing is planned before painting",
    "frame_count": "one picture is one frame",
    "frame_duration_ms": "one picture is one frame",
    "svg": "pictures are made of pixels here",
    "markup": "say in the prompt what to change, or give a mask",
}
"""Fields that only OpenAI's own models honour, and what to do instead. `user` and `safety_identifier` ask nothing."""


def to_call(
    request: ImageRequest, *, caller: Caller = _NOBODY, unknown: Sequence[str] = (), strict: bool = False
) -> tuple[ImageModelCall, tuple[CallWarning, ...]]:
    """The call, and what of the request it does not carry. Raises InvalidCallError.

    `unknown` are the names of fields that the request's struct does not have; `strict` is what the headers say of it.
    """
    if request.model is not None and len(request.model) > MODEL_ID_CHARACTERS_MAX:
        raise InvalidCallError(
            f"model must have at most {MODEL_ID_CHARACTERS_MAX} characters, got {len(request.model)}", parameter="model"
        )
    call = ImageModelCall(
        prompt=request.prompt if isinstance(request, ImageGenerationRequest | ImageEditRequest) else "",
        n=1 if request.n is None else request.n,
        size=asked_size(request.size, width=request.width, height=request.height),
        aspect_ratio=None if request.aspect_ratio is None else parse_aspect_ratio(request.aspect_ratio),
        seed=request.seed,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance,
        negative_prompt=request.negative_prompt,
        quality=_quality(request.quality),
        strength=request.strength,
        images=_images(request),
        mask=to_image(request.mask, parameter="mask"),
        control_image=to_image(request.control_image, parameter="control_image"),
        output_format=request.output_format or "png",
        output_compression=request.output_compression,
        partial_images=(request.partial_images or 0) if request.stream else 0,
        strict=strict or bool(request.strict),
        caller=caller,
    )
    warnings = tuple(_warnings(request, unknown))
    refuse_when_strict(call, warnings)
    return call, warnings


def _quality(asked: AskedQuality | None) -> Quality | None:
    """`standard` and `hd` are the words of the retired DALL-E 3."""
    match asked:
        case None | "auto" | "standard":
            return None
        case "hd":
            return "high"
        case _:
            return asked


def _images(request: ImageRequest) -> tuple[ImageFile | ImageSource, ...]:
    images = (
        *to_images(request.image, parameter="images"),
        *to_images(request.input_images, parameter="input_images", pictures_max=INPUT_IMAGES_MAX),
    )
    if len(images) > PICTURES_MAX:
        raise InvalidCallError(f"at most {PICTURES_MAX} pictures, got {len(images)}", parameter="images")
    match request:
        case ImageEditRequest() if not images:
            raise InvalidCallError("image is required: there is nothing to edit", parameter="images")
        case ImageVariationRequest() if len(images) != 1:
            raise InvalidCallError(f"a variation is of one image, got {len(images)}", parameter="images")
        case _:
            return images


def _warnings(request: ImageRequest, unknown: Sequence[str]) -> Iterator[CallWarning]:
    for name, details in _NOT_DONE.items():
        if getattr(request, name) is not None:
            yield CallWarning("unsupported", name, details)
    if request.background == "transparent":
        yield CallWarning("unsupported", "background", "painted opaque")
    if request.partial_images and not request.stream:
        yield CallWarning("unsupported", "partial_images", "they come in a stream: ask for it with stream")
    if request.response_format == "url" and request.stream:
        details = "the events of a stream carry b64_json, and the url beside it"
        yield CallWarning("compatibility", "response_format", details)
    for name in unknown:
        yield CallWarning("unsupported", name, "not a field of this request")


def to_response(
    result: ImageModelResult,
    *,
    created: int,
    base64: Sequence[msgspec.Raw] | None,
    urls: Sequence[str] | None,
    quality: Quality | None = None,
    warnings: Iterable[CallWarning] = (),
) -> ImagesResponse:
    """`base64` and `urls` hold one entry for each picture, or are None where the answer has none.

    `quality` is what was served; `warnings` come before the result's own.
    """
    first = result.images[0] if result.images else None
    return ImagesResponse(
        created=created,
        model=result.model_id,
        data=tuple(
            ImageData(
                b64_json=UNSET if base64 is None else base64[index],
                url=UNSET if urls is None else urls[index],
                seed=image.seed,
                steps=known(facts.steps),
                milliseconds=known(facts.milliseconds),
                model_revision=known(facts.model_revision),
                cost=known(facts.cost),
            )
            for index, (image, facts) in enumerate(zip(result.images, facts_of(result), strict=True))
        ),
        size=UNSET if first is None else str(first.size),
        output_format=UNSET if first is None else FORMATS.get(first.media_type, UNSET),
        quality=quality or "auto",
        usage=UNSET if result.usage is None else to_usage(result.usage),
        warnings=(*warnings, *result.warnings),
    )


def to_usage(usage: ImageUsage) -> Usage:
    details = InputTokensDetails(text_tokens=known(usage.text_tokens), image_tokens=known(usage.image_tokens))
    return Usage(
        input_tokens=known(usage.input_tokens),
        input_tokens_details=UNSET if details == InputTokensDetails() else details,
        output_tokens=known(usage.output_tokens),
        total_tokens=known(usage.total_tokens),
    )


def known(value: Value | None) -> Value | UnsetType:
    """This wire has no nulls: what is not known is left out."""
    return UNSET if value is None else value


def to_model(card: ModelCard, *, created: int) -> Model:
    owner, slash, _ = card.model_id.partition("/")
    return Model(id=card.model_id, created=created, owned_by=owner if slash else "calotype", calotype=card)


def to_model_list(cards: Iterable[ModelCard], *, created: int) -> ModelList:
    return ModelList(data=tuple(to_model(card, created=created) for card in cards))
