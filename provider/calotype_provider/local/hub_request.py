"""What the hub is asked for, and who hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch


class RequestCancelled(BaseException):
    """Raised into a pipeline between two steps. No Exception, so that no pipeline takes it for a fault and goes on."""


@dataclass(frozen=True, eq=False, kw_only=True)
class HubRequest:
    request_id: str
    model_id: str
    pipeline: Any
    """As loaded, or a sibling over the same weights (`sibling_of`)."""
    arguments: Mapping[str, Any]
    """Of the pipeline's `__call__`; the generator among them is this request's alone."""
    exact: bool = False
    """Never share a forward: bit-equal to the plain pipeline on every device, in every dtype."""
    previews: int = 0
    """How many on the way, evenly spread over the steps."""


class Listener(Protocol):
    """Hears of one request, on the engine's thread. What `on_step` and `on_preview` raise ends the request."""

    def on_begin(self) -> None:
        """Its pipeline is called now."""

    def on_step(self, step: int, steps: int) -> None:
        """The pipeline has made `step` of its `steps` steps."""

    def on_preview(self, step: int, images: torch.Tensor) -> None:
        """[rows, 3, height, width] from 0 to 1."""

    def on_done(self, output: Any) -> None:
        """What the pipeline returned."""

    def on_error(self, error: BaseException) -> None:
        """What it raised, without the frames that held its tensors; RequestCancelled where it was told to stop."""
