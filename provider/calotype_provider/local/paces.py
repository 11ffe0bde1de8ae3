"""What a picture's steps cost on a device of its own, by what the worker's table says of others. Pure arithmetic."""

from __future__ import annotations

import msgspec

from calotype_provider.local.messages import Paint

SECONDS_PER_PICTURE_GUESS = 1.0
"""Before anything is known of a model."""

SHAPES_MAX = 256
"""Kept at once, over all models; the one told of longest ago goes first."""


class Paces:
    """Seconds per call of the denoiser, exact for what was told of before. Others are scaled by pixels: attention grows
    faster than pixels do, but a queue needs no more than this.
    """

    def __init__(self) -> None:
        self._seconds_per_call: dict[_Shape, float] = {}

    def learn(self, paint: Paint, seconds: float) -> None:
        """All calls of this picture together cost so much, each of them alone."""
        shape = _shape(paint)
        self._seconds_per_call.pop(shape, None)
        self._seconds_per_call[shape] = seconds / _calls(paint)
        if len(self._seconds_per_call) > SHAPES_MAX:
            del self._seconds_per_call[next(iter(self._seconds_per_call))]

    def forget(self, model_id: str) -> None:
        kept = {shape: pace for shape, pace in self._seconds_per_call.items() if shape.model_id != model_id}
        self._seconds_per_call = kept

    def estimate_seconds(self, paint: Paint) -> float:
        shape = _shape(paint)
        if shape in self._seconds_per_call:
            return self._seconds_per_call[shape] * _calls(paint)
        known = [other for other in self._seconds_per_call if other.model_id == shape.model_id]
        if not known:
            return SECONDS_PER_PICTURE_GUESS
        nearest = min(known, key=shape.distance)
        return self._seconds_per_call[nearest] * shape.pixels / nearest.pixels * _calls(paint)


def calls_per_step(paint: Paint) -> int:
    """FLUX's and Qwen-Image's true guidance asks the denoiser twice a step, the second time without the prompt."""
    return 2 if (paint.true_cfg_scale or 0.0) > 1.0 else 1


class _Shape(msgspec.Struct, frozen=True):
    """What the cost of a call depends on."""

    model_id: str
    width: int
    height: int
    pictures_given: int
    """Where a model reads them as tokens, every one of them makes a call longer."""

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def distance(self, other: _Shape) -> tuple[int, int]:
        return abs(self.pictures_given - other.pictures_given), abs(self.pixels - other.pixels)


def _shape(paint: Paint) -> _Shape:
    given = len(paint.images) + (paint.control_image is not None)
    return _Shape(paint.model_id, paint.width, paint.height, given)


def _calls(paint: Paint) -> float:
    """As far as the request tells: a solver of the second order makes about twice as many, which the pace has in it."""
    # A picture that begins with another one takes the last part of its steps.
    steps = paint.num_inference_steps * (1.0 if paint.strength is None else paint.strength)
    return max(1.0, steps) * calls_per_step(paint)
