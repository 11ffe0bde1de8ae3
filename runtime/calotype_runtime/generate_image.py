"""The conductor: fit the call to the card, draw the seed, admit, split by max_images_per_call, call, merge."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from calotype_provider.call_checks import refuse_when_strict
from calotype_provider.errors import NoImageGeneratedError
from calotype_provider.image_model import EstimatesSeconds, ImageModel, StreamingImageModel
from calotype_provider.model_card import FittedCall
from calotype_provider.types import (
    MEDIA_TYPES,
    CallWarning,
    ImageEvent,
    ImageFinished,
    ImageModelCall,
    ImageModelResult,
    ImagePreview,
    ImageQueued,
    ImageStep,
    ImageUsage,
)
from calotype_runtime.queue import AdmissionQueue, Place

DRAWN_SEED_BITS = 32
"""Short enough to read out; far below the bound, so that seed + k never passes it."""

Tell = Callable[[ImageEvent], None]


async def generate_image(
    model: ImageModel,
    fitted: FittedCall,
    *,
    queue: AdmissionQueue,
    placed: Callable[[Place], None] | None = None,
    admitted: Callable[[float], None] | None = None,
    tell: Tell | None = None,
    wait_seconds_max: float | None = None,
) -> ImageModelResult:
    """Paint a call that `fit` made and whose pictures are files.

    `placed` is told where the call stands when it comes, `admitted` the seconds that it waited for its turn.
    `tell` is told how far the pictures are, each by its index in the whole call. It is called by whatever paints, and
    not by a generator of events, which could be left half way with its place in the queue.
    Raises errors of `calotype_provider.errors`; cancelling stops the work.
    """
    call = fitted.call
    slot = queue.slot(
        caller=call.caller.name,
        cost_seconds=estimate_seconds(model, call),
        wait_seconds_max=wait_seconds_max,
        placed=placed,
    )
    async with slot as wait_seconds:
        if admitted:
            admitted(wait_seconds)
        results = await _generate_all(model, split(call, model.card.max_images_per_call), tell)
    result = merge(results, asked=call, warnings=fitted.warnings)
    refuse_when_strict(call, result.warnings)
    return result


def estimate_seconds(model: ImageModel, call: ImageModelCall) -> float:
    """About how long a fitted call will hold its device."""
    # A model that cannot say counts a second an image: only the proportion between callers matters.
    return model.estimate_seconds(call) if isinstance(model, EstimatesSeconds) else float(call.n)


def fit(model: ImageModel, call: ImageModelCall) -> FittedCall:
    """The call as the model can do it, its seed drawn, and what differs from what was asked."""
    fitted = _fit_previews(model, model.card.fit(call))
    if fitted.call.seed is not None or not model.card.seed:
        return fitted
    seed = secrets.randbits(DRAWN_SEED_BITS)
    return msgspec.structs.replace(fitted, call=msgspec.structs.replace(fitted.call, seed=seed))


def _fit_previews(model: ImageModel, fitted: FittedCall) -> FittedCall:
    if not fitted.call.partial_images or isinstance(model, StreamingImageModel):
        return fitted
    told = CallWarning("unsupported", "partial_images", f"{model.card.model_id} does not show what it is painting")
    warnings = (*fitted.warnings, told)
    refuse_when_strict(fitted.call, warnings)
    return FittedCall(msgspec.structs.replace(fitted.call, partial_images=0), warnings)


def split(call: ImageModelCall, images_per_call_max: int) -> list[ImageModelCall]:
    """Calls of at most `images_per_call_max` images, whose seeds go on where the one before ended."""
    return [
        msgspec.structs.replace(
            call,
            n=min(images_per_call_max, call.n - offset),
            seed=None if call.seed is None else call.seed + offset,
        )
        for offset in range(0, call.n, images_per_call_max)
    ]


async def _generate_all(
    model: ImageModel, calls: Sequence[ImageModelCall], tell: Tell | None
) -> list[ImageModelResult]:
    offsets = [sum(call.n for call in calls[:index]) for index in range(len(calls))]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_generate_part(model, call, offset, tell))
                for call, offset in zip(calls, offsets, strict=True)
            ]
    except BaseExceptionGroup as failures:
        # The rest was cancelled with the first; a caller wants that one error, not a group.
        raise failures.exceptions[0] from failures.exceptions[0].__cause__
    return [task.result() for task in tasks]


async def _generate_part(model: ImageModel, call: ImageModelCall, offset: int, tell: Tell | None) -> ImageModelResult:
    """`offset` images of the whole call come before this part's."""
    if tell is None or not isinstance(model, StreamingImageModel):
        return await model.do_generate(call)
    finished: ImageModelResult | None = None
    async for event in model.do_stream(call):
        match event:
            case ImageFinished(result=result):
                finished = result
            case ImageQueued():
                if offset == 0:
                    tell(event)
            case ImageStep() | ImagePreview():
                tell(msgspec.structs.replace(event, index=event.index + offset))
    if finished is None:
        raise NoImageGeneratedError(f"{model.card.model_id} ended without a picture")
    return finished


def merge(
    results: Sequence[ImageModelResult], *, asked: ImageModelCall, warnings: Iterable[CallWarning]
) -> ImageModelResult:
    """One result of several. Raises NoImageGeneratedError when no picture came; says so when fewer came than asked."""
    images = tuple(image for result in results for image in result.images)
    if not images:
        raise NoImageGeneratedError("the model answered without a picture")
    for image in images:
        if image.media_type not in MEDIA_TYPES.values():
            raise NoImageGeneratedError(f"the model answered with {image.media_type[:80]!r}, which is no picture here")
    told = [*warnings, *(warning for result in results for warning in result.warnings)]
    if len(images) < asked.n:
        told.append(CallWarning("other", "n", f"asked for {asked.n} images, {len(images)} came"))
    return ImageModelResult(
        images=images,
        model_id=results[0].model_id,
        warnings=tuple(dict.fromkeys(told)),
        provider_metadata=_merged_metadata([result.provider_metadata for result in results]),
        usage=_summed_usage([result.usage for result in results]),
    )


def _merged_metadata(metadata: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Each provider's `images` lists joined; of everything else the first call's word."""
    merged: dict[str, Any] = {}
    for entry in metadata:
        for name, values in entry.items():
            known = merged.setdefault(name, {**values, "images": []})
            known["images"] = [*known["images"], *values.get("images", [])]
    return merged


def _summed_usage(usages: Sequence[ImageUsage | None]) -> ImageUsage | None:
    counted = [usage for usage in usages if usage is not None]
    if not counted:
        return None
    names = ImageUsage.__struct_fields__
    return ImageUsage(**{name: _sum(getattr(usage, name) for usage in counted) for name in names})


def _sum(counts: Iterable[int | None]) -> int | None:
    """The sum of what was counted; None when nothing was."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
