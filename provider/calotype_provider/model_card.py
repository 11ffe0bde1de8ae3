"""What one model can do, and how a call is fitted to it: exactly, or with a warning, or not at all."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from calotype_provider.errors import InvalidCallError
from calotype_provider.geometry import agree, aspect_ratio_of, nearest_size, ratio_distance, size_for
from calotype_provider.types import (
    PROMPT_CHARACTERS_MAX,
    SEED_MAX,
    AspectRatio,
    CallWarning,
    ImageModelCall,
    OutputFormat,
    Size,
)

IMAGES_PER_CALL_MAX = 10
PARTIAL_IMAGES_MAX = 3

GuidanceMeaning = Literal["embedding", "true_cfg", "cfg"]
"""What a model's guidance is: a number the model was distilled on, FLUX's true classifier-free guidance (two forwards a
step), or the classic one."""


class IntegerRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    min: int
    max: int
    default: int


class NumberRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    min: float
    max: float
    default: float


class SizeRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every size whose sides are multiples of `multiple_of` from `side_min` to `side_max`, `pixels_max` in all."""

    multiple_of: int
    side_min: int
    side_max: int
    pixels_max: int

    def holds(self, size: Size) -> bool:
        sides = (size.width, size.height)
        return size.pixels <= self.pixels_max and all(
            self.side_min <= side <= self.side_max and side % self.multiple_of == 0 for side in sides
        )

    def nearest(self, ratio: Size | AspectRatio, *, pixels: int) -> Size | None:
        return size_for(
            ratio,
            pixels=min(pixels, self.pixels_max),
            multiple_of=self.multiple_of,
            side_min=self.side_min,
            side_max=self.side_max,
            pixels_max=self.pixels_max,
        )


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One card per model. `None`, `False` and 0: the model has no such thing, and a call that asks for it is told."""

    model_id: str
    description: str = ""
    default_size: Size
    sizes: tuple[Size, ...] = ()
    """The only sizes it paints; empty where `size_range` says it."""
    size_range: SizeRange | None = None
    aspect_ratio_max: float = 3.0
    """The most oblong shape served, long side to short; a call beyond it is refused."""
    num_inference_steps: IntegerRange | None = None
    guidance_scale: NumberRange | None = None
    guidance_means: GuidanceMeaning | None = None
    negative_prompt: bool = False
    seed: bool = True
    strength: NumberRange | None = None
    images_max: int = 0
    mask: bool = False
    control_image: bool = False
    output_formats: tuple[OutputFormat, ...] = ("png", "jpeg", "webp")
    max_images_per_call: int = IMAGES_PER_CALL_MAX
    max_sequence_length: int | None = None
    """Tokens of the prompt that the model reads."""

    def fit(self, call: ImageModelCall) -> FittedCall:
        """The call as this model can do it, and what differs from what was asked.

        Raises InvalidCallError, naming the parameter, for what no model can do or this one cannot.
        """
        check(call)
        warnings: list[CallWarning] = []
        self._refuse_images(call)
        fitted = msgspec.structs.replace(
            call,
            size=self._fit_size(call, warnings),
            aspect_ratio=None,
            num_inference_steps=self._fit_steps(call, warnings),
            guidance_scale=self._fit_guidance(call, warnings),
            strength=self._fit_strength(call, warnings),
            negative_prompt=self._fit_negative_prompt(call, warnings),
            output_compression=self._fit_compression(call, warnings),
        )
        if call.seed is not None and not self.seed:
            warnings.append(CallWarning("unsupported", "seed", f"{self.model_id} draws its own seeds"))
        return FittedCall(fitted, tuple(warnings))

    def _refuse_images(self, call: ImageModelCall) -> None:
        if len(call.images) > self.images_max:
            takes = f"at most {self.images_max} images" if self.images_max else "no image to start from"
            raise InvalidCallError(f"{self.model_id} takes {takes}, got {len(call.images)}", parameter="images")
        if call.mask is not None and not self.mask:
            raise InvalidCallError(f"{self.model_id} takes no mask", parameter="mask")
        if call.control_image is not None and not self.control_image:
            raise InvalidCallError(f"{self.model_id} takes no control image", parameter="control_image")
        if call.output_format not in self.output_formats:
            raise InvalidCallError(
                f"{self.model_id} gives {', '.join(self.output_formats)}, not {call.output_format}",
                parameter="output_format",
            )

    def _fit_size(self, call: ImageModelCall, warnings: list[CallWarning]) -> Size:
        asked = call.size or call.aspect_ratio
        if asked is None:
            return self.default_size
        parameter = "size" if call.size else "aspect_ratio"
        if call.size and call.aspect_ratio and not agree(call.size, call.aspect_ratio):
            raise InvalidCallError(
                f"size {call.size} and aspect_ratio {call.aspect_ratio} contradict each other", parameter="aspect_ratio"
            )
        if call.size and (call.size in self.sizes or (self.size_range and self.size_range.holds(call.size))):
            return call.size
        served = self._nearest(asked, pixels=(call.size or self.default_size).pixels)
        if served is None or ratio_distance(asked, Size(1, 1)) > math.log(self.aspect_ratio_max) + 1e-9:
            raise InvalidCallError(
                f"{self.model_id} paints shapes up to {self.aspect_ratio_max:g}:1, got {asked}", parameter=parameter
            )
        if call.size or ratio_distance(asked, served) > 1e-9:
            shape = f"{served} ({aspect_ratio_of(served)})"
            warnings.append(CallWarning("compatibility", parameter, f"asked for {asked}, painted at {shape}"))
        return served

    def _nearest(self, ratio: Size | AspectRatio, *, pixels: int) -> Size | None:
        if self.sizes:
            return nearest_size(self.sizes, ratio=ratio, pixels=pixels)
        if self.size_range:
            return self.size_range.nearest(ratio, pixels=pixels)
        return self.default_size

    def _fit_steps(self, call: ImageModelCall, warnings: list[CallWarning]) -> int | None:
        steps, bounds = call.num_inference_steps, self.num_inference_steps
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

    def _fit_strength(self, call: ImageModelCall, warnings: list[CallWarning]) -> float | None:
        bounds = self.strength if call.images else None
        return self._fit_number("strength", call.strength, bounds, warnings)

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


def check(call: ImageModelCall) -> None:
    """Raises InvalidCallError for what is wrong with a call whatever the model."""
    if not call.prompt.strip():
        raise InvalidCallError("prompt must not be empty", parameter="prompt")
    _check_text("prompt", call.prompt)
    _check_text("negative_prompt", call.negative_prompt or "")
    _check_integer("n", call.n, 1, IMAGES_PER_CALL_MAX)
    _check_integer("num_inference_steps", call.num_inference_steps, 1, None)
    _check_integer("output_compression", call.output_compression, 0, 100)
    _check_integer("partial_images", call.partial_images, 0, PARTIAL_IMAGES_MAX)
    _check_integer("seed", call.seed, 0, SEED_MAX)
    if call.seed is not None and call.seed + call.n - 1 > SEED_MAX:
        raise InvalidCallError(
            f"image k has the seed {call.seed} + k, which must not pass {SEED_MAX}: n is {call.n}", parameter="seed"
        )
    if call.guidance_scale is not None and not (math.isfinite(call.guidance_scale) and call.guidance_scale >= 0):
        raise InvalidCallError(
            f"guidance_scale must be a number from 0 up, got {call.guidance_scale}", parameter="guidance_scale"
        )
    if call.strength is not None and not 0 <= call.strength <= 1:
        raise InvalidCallError(f"strength must be from 0 to 1, got {call.strength}", parameter="strength")


def _check_text(parameter: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidCallError(f"{parameter} holds half a character: {error.reason}", parameter=parameter) from error
    if len(text) > PROMPT_CHARACTERS_MAX:
        raise InvalidCallError(
            f"{parameter} must have at most {PROMPT_CHARACTERS_MAX} characters, got {len(text)}", parameter=parameter
        )


def _check_integer(parameter: str, value: int | None, low: int, high: int | None) -> None:
    if value is not None and (value < low or (high is not None and value > high)):
        bounds = f"from {low} to {high}" if high is not None else f"at least {low}"
        raise InvalidCallError(f"{parameter} must be {bounds}, got {value}", parameter=parameter)
