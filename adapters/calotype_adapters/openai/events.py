"""The events of a stream in OpenAI's words. Pure: no clock, no base64."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from calotype_adapters.openai.convert import FORMATS, known, to_usage
from calotype_adapters.openai.types import (
    CompletedEvent,
    EventPrefix,
    PartialImageEvent,
    ProgressEvent,
    QueuedEvent,
)
from calotype_adapters.picture_facts import facts_of
from calotype_provider.types import (
    CallWarning,
    ImageModelCall,
    ImageModelResult,
    ImagePreview,
    ImageQueued,
    ImageStep,
    ImageUsage,
)


def to_partial_event(
    preview: ImagePreview,
    *,
    prefix: EventPrefix,
    call: ImageModelCall,
    partial_image_index: int,
    created: int,
    base64: msgspec.Raw,
) -> PartialImageEvent:
    """`call` is the fitted one, which says the size and the quality of the picture to come."""
    return PartialImageEvent(
        type=f"{prefix}.partial_image",
        b64_json=base64,
        partial_image_index=partial_image_index,
        image_index=preview.index,
        created_at=created,
        size=str(call.size),
        quality=call.quality or "auto",
        output_format=FORMATS.get(preview.image.media_type, call.output_format),
    )


def to_progress_event(told: ImageQueued | ImageStep, *, prefix: EventPrefix) -> QueuedEvent | ProgressEvent:
    match told:
        case ImageQueued(position=position, seconds=seconds):
            waiting = UNSET if seconds is None else round(seconds, 1)
            return QueuedEvent(type=f"{prefix}.queued", position=position, seconds=waiting)
        case ImageStep(index=index, step=step, steps=steps):
            return ProgressEvent(type=f"{prefix}.progress", image_index=index, step=step, steps=steps)


def to_completed_event(
    result: ImageModelResult,
    index: int,
    *,
    prefix: EventPrefix,
    call: ImageModelCall,
    created: int,
    base64: msgspec.Raw,
    url: str | None,
    warnings: Iterable[CallWarning] = (),
) -> CompletedEvent:
    """Picture `index` of the result; `warnings` come before the result's own."""
    image = result.images[index]
    facts = facts_of(result)[index]
    usage = result.usage and usage_share(result.usage, index, len(result.images))
    return CompletedEvent(
        type=f"{prefix}.completed",
        b64_json=base64,
        url=UNSET if url is None else url,
        image_index=index,
        seed=image.seed,
        steps=known(facts.steps),
        milliseconds=known(facts.milliseconds),
        model_revision=known(facts.model_revision),
        cost=known(facts.cost),
        model=result.model_id,
        created_at=created,
        size=str(image.size),
        quality=call.quality or "auto",
        output_format=FORMATS.get(image.media_type, call.output_format),
        usage=UNSET if usage is None else to_usage(usage),
        warnings=(*warnings, *result.warnings),
    )


def usage_share(usage: ImageUsage, index: int, images: int) -> ImageUsage:
    """What picture `index` of `images` used: they share what was painted, and the first has read for all."""
    if images == 1:
        return usage
    read = usage.input_tokens if index == 0 or usage.input_tokens is None else 0
    painted = None if usage.output_tokens is None else _share(usage.output_tokens, index, images)
    return ImageUsage(
        input_tokens=read,
        text_tokens=usage.text_tokens if index == 0 or usage.text_tokens is None else 0,
        image_tokens=usage.image_tokens if index == 0 or usage.image_tokens is None else 0,
        output_tokens=painted,
        total_tokens=None if usage.total_tokens is None else (read or 0) + (painted or 0),
    )


def _share(tokens: int, index: int, images: int) -> int:
    """As even as whole numbers can be; the shares add up to `tokens`."""
    return tokens * (index + 1) // images - tokens * index // images
