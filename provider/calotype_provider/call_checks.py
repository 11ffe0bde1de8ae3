"""What is wrong with a call whatever the model, and what is wrong for a caller who takes no warnings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from calotype_provider.errors import InvalidCallError
from calotype_provider.types import PROMPT_CHARACTERS_MAX, SEED_MAX, CallWarning, CostWarning, ImageModelCall

IMAGES_PER_CALL_MAX = 10
PARTIAL_IMAGES_MAX = 3


def check(call: ImageModelCall) -> None:
    """Raises InvalidCallError for what is wrong with a call whatever the model."""
    if not call.prompt.strip() and not call.images:
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


def refuse_when_strict(call: ImageModelCall, warnings: Sequence[CallWarning]) -> None:
    """Raises InvalidCallError for the first warning of a call that takes none but those of what it costs."""
    told = next((warning for warning in warnings if not isinstance(warning, CostWarning)), None)
    if call.strict and told is not None:
        raise InvalidCallError(f"strict: {told.feature}: {told.details or told.type}", parameter=told.feature)
