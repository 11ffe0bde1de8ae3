"""What one model can do, and how a call is fitted to it: exactly, or with a warning, or not at all."""

from __future__ import annotations

import math
from typing import Annotated, Literal, get_args

import msgspec

from calotype_provider.call_checks import IMAGES_PER_CALL_MAX, check, refuse_when_strict
from calotype_provider.card_ranges import IntegerRange, NumberRange, QualityLevel, SizeRange
from calotype_provider.errors import InvalidCallError
from calotype_provider.geometry import agree, aspect_ratio_of, cropped_pixels, nearest_size, ratio_distance
from calotype_provider.types import (
    AspectRatio,
    CallWarning,
    CostWarning,
    ImageFile,
    ImageModelCall,
    OutputFormat,
    Quality,
    Size,
)

STRENGTH_FINENESS = 1000

GuidanceMeaning = Literal["embedding", "true_cfg", "cfg"]
"""What a model's guidance is: a number the model was distilled on, FLUX's true classifier-free guidance (two forwards a
step), or the classic one."""


Input = Literal["images", "mask", "control_image"]

QUALITIES: tuple[Quality, ...] = get_args(Quality)


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One card per model. `None`, `False` and 0: the model has no such thing, and a call that asks for it is told."""

    model_id: str
    """Its name in requests."""
    description: str = ""
    """In a line."""
    default_size: Size
    """Where neither size, nor ratio, nor picture says another."""
    sizes: tuple[Size, ...] = ()
    """The only sizes it paints; empty where `size_range` says it."""
    size_range: SizeRange | None = None
    """The sizes it paints, where they are not a list."""
    aspect_ratio_max: float = 3.0
    """The most oblong shape served, long side to short; a call beyond it is refused."""
    num_inference_steps: IntegerRange | None = None
    """Denoising steps."""
    guidance_scale: NumberRange | None = None
    """How closely it follows the prompt."""
    guidance_means: GuidanceMeaning | None = None
    """What kind of guidance that is."""
    negative_prompt: bool = False
    """Whether it has one."""
    negative_prompt_scale: Annotated[float, msgspec.Meta(gt=1)] | None = None
    """How far it is led away from one, where its own guidance is an embedding: each step takes two forwards then."""
    seed: bool = True
    """Whether it paints from the caller's seed."""
    qualities: dict[Quality, QualityLevel] = {}
    """A quality that is missing here is served as the next lower one."""
    strength: NumberRange | None = None
    """With `images_max`: the model starts from an image and may leave it so far. Without: it edits by instruction."""
    images_max: int = 0
    """Pictures that it takes."""
    references_fit: bool = False
    """Whether what it edits is brought to the size of the picture first."""
    mask: bool = False
    """Whether it takes one."""
    control_image: bool = False
    """Whether it takes one."""
    requires: tuple[Input, ...] = ()
    """What it does not paint without."""
    output_formats: tuple[OutputFormat, ...] = ("png", "jpeg", "webp")
    """Files that it gives."""
    max_images_per_call: int = IMAGES_PER_CALL_MAX
    """More are asked of it in several calls."""
    max_sequence_length: int | None = None
    """Tokens of the prompt that the model reads."""

    def fit(self, call: ImageModelCall) -> FittedCall:
        """The call as this model can do it, and what differs from what was asked.

        Raises InvalidCallError, naming the parameter, for what no model can do or this one cannot.
        """
        check(call)
        warnings: list[CallWarning] = []
        self._refuse_images(call)
        quality, level = self._fit_quality(call, warnings)
        size = self._fit_size(call, level, warnings)
        steps = self._fit_steps(call, level, warnings)
        fitted = msgspec.structs.replace(
            call,
            size=size,
            aspect_ratio=None,
            num_inference_steps=steps,
            guidance_scale=self._fit_guidance(call, warnings),
            quality=quality,
            strength=self._fit_strength(call, steps, warnings),
            negative_prompt=self._fit_negative_prompt(call, warnings),
            output_compression=self._fit_compression(call, warnings),
        )
        self._note_cropping(call, size, warnings)
        if call.seed is not None and not self.seed:
            warnings.append(CallWarning("unsupported", "seed", f"{self.model_id} draws its own seeds"))
        refuse_when_strict(call, warnings)
        return FittedCall(fitted, tuple(warnings))

    @property
    def edits_by_instruction(self) -> bool:
        """Its images are what the prompt speaks of; they are no start that it leaves by some strength."""
        return self.images_max > 0 and self.strength is None

    def images_cut(self, call: ImageModelCall) -> int:
        """How many of the call's images, from the first on, are cut to the shape of the picture."""
        if self.references_fit:
            return len(call.images)
        return 1 if call.mask or not self.edits_by_instruction else 0

    def _refuse_images(self, call: ImageModelCall) -> None:
        if len(call.images) > self.images_max:
            takes = f"at most {self.images_max} image(s)" if self.images_max else "no image to start from"
            raise InvalidCallError(f"{self.model_id} takes {takes}, got {len(call.images)}", parameter="images")
        if call.mask is not None and not self.mask:
            raise InvalidCallError(f"{self.model_id} takes no mask", parameter="mask")
        if call.mask is not None and not call.images:
            raise InvalidCallError("a mask says what of an image is painted anew: there is no image", parameter="mask")
        if call.control_image is not None and not self.control_image:
            raise InvalidCallError(f"{self.model_id} takes no control image", parameter="control_image")
        given: dict[Input, object] = {"images": call.images, "mask": call.mask, "control_image": call.control_image}
        for name in self.requires:
            if not given[name]:
                raise InvalidCallError(f"{self.model_id} paints only with {_INPUT_NAMES[name]}", parameter=name)
        if call.output_format not in self.output_formats:
            raise InvalidCallError(
                f"{self.model_id} gives {', '.join(self.output_formats)}, not {call.output_format}",
                parameter="output_format",
            )
        if not call.prompt.strip() and self.edits_by_instruction:
            raise InvalidCallError(f"{self.model_id} needs a prompt that says what to change", parameter="prompt")
        _refuse_unlike_mask(call)

    def _fit_quality(
        self, call: ImageModelCall, warnings: list[CallWarning]
    ) -> tuple[Quality | None, QualityLevel | None]:
        if call.quality is None:
            return None, None
        # The least first, so that the last one that is not above what was asked is the nearest.
        lower = [quality for quality in QUALITIES[: QUALITIES.index(call.quality) + 1] if quality in self.qualities]
        if not lower:
            warnings.append(self._unsupported("quality"))
            return None, None
        served = lower[-1]
        if served != call.quality:
            details = f"{self.model_id} has no quality above {served!r}, which it was painted at"
            warnings.append(CallWarning("compatibility", "quality", details))
        return served, self.qualities[served]

    def _fit_size(self, call: ImageModelCall, level: QualityLevel | None, warnings: list[CallWarning]) -> Size:
        asked = call.size or call.aspect_ratio
        pixels = (level and level.pixels) or self.default_size.pixels
        if asked is None:
            return self._own_size(call, pixels)
        parameter = "size" if call.size else "aspect_ratio"
        if call.size and call.aspect_ratio and not agree(call.size, call.aspect_ratio):
            raise InvalidCallError(
                f"size {call.size} and aspect_ratio {call.aspect_ratio} contradict each other", parameter="aspect_ratio"
            )
        if call.size and (call.size in self.sizes or (self.size_range and self.size_range.holds(call.size))):
            return call.size
        served = self._nearest(asked, pixels=call.size.pixels if call.size else pixels)
        if served is None or ratio_distance(asked, Size(1, 1)) > math.log(self.aspect_ratio_max) + 1e-9:
            raise InvalidCallError(
                f"{self.model_id} paints shapes up to {self.aspect_ratio_max:g}:1, got {asked}", parameter=parameter
            )
        if call.size or ratio_distance(asked, served) > 1e-9:
            shape = f"{served} ({aspect_ratio_of(served)})"
            warnings.append(CallWarning("compatibility", parameter, f"asked for {asked}, painted at {shape}"))
        return served

    def _own_size(self, call: ImageModelCall, pixels: int) -> Size:
        """Nothing was asked: the shape of the image given, or else the default."""
        start = _shape_of(call)
        if start is None and pixels == self.default_size.pixels:
            return self.default_size
        return self._nearest(start or self.default_size, pixels=pixels) or self.default_size

    def _note_cropping(self, call: ImageModelCall, size: Size, warnings: list[CallWarning]) -> None:
        """What starts from an image or is led by one is painted over the middle of it."""
        for image in (*call.images[: self.images_cut(call)], call.control_image):
            if isinstance(image, ImageFile) and image.size and cropped_pixels(image.size, size) > 1:
                parameter = "control_image" if image is call.control_image else "images"
                details = f"{image.size} was cropped to the shape of the picture, {size}"
                warnings.append(CallWarning("compatibility", parameter, details))

    def _nearest(self, ratio: Size | AspectRatio, *, pixels: int) -> Size | None:
        if self.sizes:
            return nearest_size(self.sizes, ratio=ratio, pixels=pixels)
        if self.size_range:
            return self.size_range.nearest(ratio, pixels=pixels)
        return self.default_size

    def _fit_steps(self, call: ImageModelCall, level: QualityLevel | None, warnings: list[CallWarning]) -> int | None:
        steps, bounds = call.num_inference_steps, self.num_inference_steps
        if steps is None and bounds is not None and level is not None:
            return level.num_inference_steps or bounds.default
        if steps is None or bounds is None:
            if steps is not None:
                warnings.append(self._unsupported("num_inference_steps"))
            return None if bounds is None else bounds.default
        if not bounds.min <= steps <= bounds.max:
            raise InvalidCallError(
                f"num_inference_steps must be from {bounds.min} to {bounds.max} for {self.model_id}, got {steps}",
                parameter="num_inference_steps",
            )
        return steps

    def _fit_guidance(self, call: ImageModelCall, warnings: list[CallWarning]) -> float | None:
        return self._fit_number("guidance_scale", call.guidance_scale, self.guidance_scale, warnings)

    def _fit_strength(self, call: ImageModelCall, steps: int | None, warnings: list[CallWarning]) -> float | None:
        bounds = self.strength if call.images else None
        # What a mask leaves open follows the prompt alone, unless somebody says how much of it should stay.
        whole = call.strength is None and call.mask is not None and bounds is not None
        strength = bounds.max if whole and bounds else self._fit_number("strength", call.strength, bounds, warnings)
        if strength is not None and call.strength is None and steps is not None:
            # Few steps, of which the card's own strength would leave none: at least one.
            return max(strength, math.ceil(STRENGTH_FINENESS / steps) / STRENGTH_FINENESS)
        if strength is not None and int((steps or 1) * strength) < 1:
            # Pipelines make the last `steps * strength` of their steps.
            raise InvalidCallError(
                f"strength {strength:g} of {steps} steps is no step at all: the image would come back as it is",
                parameter="strength",
            )
        return strength

    def _fit_number(
        self, parameter: str, value: float | None, bounds: NumberRange | None, warnings: list[CallWarning]
    ) -> float | None:
        if value is None or bounds is None:
            if value is not None:
                warnings.append(self._unsupported(parameter))
            return None if bounds is None else bounds.default
        # Written so that not-a-number is refused too.
        if not bounds.min <= value <= bounds.max:
            raise InvalidCallError(
                f"{parameter} must be from {bounds.min:g} to {bounds.max:g} for {self.model_id}, got {value}",
                parameter=parameter,
            )
        return value

    def _fit_negative_prompt(self, call: ImageModelCall, warnings: list[CallWarning]) -> str | None:
        if call.negative_prompt and not self.negative_prompt:
            warnings.append(self._unsupported("negative_prompt"))
        elif call.negative_prompt and self.negative_prompt_scale is not None:
            details = "each step takes two forwards with it: the picture takes about twice as long"
            warnings.append(CostWarning("other", "negative_prompt", details))
        return call.negative_prompt if self.negative_prompt else None

    def _fit_compression(self, call: ImageModelCall, warnings: list[CallWarning]) -> int | None:
        if call.output_compression is not None and call.output_format == "png":
            warnings.append(CallWarning("unsupported", "output_compression", "PNG is lossless; use jpeg or webp"))
            return None
        return call.output_compression

    def _unsupported(self, feature: str) -> CallWarning:
        return CallWarning("unsupported", feature, f"{self.model_id} does not use it")


class FittedCall(msgspec.Struct, frozen=True):
    """A call that its model can do to the letter, and what to tell the caller about it."""

    call: ImageModelCall
    warnings: tuple[CallWarning, ...]


_INPUT_NAMES: dict[Input, str] = {"images": "an image", "mask": "a mask", "control_image": "a control image"}


def _shape_of(call: ImageModelCall) -> Size | None:
    images = (*call.images[:1], *((call.control_image,) if call.control_image else ()))
    return next((image.size for image in images if isinstance(image, ImageFile)), None)


def _refuse_unlike_mask(call: ImageModelCall) -> None:
    mask, image = call.mask, call.images[0] if call.images else None
    if not isinstance(mask, ImageFile) or not isinstance(image, ImageFile) or mask.size is None or image.size is None:
        return
    if not agree(mask.size, image.size):
        raise InvalidCallError(
            f"the mask ({mask.size}) must have the shape of the image ({image.size})", parameter="mask"
        )
