"""The real model from pictures and masks, through the real worker: judged on what it paints."""

from __future__ import annotations

import io

import numpy as np
import pytest
from engine_requests import TINTYPE
from numpy.typing import NDArray
from PIL import Image

from calotype_provider.errors import InvalidCallError
from calotype_provider.image_model import ImageModel
from calotype_provider.local.local_provider import LocalImageModel, LocalProvider
from calotype_provider.types import ImageFile, ImageModelCall, ImageModelResult, Size

pytestmark = pytest.mark.asyncio(loop_scope="session")

BLUE, RED = (56, 111, 217), (200, 50, 45)


@pytest.fixture
def model(provider: LocalProvider) -> ImageModel:
    return provider.image_model(TINTYPE)


async def paint(model: ImageModel, prompt: str, **fields: object) -> ImageModelResult:
    call = ImageModelCall(prompt=prompt, **{"seed": 3, **fields})  # type: ignore[arg-type]  # Of the call's own fields.
    return await model.do_generate(model.card.fit(call).call)


def pixels(result: ImageModelResult, index: int = 0) -> NDArray[np.int64]:
    with Image.open(io.BytesIO(result.images[index].data)) as image:
        return np.asarray(image.convert("RGB")).astype(np.int64)


def file_of(image: Image.Image) -> ImageFile:
    file = io.BytesIO()
    image.save(file, "PNG")
    return ImageFile(file.getvalue(), "image/png", Size(*image.size))


def right_half_open(side: int) -> ImageFile:
    mask = Image.new("RGBA", (side, side), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (side // 2, 0, side, side))
    return file_of(mask)


def corners(picture: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean colour of the background's corners."""
    height, width = picture.shape[:2]
    spots = [picture[:10, :10], picture[:10, width - 10 :], picture[height - 10 :, :10], picture[height - 10 :, -10:]]
    mean: NDArray[np.float64] = np.concatenate([spot.reshape(-1, 3) for spot in spots]).mean(axis=0)
    return mean


async def test_an_image_is_led_to_another_prompt_and_keeps_what_is_where(model: ImageModel) -> None:
    start = await paint(model, "a big apple on a blue background")
    turned = await paint(model, "a big apple on a red background", images=(start.images[0].as_file(),))
    other = await paint(model, "a big apple on a red background", seed=99)
    assert corners(pixels(start))[2] > corners(pixels(start))[0]
    assert corners(pixels(turned))[0] > corners(pixels(turned))[2]
    assert turned.images[0].data != other.images[0].data


async def test_a_low_strength_leaves_the_image_nearly_as_it_is(model: ImageModel) -> None:
    start = await paint(model, "a big apple on a blue background")
    prompt = "a big apple on a red background"
    little = await paint(model, prompt, images=(start.images[0].as_file(),), strength=0.15)
    much = await paint(model, prompt, images=(start.images[0].as_file(),), strength=0.9)
    changed = [np.abs(pixels(result) - pixels(start)).mean() for result in (little, much)]
    assert changed[0] < 12 < changed[1]


async def test_outside_of_a_mask_nothing_changes_and_inside_it_follows_the_prompt(model: ImageModel) -> None:
    start = await paint(model, "a big apple on a blue background")
    prompt = "a big apple on a red background"
    result = await paint(model, prompt, images=(start.images[0].as_file(),), mask=right_half_open(128))
    before, after = pixels(start), pixels(result)
    assert (before[:, :58] == after[:, :58]).all()
    assert after[:10, -10:, 0].mean() > after[:10, -10:, 2].mean()


async def test_each_of_n_pictures_keeps_what_the_mask_keeps(model: ImageModel) -> None:
    start = await paint(model, "a big apple on a blue background")
    result = await paint(model, "a cat", n=2, images=(start.images[0].as_file(),), mask=right_half_open(64))
    first, second = pixels(result, 0), pixels(result, 1)
    assert (first[:, :58] == second[:, :58]).all()
    assert (first[:, 70:] != second[:, 70:]).any()


async def test_the_same_request_paints_the_same_bytes(model: ImageModel) -> None:
    start = await paint(model, "a big apple on a blue background")
    again = [await paint(model, "a cat", images=(start.images[0].as_file(),), mask=right_half_open(128)) for _ in "ab"]
    assert again[0].images[0].data == again[1].images[0].data


async def test_tokens_are_counted(model: ImageModel) -> None:
    words = await paint(model, "a cat", n=2)
    assert words.usage is not None
    assert words.usage.image_tokens == 0
    assert words.usage.output_tokens == 2 * 8 * 8
    usage = (await paint(model, "a cat", size=Size(176, 96), images=(words.images[0].as_file(),))).usage
    assert usage is not None
    assert (usage.image_tokens, usage.output_tokens) == (11 * 6, 11 * 6)
    assert usage.input_tokens == (usage.text_tokens or 0) + 11 * 6
    assert usage.total_tokens == usage.input_tokens + 11 * 6
    longer = await paint(model, "a cat and a dog on a blue background")
    assert longer.usage is not None
    assert (longer.usage.text_tokens or 0) > (words.usage.text_tokens or 0)


async def test_a_prompt_that_is_not_read_to_its_end_is_told_or_refused(model: ImageModel) -> None:
    prompt = "a cat " * 100
    told = await paint(model, prompt)
    assert [warning.feature for warning in told.warnings] == ["prompt"]
    with pytest.raises(InvalidCallError) as caught:
        await paint(model, prompt, strict=True)
    assert caught.value.parameter == "prompt"


async def test_a_png_says_what_it_was_painted_from_unless_a_setting_forbids_it(
    model: ImageModel, provider: LocalProvider
) -> None:
    silent = LocalImageModel(model.card, provider.engine, png_parameters=False)
    told = await paint(model, "a cat", num_inference_steps=2, guidance_scale=3)
    untold = await paint(silent, "a cat", num_inference_steps=2, guidance_scale=3)
    with Image.open(io.BytesIO(told.images[0].data)) as image:
        assert "Steps: 2, CFG scale: 3, Seed: 3, Size: 128x128, Model: calotype/tintype" in image.info["parameters"]
    with Image.open(io.BytesIO(untold.images[0].data)) as image:
        assert "parameters" not in image.info
    assert (pixels(told) == pixels(untold)).all()
