"""The conductor: seeds, splitting, merging, and what happens when one part fails."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from calotype_provider.errors import EngineError, NoImageGeneratedError
from calotype_provider.model_card import ModelCard
from calotype_provider.types import (
    CallWarning,
    GeneratedImage,
    ImageModelCall,
    ImageModelResult,
    ImageUsage,
    Size,
)
from calotype_runtime.generate_image import fit, generate_image
from calotype_runtime.queue import AdmissionQueue


class PairPainter:
    """At most two images a call; keeps the calls it got."""

    def __init__(self, *, gives: int = 2, fails_at_seed: int | None = None) -> None:
        self.card = ModelCard(model_id="test/pairs", default_size=Size(16, 16), max_images_per_call=2)
        self.calls: list[ImageModelCall] = []
        self.cancelled = 0
        self._gives = gives
        self._fails_at_seed = fails_at_seed

    async def do_generate(self, call: ImageModelCall) -> ImageModelResult:
        self.calls.append(call)
        assert call.seed is not None
        if call.seed == self._fails_at_seed:
            raise EngineError("the brush broke")
        if self._fails_at_seed is not None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.cancelled += 1
        images = tuple(
            GeneratedImage(b"%d" % (call.seed + k), "image/png", call.seed + k, Size(16, 16))
            for k in range(min(call.n, self._gives))
        )
        return ImageModelResult(
            images=images,
            model_id=self.card.model_id,
            warnings=(CallWarning("other", "brush", "it is old"),),
            provider_metadata={"test": {"images": [{"seed": image.seed} for image in images], "brush": 3}},
            usage=ImageUsage(input_tokens=2, output_tokens=None),
        )


async def paint(model: PairPainter, call: ImageModelCall) -> ImageModelResult:
    queue = AdmissionQueue(running_max=1, waiting_max=1)
    with ThreadPoolExecutor(1) as codec:
        return await generate_image(model, fit(model, call), queue=queue, codec=codec)


async def test_images_come_in_the_order_of_their_seeds_however_they_were_split() -> None:
    model = PairPainter()
    result = await paint(model, ImageModelCall(prompt="a fox", n=5, seed=7))
    assert [call.n for call in model.calls] == [2, 2, 1]
    assert [image.seed for image in result.images] == [7, 8, 9, 10, 11]
    assert [image.data for image in result.images] == [b"7", b"8", b"9", b"10", b"11"]
    assert [entry["seed"] for entry in result.provider_metadata["test"]["images"]] == [7, 8, 9, 10, 11]
    assert result.provider_metadata["test"]["brush"] == 3


async def test_a_warning_said_by_every_part_is_told_once_and_usage_is_summed() -> None:
    result = await paint(PairPainter(), ImageModelCall(prompt="a fox", n=5, seed=7))
    assert result.warnings == (CallWarning("other", "brush", "it is old"),)
    assert result.usage == ImageUsage(input_tokens=6, output_tokens=None, total_tokens=None)


def test_equal_calls_without_a_seed_get_different_ones() -> None:
    seeds = {fit(PairPainter(), ImageModelCall(prompt="a fox")).call.seed for _ in range(20)}
    assert len(seeds) == 20


def test_seed_zero_is_a_seed() -> None:
    assert fit(PairPainter(), ImageModelCall(prompt="a fox", seed=0)).call.seed == 0


async def test_one_failing_part_ends_the_call_with_its_own_error_and_stops_the_others() -> None:
    model = PairPainter(fails_at_seed=9)
    with pytest.raises(EngineError, match="the brush broke"):
        await paint(model, ImageModelCall(prompt="a fox", n=6, seed=7))
    assert model.cancelled == len(model.calls) - 1


async def test_fewer_images_than_asked_are_told() -> None:
    result = await paint(PairPainter(gives=1), ImageModelCall(prompt="a fox", n=4, seed=7))
    assert len(result.images) == 2
    assert CallWarning("other", "n", "asked for 4 images, 2 came") in result.warnings


async def test_no_image_at_all_is_an_error() -> None:
    with pytest.raises(NoImageGeneratedError):
        await paint(PairPainter(gives=0), ImageModelCall(prompt="a fox", seed=7))
