"""What it takes to be an image model, and to provide some. Protocols: an implementation needs no base class."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, runtime_checkable

from calotype_provider.model_card import ModelCard
from calotype_provider.types import ImageEvent, ImageModelCall, ImageModelResult


class ImageModel(Protocol):
    """One model behind one id."""

    @property
    def card(self) -> ModelCard:
        """What the model can do. Calls are fitted to it before `do_generate` sees them."""

    async def do_generate(self, call: ImageModelCall) -> ImageModelResult:
        """Paint `call.n` images. Cancelling the task stops the work. Raises errors of `calotype_provider.errors`."""


@runtime_checkable
class StreamingImageModel(ImageModel, Protocol):
    """A model that tells how far it is."""

    def do_stream(self, call: ImageModelCall) -> AsyncIterator[ImageEvent]:
        """Yield progress, then one ImageFinished. Closing the iterator stops the work."""


@runtime_checkable
class EstimatesSeconds(Protocol):
    """A model that knows about how long a fitted call will hold its device."""

    def estimate_seconds(self, call: ImageModelCall) -> float: ...


class Provider(Protocol):
    """Whoever writes a provider implements this one method."""

    def image_model(self, model_id: str) -> ImageModel:
        """The model behind `model_id`, whatever its case. Raises NoSuchModelError."""


@runtime_checkable
class ListsModels(Protocol):
    """A provider that can say which models it has, so that `GET /v1/models` shows them."""

    def model_ids(self) -> Sequence[str]: ...


@runtime_checkable
class ClosesResources(Protocol):
    """A provider that holds something open."""

    async def aclose(self) -> None: ...
