from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from engine_requests import CHROMA, FLUX, FLUX_SCHNELL, TINTYPE, TINTYPE_FOLDER, until
from PIL import Image

from calotype_provider.card_ranges import IntegerRange
from calotype_provider.catalog import EMBEDDED, TINTYPE_CANNY_ID, TINTYPE_KONTEXT_ID
from calotype_provider.errors import EngineError, ModelBusyError, ModelLoadError, NoSuchModelError
from calotype_provider.image_model import ClosesResources, ListsModels, StreamingImageModel
from calotype_provider.local.engine import EngineEvent, EngineSettings
from calotype_provider.local.forms import FORMS
from calotype_provider.local.local_provider import LocalImageModel, LocalProvider, to_paint
from calotype_provider.local.messages import LoadModel, Paint
from calotype_provider.local.model_folder import read_card
from calotype_provider.local.paces import calls_per_step
from calotype_provider.local.precision import quickest_dtype
from calotype_provider.local.subprocess_engine import SubprocessEngine
from calotype_provider.model_card import ModelCard
from calotype_provider.types import (
    ImageFinished,
    ImageModelCall,
    ImagePreview,
    ImageQueued,
    ImageStep,
    OutputFormat,
    Size,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")


def fitted(
    model: LocalImageModel,
    *,
    seed: int = 7,
    n: int = 1,
    steps: int = 2,
    output_format: OutputFormat = "png",
    size: Size | None = None,
) -> ImageModelCall:
    call = ImageModelCall(
        prompt="a red fox", seed=seed, n=n, num_inference_steps=steps, output_format=output_format, size=size
    )
    return model.card.fit(call).call


async def test_image_k_is_the_image_of_seed_plus_k(provider: LocalProvider) -> None:
    model = provider.image_model(TINTYPE)
    three = await model.do_generate(fitted(model, seed=7, n=3))
    singles = [await model.do_generate(fitted(model, seed=seed)) for seed in (7, 8, 9)]
    assert [image.seed for image in three.images] == [7, 8, 9]
    assert [image.data for image in three.images] == [single.images[0].data for single in singles]
    assert len({image.data for image in three.images}) == 3


async def test_the_result_says_what_it_depends_on(provider: LocalProvider) -> None:
    model = provider.image_model(TINTYPE)
    result = await model.do_generate(fitted(model, seed=3, n=2))
    metadata = result.provider_metadata["calotype"]
    loaded = next(stats for stats in provider.engine.stats().models if stats.model_id == TINTYPE)
    assert result.model_id == TINTYPE
    made_with = metadata["made_with"]
    assert made_with["model_revision"] == loaded.revision
    assert (made_with["dtype"], made_with["device"], made_with["exact"]) == (quickest_dtype("cpu"), "cpu", False)
    assert made_with["torch"].startswith("2.")
    assert [(image["seed"], image["size"], image["steps"]) for image in metadata["images"]] == [
        (3, "128x128", 2),
        (4, "128x128", 2),
    ]
    assert all(image["milliseconds"] > 0 for image in metadata["images"])


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
async def test_pictures_have_the_size_and_format_asked_for(
    provider: LocalProvider, output_format: OutputFormat
) -> None:
    model = provider.image_model(TINTYPE)
    call = fitted(model, output_format=output_format, size=Size(160, 96))
    image = (await model.do_generate(call)).images[0]
    with Image.open(io.BytesIO(image.data)) as picture:
        assert picture.size == (160, 96)
        assert picture.format == output_format.upper()
    assert image.media_type == f"image/{output_format}"
    assert image.size == Size(160, 96)


@pytest.mark.parametrize("model_id", [FLUX, FLUX_SCHNELL])
async def test_folders_without_a_card_paint_too(
    provider: LocalProvider, folders: dict[str, Path], model_id: str
) -> None:
    model = LocalImageModel(read_card(folders[model_id], model_id=model_id), provider.engine)
    first, again = [await model.do_generate(fitted(model, size=Size(96, 64))) for _ in range(2)]
    assert first.images == again.images
    assert first.images[0].size == Size(96, 64)


async def test_guidance_and_negative_prompts_make_a_difference(provider: LocalProvider) -> None:
    model = provider.image_model(TINTYPE)
    calls = [
        ImageModelCall(prompt="a red fox", seed=7, num_inference_steps=2, guidance_scale=guidance, negative_prompt=text)
        for guidance, text in ((1.5, None), (6.0, None), (6.0, "a fox"))
    ]
    results = [await model.do_generate(model.card.fit(call).call) for call in calls]
    assert len({result.images[0].data for result in results}) == 3


async def test_a_stream_tells_its_place_every_picture_and_the_result(provider: LocalProvider) -> None:
    model = provider.image_model(TINTYPE)
    call = fitted(model, n=2, steps=4)
    events = [event async for event in model.do_stream(call)]
    assert isinstance(events[0], ImageQueued)
    assert {(event.index, event.steps) for event in events if isinstance(event, ImageStep)} == {(0, 4), (1, 4)}
    assert isinstance(events[-1], ImageFinished)
    assert events[-1].result.images == (await model.do_generate(call)).images


async def test_a_prompt_that_is_not_read_to_its_end_is_told(provider: LocalProvider) -> None:
    model = provider.image_model(TINTYPE)
    call = fitted(model)
    long = msgspec.structs.replace(call, prompt="a red fox on a blue background " * 20)
    assert (await model.do_generate(call)).warnings == ()
    (warning,) = (await model.do_generate(long)).warnings
    assert (warning.type, warning.feature) == ("other", "prompt")
    assert warning.details
    assert "tokens were left out" in warning.details


@pytest.mark.parametrize(("model_id", "warned"), [(CHROMA, True), (FLUX, False)])
async def test_a_family_without_previews_tells_its_steps_and_says_what_it_could_not(
    provider: LocalProvider, model_id: str, warned: bool
) -> None:
    card = ModelCard(
        model_id=model_id,
        default_size=Size(64, 64),
        num_inference_steps=IntegerRange(1, 50, 4),
        max_sequence_length=16,
    )
    model = LocalImageModel(card, provider.engine)
    call = msgspec.structs.replace(fitted(model, steps=4), partial_images=2)
    events = [event async for event in model.do_stream(call)]
    assert isinstance(events[-1], ImageFinished)
    assert [event.step for event in events if isinstance(event, ImageStep)][-1] == 4
    assert any(isinstance(event, ImagePreview) for event in events) != warned
    warnings = [(warning.type, warning.feature) for warning in events[-1].result.warnings]
    assert warnings == [("unsupported", "partial_images")] * warned
    assert (await model.do_generate(fitted(model, steps=4))).warnings == ()


async def test_closing_a_stream_stops_all_its_pictures(provider: LocalProvider) -> None:
    model = provider.image_model(TINTYPE)
    async with contextlib.aclosing(model.do_stream(fitted(model, n=10, steps=50))) as events:
        async for event in events:
            if isinstance(event, ImageStep):
                break
    stats = provider.engine.stats()
    assert (stats.waiting, stats.running) == (0, 0)


async def test_cancelling_the_task_stops_its_pictures(provider: LocalProvider) -> None:
    model = provider.image_model(TINTYPE)
    task = asyncio.create_task(model.do_generate(fitted(model, n=10, steps=50)))
    await until(lambda: provider.engine.stats().running > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stats = provider.engine.stats()
    assert (stats.waiting, stats.running) == (0, 0)


async def test_a_picture_cancelled_in_the_engine_is_an_error(provider: LocalProvider) -> None:
    model = provider.image_model(TINTYPE)
    engine = CancellingEngine()
    with pytest.raises(EngineError, match="cancelled"):
        await LocalImageModel(model.card, engine).do_generate(fitted(model))


class CancellingEngine(SubprocessEngine):
    """Has no worker, and is asked by somebody else to cancel whatever comes."""

    def submit(self, request: Paint) -> AsyncIterator[EngineEvent]:
        events = super().submit(request)
        self.cancel(request.request_id)
        return events


async def test_more_pictures_than_fit_are_all_refused() -> None:
    engine = SubprocessEngine(EngineSettings(requests_max=2))
    provider = LocalProvider({TINTYPE: TINTYPE_FOLDER}, engine)
    model = provider.image_model(TINTYPE)
    with pytest.raises(ModelBusyError):
        await model.do_generate(fitted(model, n=3))
    assert engine.stats().waiting == 0


async def test_a_provider_finds_its_models_whatever_their_case(provider: LocalProvider) -> None:
    assert provider.image_model(TINTYPE.upper()).card.model_id == TINTYPE
    assert provider.model_ids() == [TINTYPE]
    with pytest.raises(NoSuchModelError) as error:
        provider.image_model("calotype/daguerreotype")
    assert TINTYPE in error.value.available


async def test_a_folder_that_is_none_is_told_when_asked_for(tmp_path: Path) -> None:
    provider = LocalProvider({"tests/empty": tmp_path, TINTYPE: TINTYPE_FOLDER}, SubprocessEngine())
    assert provider.model_ids() == [TINTYPE]
    with pytest.raises(ModelLoadError, match=r"'tests/empty'.*no model_index\.json"):
        provider.image_model("tests/empty")


async def test_it_is_what_the_protocols_ask_for(provider: LocalProvider) -> None:
    assert isinstance(provider, ListsModels)
    assert isinstance(provider, ClosesResources)
    assert isinstance(provider.image_model(TINTYPE), StreamingImageModel)


async def test_guidance_goes_where_the_card_says(folders: dict[str, Path]) -> None:
    flux, schnell = (read_card(folders[model_id], model_id="a/b") for model_id in (FLUX, FLUX_SCHNELL))
    undistilled = msgspec.structs.replace(flux, guidance_means="true_cfg", negative_prompt=True)
    true_cfg = to_paint(undistilled.fit(CALL).call, undistilled, 0)
    assert (true_cfg.true_cfg_scale, true_cfg.guidance_scale, true_cfg.negative_prompt) == (3.5, None, "")
    embedded = to_paint(flux.fit(CALL).call, flux, 0)
    assert (embedded.true_cfg_scale, embedded.guidance_scale, embedded.negative_prompt) == (None, 3.5, None)
    distilled = to_paint(schnell.fit(CALL).call, schnell, 0)
    assert (distilled.true_cfg_scale, distilled.guidance_scale, distilled.max_sequence_length) == (None, None, 256)


async def test_an_embedded_guidance_is_led_away_from_a_negative_prompt_at_the_cards_scale(
    folders: dict[str, Path],
) -> None:
    card = msgspec.structs.replace(
        read_card(folders[FLUX], model_id="a/b"), negative_prompt=True, negative_prompt_scale=2.0
    )
    away, plain, empty = (
        to_paint(card.fit(msgspec.structs.replace(CALL, negative_prompt=text)).call, card, 0)
        for text in ("ugly", None, "")
    )
    assert (away.guidance_scale, away.true_cfg_scale, away.negative_prompt) == (3.5, 2.0, "ugly")
    for paint in (plain, empty):
        assert (paint.guidance_scale, paint.true_cfg_scale, paint.negative_prompt) == (3.5, None, None)
    assert [calls_per_step(paint) for paint in (away, plain)] == [2, 1]


CALL = ImageModelCall(prompt="a red fox", seed=7)


@pytest.mark.parametrize("model_id", [TINTYPE_KONTEXT_ID, TINTYPE_CANNY_ID])
async def test_a_model_that_needs_pictures_is_loaded_and_its_cost_known(model_id: str) -> None:
    engine = SubprocessEngine(EngineSettings(threads=1))
    provider = LocalProvider({model_id: TINTYPE_FOLDER.parent / EMBEDDED[model_id]}, engine, stop_seconds_max=0)
    engine.start()
    await engine.ready(model_id)
    [stats] = engine.stats().models
    # Nobody has loaded what it borrows.
    assert stats.resident_bytes > 15_000_000
    await provider.aclose()


@pytest.mark.parametrize("class_name", FORMS)
async def test_every_class_is_warmed_up_with_what_it_requires(tmp_path: Path, class_name: str) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": class_name}))
    engine = RecordingEngine()
    card = LocalProvider({"a/b": tmp_path}, engine).image_model("a/b").card
    [load] = engine.loads
    assert load.warm_up
    given = {
        "images": load.warm_up.images,
        "mask": load.warm_up.mask,
        "control_image": load.warm_up.control_image,
    }
    assert {name for name, picture in given.items() if picture} == set(card.requires)
    for picture in (*load.warm_up.images, load.warm_up.control_image):
        assert picture is None or len(picture.data) == 3 * load.warm_up.width * load.warm_up.height


class RecordingEngine(SubprocessEngine):
    """Has no worker, and keeps what it is asked to load."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[LoadModel] = []

    def load(self, model: LoadModel) -> None:
        self.loads.append(model)
        super().load(model)


async def test_what_a_picture_costs_is_known_once_its_model_is_loaded(folders: dict[str, Path]) -> None:
    engine = SubprocessEngine(EngineSettings(threads=1))
    provider = LocalProvider({TINTYPE: folders[TINTYPE]}, engine, stop_seconds_max=0)
    model = provider.image_model(TINTYPE)
    guess = model.estimate_seconds(fitted(model, steps=20))
    engine.start()
    await engine.ready(TINTYPE)
    known = model.estimate_seconds(fitted(model, steps=20))
    assert known != guess
    assert model.estimate_seconds(fitted(model, steps=40)) == pytest.approx(2 * known)
    await provider.aclose()
