"""What the worker tells of a picture that failed -> the error that each of its readers meets."""

from __future__ import annotations

import functools

from calotype_provider.errors import EngineError, InvalidCallError, ModelLoadError
from calotype_provider.local.engine import ModelStats
from calotype_provider.local.mailbox import MakeError
from calotype_provider.local.messages import Failed, Paint
from calotype_provider.local.painted_sizes import PaintedSizes


def failure_of(paint: Paint, failed: Failed, *, model: ModelStats | None, painted_sizes: PaintedSizes) -> MakeError:
    does_not_fit = f"{paint.width}x{paint.height} does not fit in the device's memory"
    match failed.kind:
        case "not_loaded":
            reason = (model and model.reason) or failed.message
            return functools.partial(ModelLoadError, paint.model_id, reason)
        case "invalid":
            return functools.partial(InvalidCallError, failed.message, parameter="prompt")
        case "out_of_memory":
            later = f"{does_not_fit} beside the pictures that are there now; later it may"
            return functools.partial(EngineError, later, is_retryable=True)
        case "too_large":
            return functools.partial(EngineError, f"{does_not_fit}; {painted_sizes.advice(paint)}")
        case "pipeline" | "encoding":
            return functools.partial(EngineError, failed.message)
