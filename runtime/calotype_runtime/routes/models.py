"""Which models there are, in OpenAI's words."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from calotype_adapters.openai.convert import to_model, to_model_list
from calotype_adapters.openai.types import Model, ModelList
from calotype_runtime.image_runtime import ImageRuntime


@get("/v1/models", sync_to_thread=False)
def list_models(runtime: NamedDependency[ImageRuntime]) -> ModelList:
    """Every model that is served, with its card."""
    cards = (runtime.image_model(model_id).card for model_id in runtime.registry.model_ids())
    return to_model_list(cards, created=runtime.started_at)


@get("/v1/models/{model_id:path}", sync_to_thread=False)
def get_model(model_id: FromPath[str], runtime: NamedDependency[ImageRuntime]) -> Model:
    """One model, by its id in any case; ids contain slashes."""
    return to_model(runtime.image_model(model_id.removeprefix("/")).card, created=runtime.started_at)
