"""The whole of Calotype's HTTP side, with a model that answers at once."""

from __future__ import annotations

import logging
import os
import sys

import uvicorn

from benchmarks.door import PICTURE_BYTES
from calotype_provider.card_ranges import SizeRange
from calotype_provider.image_model import ImageModel
from calotype_provider.local.engine import Readiness
from calotype_provider.local.subprocess_engine import SubprocessEngine
from calotype_provider.model_card import ModelCard
from calotype_provider.registry import ProviderRegistry
from calotype_provider.types import GeneratedImage, ImageModelCall, ImageModelResult, Size
from calotype_runtime.app import create_app
from calotype_runtime.config import Settings
from calotype_runtime.image_runtime import ImageRuntime
from calotype_runtime.memory import keep_freed_memory

PICTURE = os.urandom(PICTURE_BYTES)


class ReadyModel:
    card = ModelCard(
        model_id="bench/ready",
        default_size=Size(1024, 1024),
        size_range=SizeRange(multiple_of=16, side_min=256, side_max=2048, pixels_max=2048 * 2048),
    )

    async def do_generate(self, call: ImageModelCall) -> ImageModelResult:
        assert call.seed is not None
        assert call.size is not None
        image = GeneratedImage(PICTURE, "image/png", call.seed, call.size)
        return ImageModelResult(images=(image,), model_id=self.card.model_id)


class ReadyProvider:
    def image_model(self, model_id: str) -> ImageModel:
        return ReadyModel()


def main(port: int) -> None:
    logging.basicConfig(level=logging.INFO)
    # As `calotype serve` does.
    keep_freed_memory()
    settings = Settings(default_model="bench/ready")
    runtime = ImageRuntime(
        settings=settings,
        registry=ProviderRegistry({"bench": ReadyProvider}),
        readiness=lambda: Readiness("ready", "bench/ready", 1.0),
        engine_stats=SubprocessEngine().stats,
    )
    uvicorn.run(create_app(runtime), host="127.0.0.1", port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
