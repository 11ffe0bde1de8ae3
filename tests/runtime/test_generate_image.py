"""The conductor: seeds, splitting, merging, and what happens when one part fails."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from calotype_provider.errors import EngineError, InvalidCallError, NoImageGeneratedError
from calotype_provider.model_card import ModelCard
from calotype_provider.types import (
    CallWarning,
    GeneratedImage,
    ImageEvent,
    ImageFile,
    ImageFinished,
    ImageModelCall,
    ImageModelResult,
    ImagePreview,
    ImageQueued,
    ImageStep,
    ImageUsage,
    Size,
)
from calotype_runtime.generate_image import Tell, fit, generate_image
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
            usage=ImageUsage(input_tokens=2, text_tokens=2, output_tokens=None),
        )


class PairShower(PairPainter):
    """A PairPainter that shows a step and a preview of each picture on the way."""

    async def do_stream(self, call: ImageModelCall) -> AsyncIterator[ImageEvent]:
        yield ImageQueued(0)
        # Somebody else may have a turn here, so that the parts' events come mixed.
        await asyncio.sleep(0)
        for index in range(call.n):
            yield ImageStep(index, 1, 1)
            yield ImagePreview(index, 1, ImageFile(b"%d" % (call.seed or 0), "image/jpeg"))
        if self._gives:
            yield ImageFinished(await self.do_generate(call))


async def paint(model: PairPainter, call: ImageModelCall, tell: Tell | None = None) -> ImageModelResult:
    queue = AdmissionQueue(running_max=1, waiting_max=1)
    try:
        return await generate_image(model, fit(model, call), queue=queue, tell=tell)
    finally:
        assert (queue.running, queue.waiting) == (0, 0)


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
    assert result.usage == ImageUsage(input_tokens=6, text_tokens=6)


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


async def test_what_is_told_on_the_way_names_images_of_the_whole_call() -> None:
    told: list[ImageEvent] = []
    model = PairShower()
    result = await paint(model, ImageModelCall(prompt="a fox", n=5, seed=7), told.append)
    assert [image.seed for image in result.images] == [7, 8, 9, 10, 11]
    assert told.count(ImageQueued(0)) == 1
    assert sorted(event.index for event in told if isinstance(event, ImageStep)) == [0, 1, 2, 3, 4]
    shown = {event.index: event.image.data for event in told if isinstance(event, ImagePreview)}
    assert shown == {0: b"7", 1: b"7", 2: b"9", 3: b"9", 4: b"11"}
    assert not any(isinstance(event, ImageFinished) for event in told)


async def test_who_does_not_listen_gets_the_same_answer() -> None:
    call = ImageModelCall(prompt="a fox", n=3, seed=7)
    told: list[ImageEvent] = []
    assert await paint(PairShower(), call) == await paint(PairShower(), call, told.append)
    assert await paint(PairPainter(), call, told.append) == await paint(PairPainter(), call)


async def test_a_stream_that_ends_without_a_picture_is_an_error() -> None:
    with pytest.raises(NoImageGeneratedError):
        await paint(PairShower(gives=0), ImageModelCall(prompt="a fox", seed=7), lambda _: None)


async def test_one_failing_part_stops_the_others_that_are_listened_to() -> None:
    model = PairShower(fails_at_seed=9)
    with pytest.raises(EngineError, match="the brush broke"):
        await paint(model, ImageModelCall(prompt="a fox", n=6, seed=7), lambda _: None)
    assert model.cancelled == len(model.calls) - 1


async def test_cancelling_stops_every_part_and_frees_the_place() -> None:
    model = PairShower(fails_at_seed=-1)
    painting = asyncio.create_task(paint(model, ImageModelCall(prompt="a fox", n=6, seed=7), lambda _: None))
    while len(model.calls) < 3:
        await asyncio.sleep(0)
    painting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await painting
    assert model.cancelled == 3


def test_a_model_that_shows_nothing_is_not_asked_to_and_the_caller_is_told() -> None:
    call = ImageModelCall(prompt="a fox", partial_images=2)
    fitted = fit(PairPainter(), call)
    assert fitted.call.partial_images == 0
    assert [(warning.type, warning.feature) for warning in fitted.warnings] == [("unsupported", "partial_images")]
    shown = fit(PairShower(), call)
    assert (shown.call.partial_images, shown.warnings) == (2, ())


def test_a_strict_call_is_refused_for_previews_that_there_are_not() -> None:
    with pytest.raises(InvalidCallError) as caught:
        fit(PairPainter(), ImageModelCall(prompt="a fox", partial_images=2, strict=True))
    assert caught.value.parameter == "partial_images"


async def test_a_strict_call_is_refused_for_what_the_model_says_only_afterwards() -> None:
    with pytest.raises(InvalidCallError, match="it is old") as caught:
        await paint(PairPainter(), ImageModelCall(prompt="a fox", seed=7, strict=True))
    assert caught.value.parameter == "brush"
