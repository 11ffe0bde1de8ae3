"""Known models whose weights are not here: in a demo another paints in their place, else they say how to get them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from calotype_provider.call_checks import refuse_when_strict
from calotype_provider.catalog import KNOWN_MODELS, known_model
from calotype_provider.errors import NoSuchModelError
from calotype_provider.image_model import EstimatesSeconds, ImageModel, StreamingImageModel
from calotype_provider.model_card import ModelCard
from calotype_provider.types import CallWarning, ImageEvent, ImageFinished, ImageModelCall, ImageModelResult


class StandInProvider:
    """The last provider of a registry. `painter` paints for every known model; None: each answers with its hint.
    `editor`, where there is one, paints for those that edit by instruction.
    """

    def __init__(self, painter: ImageModel | None, *, editor: ImageModel | None = None) -> None:
        self._painter = painter
        self._editor = editor

    def image_model(self, model_id: str) -> ImageModel:
        known = known_model(model_id)
        if known is None:
            raise NoSuchModelError(model_id)
        if self._painter is None:
            raise NoSuchModelError(model_id, hint=known.hint)
        return StandInModel(known.model_id, self._editor if known.edits and self._editor else self._painter)

    def model_ids(self) -> Sequence[str]:
        return [known.model_id for known in KNOWN_MODELS] if self._painter else []


class StandInModel:
    """Answers under one id, paints with another model, and says so in every answer."""

    def __init__(self, model_id: str, painter: ImageModel) -> None:
        self._painter = painter
        painted_by = f"Painted by {painter.card.model_id}, which stands in for {model_id} in this demo."
        self.card: ModelCard = msgspec.structs.replace(painter.card, model_id=model_id, description=painted_by)
        self._warning = CallWarning(
            "compatibility", "model", f"{painter.card.model_id} painted this: {model_id} is not served here"
        )

    def estimate_seconds(self, call: ImageModelCall) -> float:
        return self._painter.estimate_seconds(call) if isinstance(self._painter, EstimatesSeconds) else float(call.n)

    async def do_generate(self, call: ImageModelCall) -> ImageModelResult:
        refuse_when_strict(call, (self._warning,))
        return self._told(await self._painter.do_generate(call))

    async def do_stream(self, call: ImageModelCall) -> AsyncIterator[ImageEvent]:
        if not isinstance(self._painter, StreamingImageModel):
            yield ImageFinished(await self.do_generate(call))
            return
        refuse_when_strict(call, (self._warning,))
        async for event in self._painter.do_stream(call):
            yield ImageFinished(self._told(event.result)) if isinstance(event, ImageFinished) else event

    def _told(self, result: ImageModelResult) -> ImageModelResult:
        return msgspec.structs.replace(result, warnings=(self._warning, *result.warnings))
