"""Between the AI SDK's words and the abstract call. Pure: no clock, no network, no base64."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from calotype_adapters.picture_facts import facts_of
from calotype_adapters.pictures import INPUT_IMAGES_MAX, PICTURES_MAX, to_image, to_images
from calotype_adapters.sizes import asked_size
from calotype_adapters.vercel.names import wire_name
from calotype_adapters.vercel.options import read_options
from calotype_adapters.vercel.types import (
    AskedQuality,
    CalotypeOptions,
    FileInput,
    GatewayConfig,
    GatewayImageRequest,
    GatewayImageResponse,
    GatewayModel,
    GatewayUsage,
    GatewayWarning,
    ImageMetadata,
    ModelSpecification,
    PictureInput,
    SpecVersion,
)
from calotype_provider.call_checks import refuse_when_strict
from calotype_provider.errors import InvalidCallError
from calotype_provider.geometry import parse_aspect_ratio
from calotype_provider.model_card import ModelCard
from calotype_provider.types import (
    Caller,
    CallWarning,
    ImageFile,
    ImageModelCall,
    ImageModelResult,
    ImageSource,
    ImageUsage,
    Quality,
)

_NOBODY = Caller()


def to_call(
    request: GatewayImageRequest, *, caller: Caller = _NOBODY, unknown: Sequence[str] = (), strict: bool = False
) -> tuple[ImageModelCall, tuple[CallWarning, ...]]:
    """The call, and what of the request it does not carry. Raises InvalidCallError.

    `unknown` are the names of fields that the request's struct does not have; `strict` is what the headers say of it.
    """
    options, option_warnings = read_options(request.provider_options)
    call = ImageModelCall(
        prompt=request.prompt,
        n=1 if request.n is None else request.n,
        size=asked_size(request.size, width=None, height=None),
        aspect_ratio=None if request.aspect_ratio is None else parse_aspect_ratio(request.aspect_ratio),
        seed=request.seed,
        num_inference_steps=options.num_inference_steps,
        guidance_scale=options.guidance,
        negative_prompt=options.negative_prompt,
        quality=_quality(options.quality),
        strength=options.strength,
        images=_images(request.files or (), options),
        mask=None if request.mask is None else _picture(request.mask, parameter="mask"),
        control_image=to_image(options.control_image, parameter="control_image"),
        output_format=options.output_format or "png",
        output_compression=options.output_compression,
        strict=strict or bool(options.strict),
        caller=caller,
    )
    warnings = (
        *option_warnings,
        *(CallWarning("unsupported", name, "not a field of this request") for name in unknown),
    )
    refuse_when_strict(call, warnings)
    return call, warnings


def _images(files: Sequence[PictureInput], options: CalotypeOptions) -> tuple[ImageFile | ImageSource, ...]:
    images = (
        *(_picture(file, parameter="images") for file in files),
        *to_images(options.input_images, parameter="input_images", pictures_max=INPUT_IMAGES_MAX),
    )
    if len(images) > PICTURES_MAX:
        raise InvalidCallError(f"at most {PICTURES_MAX} pictures, got {len(images)}", parameter="images")
    return images


def _picture(given: PictureInput, *, parameter: str) -> ImageSource:
    return ImageSource(given.data if isinstance(given, FileInput) else given.url, parameter)


def _quality(asked: AskedQuality | None) -> Quality | None:
    """`standard` and `hd` are words of OpenAI's older models."""
    match asked:
        case None | "auto" | "standard":
            return None
        case "hd":
            return "high"
        case _:
            return asked


def to_response(
    result: ImageModelResult,
    *,
    base64: Sequence[msgspec.Raw],
    spec: SpecVersion,
    request_id: str,
    warnings: Iterable[CallWarning] = (),
) -> GatewayImageResponse:
    """`base64` holds one entry for each picture; `warnings` come before the result's own."""
    return GatewayImageResponse(
        images=tuple(base64),
        warnings=to_warnings((*warnings, *result.warnings), spec=spec),
        provider_metadata=_metadata(result, request_id),
        usage=UNSET if result.usage is None else _usage(result.usage),
    )


def to_empty_response(message: str) -> GatewayImageResponse:
    """No picture came, and none would: clients would ask three times. It becomes their NoImageGeneratedError."""
    return GatewayImageResponse(images=(), warnings=(GatewayWarning("other", message=message),), is_retryable=False)


def to_warnings(warnings: Iterable[CallWarning], *, spec: SpecVersion) -> tuple[GatewayWarning, ...]:
    return tuple(_warning(warning, spec) for warning in warnings)


def _warning(warning: CallWarning, spec: SpecVersion) -> GatewayWarning:
    feature = wire_name(warning.feature)
    match warning.type:
        case "unsupported" | "compatibility" if spec != "v2":
            details = UNSET if warning.details is None else warning.details
            return GatewayWarning(warning.type, feature=feature, details=details)
        case "deprecated" if spec == "v4":
            return GatewayWarning("deprecated", setting=feature, message=warning.details or "it is deprecated")
        case "other" | "compatibility":
            told = warning.details or "not exactly as asked"
        case kind:
            told = kind if warning.details is None else f"{kind}: {warning.details}"
    return GatewayWarning("other", message=f"{feature}: {told}")


def _metadata(result: ImageModelResult, request_id: str) -> dict[str, Any]:
    """Clients keep `images` alone of every entry but `gateway`, and fail on one without it."""
    others = {
        name: entry
        for name, entry in result.provider_metadata.items()
        if name not in ("calotype", "gateway") and isinstance(entry.get("images"), list)
    }
    images = _images_metadata(result)
    gateway: dict[str, Any] = {"requestId": request_id, "model": result.model_id}
    if (cost := _sum_of_costs(images)) is not None:
        gateway["cost"] = cost
    return {**others, "calotype": {"images": images}, "gateway": gateway}


def _images_metadata(result: ImageModelResult) -> tuple[ImageMetadata, ...]:
    return tuple(
        ImageMetadata(
            seed=image.seed,
            size=str(image.size),
            media_type=image.media_type,
            model=result.model_id,
            steps=facts.steps,
            milliseconds=facts.milliseconds,
            model_revision=facts.model_revision,
            cost=facts.cost,
        )
        for image, facts in zip(result.images, facts_of(result), strict=True)
    )


def _sum_of_costs(images: Sequence[ImageMetadata]) -> str | None:
    """As a decimal string, which AI SDK 7 adds up over calls; None where one is not known."""
    costs = [Decimal(image.cost) for image in images if image.cost is not None]
    return f"{sum(costs):f}" if len(costs) == len(images) else None


def _usage(usage: ImageUsage) -> GatewayUsage:
    return GatewayUsage(_counted(usage.input_tokens), _counted(usage.output_tokens), _counted(usage.total_tokens))


def _counted(tokens: int | None) -> int | UnsetType:
    return UNSET if tokens is None else tokens


def to_config(cards: Iterable[ModelCard], *, spec: SpecVersion) -> GatewayConfig:
    return GatewayConfig(models=tuple(_models(cards, spec)))


def _models(cards: Iterable[ModelCard], spec: SpecVersion) -> Iterator[GatewayModel]:
    for card in cards:
        owner, slash, _ = card.model_id.partition("/")
        yield GatewayModel(
            id=card.model_id,
            name=card.model_id,
            description=card.description or UNSET,
            specification=ModelSpecification(
                specification_version=spec, provider=owner if slash else "calotype", model_id=card.model_id
            ),
        )
