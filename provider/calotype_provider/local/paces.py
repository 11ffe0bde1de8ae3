"""How fast each model paints, learnt from the pictures it has painted. Pure arithmetic."""

from __future__ import annotations

from calotype_provider.local.messages import Paint

SECONDS_PER_PICTURE_GUESS = 1.0
"""Before anything is known of a model."""

NEWEST_SHARE = 0.2
"""How much the newest picture counts; all older ones share the rest."""


class Paces:
    """Seconds per model, step and pixel: attention grows faster than pixels do, but a queue needs no more than this."""

    def __init__(self) -> None:
        self._seconds_per_step_pixel: dict[str, float] = {}

    def learn(self, paint: Paint, seconds: float) -> None:
        pace = seconds / _step_pixels(paint)
        known = self._seconds_per_step_pixel.get(paint.model_id, pace)
        self._seconds_per_step_pixel[paint.model_id] = known + NEWEST_SHARE * (pace - known)

    def estimate_seconds(self, paint: Paint) -> float:
        pace = self._seconds_per_step_pixel.get(paint.model_id)
        return SECONDS_PER_PICTURE_GUESS if pace is None else pace * _step_pixels(paint)


def _step_pixels(paint: Paint) -> int:
    return paint.num_inference_steps * paint.width * paint.height
