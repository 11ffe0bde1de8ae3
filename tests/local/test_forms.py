"""What each family takes beside words: every form painted by a tiny pipeline of the family's own classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import tiny_models
import torch

from calotype_provider.errors import InvalidCallError
from calotype_provider.local.card_table import card_for_class
from calotype_provider.local.forms import FORMS, Forms, class_for
from calotype_provider.local.loader import LoadedPipeline
from calotype_provider.local.messages import InputImage, Paint
from calotype_provider.local.painting import pipeline_arguments, to_pixels
from calotype_provider.model_card import Input, ModelCard
from calotype_provider.types import ImageFile, ImageModelCall, Size

# Of diffusers' own Euler scheduler under numpy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

WIDTH, HEIGHT = 96, 64


def picture(width: int = WIDTH, height: int = HEIGHT) -> InputImage:
    generator = torch.Generator().manual_seed(width)
    pixels = torch.randint(0, 256, (height, width, 3), generator=generator, dtype=torch.uint8)
    return InputImage(width=width, height=height, data=pixels.numpy().tobytes())


MASK = InputImage(width=WIDTH, height=HEIGHT, data=(b"\0" * (WIDTH // 2) + b"\xff" * (WIDTH // 2)) * HEIGHT)
FILE = ImageFile(b"", "image/png", Size(WIDTH, HEIGHT))


def request(**fields: Any) -> Paint:
    return Paint(
        request_id="a",
        model_id="b",
        prompt="a red fox",
        seed=1,
        width=WIDTH,
        height=HEIGHT,
        num_inference_steps=2,
        max_sequence_length=32,
        **fields,
    )


def loaded(build: Callable[[], Any]) -> LoadedPipeline:
    pipeline = build()
    pipeline.set_progress_bar_config(disable=True)
    return LoadedPipeline(
        folder=Path(), pipeline=pipeline, revision="", dtype="float32", device="cpu", resident_bytes=0
    )


START: dict[str, Any] = {"images": (picture(),), "strength": 1.0}
OVER_A_MASK: dict[str, Any] = {**START, "mask": MASK}
LED: dict[str, Any] = {"control_image": picture()}
SPOKEN_OF: dict[str, Any] = {"images": (picture(64, 96),)}
SEVERAL: dict[str, Any] = {"images": (picture(64, 96), picture(96, 96), picture(64, 64))}

PAINTED = [
    (tiny_models.flux, {}, "FluxPipeline"),
    (tiny_models.flux, START, "FluxImg2ImgPipeline"),
    (tiny_models.flux, OVER_A_MASK, "FluxInpaintPipeline"),
    (tiny_models.flux_kontext, {}, "FluxKontextPipeline"),
    (tiny_models.flux_kontext, SPOKEN_OF, "FluxKontextPipeline"),
    (tiny_models.flux_kontext, OVER_A_MASK, "FluxKontextInpaintPipeline"),
    (tiny_models.flux_control, LED, "FluxControlPipeline"),
    (tiny_models.flux_control, {**LED, **START}, "FluxControlImg2ImgPipeline"),
    (tiny_models.flux_control, {**LED, **OVER_A_MASK}, "FluxControlInpaintPipeline"),
    (tiny_models.flux_fill, OVER_A_MASK, "FluxFillPipeline"),
    (tiny_models.flux2, SEVERAL, "Flux2Pipeline"),
    (tiny_models.flux2_klein, SEVERAL, "Flux2KleinPipeline"),
    (tiny_models.flux2_klein, OVER_A_MASK, "Flux2KleinInpaintPipeline"),
    (tiny_models.sd3, START, "StableDiffusion3Img2ImgPipeline"),
    (tiny_models.sd3, OVER_A_MASK, "StableDiffusion3InpaintPipeline"),
    (tiny_models.sdxl, START, "StableDiffusionXLImg2ImgPipeline"),
    (tiny_models.sdxl, OVER_A_MASK, "StableDiffusionXLInpaintPipeline"),
    (tiny_models.z_image, START, "ZImageImg2ImgPipeline"),
    (tiny_models.z_image, OVER_A_MASK, "ZImageInpaintPipeline"),
    (tiny_models.qwen_image, START, "QwenImageImg2ImgPipeline"),
    (tiny_models.qwen_image, OVER_A_MASK, "QwenImageInpaintPipeline"),
]


@pytest.mark.parametrize("fields", [{"images": (picture(),)}, OVER_A_MASK])
def test_a_reference_that_fits_is_seen_as_it_is(fields: dict[str, Any]) -> None:
    model = loaded(tiny_models.flux_kontext)
    seen = []

    def look(_: object, __: object, arguments: dict[str, Any]) -> None:
        seen.append(arguments["hidden_states"].shape[1])

    model.pipeline.components["transformer"].register_forward_pre_hook(look, with_kwargs=True)  # type: ignore[attr-defined]
    paint = request(**fields, references_fit=True)
    pipeline = model.pipeline_for(paint)
    with torch.no_grad():
        images = pipeline(**pipeline_arguments(pipeline, paint)).images
    assert to_pixels(images).shape == (HEIGHT, WIDTH, 3)
    # As many tokens again as the picture has.
    assert set(seen) == {2 * (WIDTH // 16) * (HEIGHT // 16)}


@pytest.mark.parametrize(("build", "fields", "class_name"), PAINTED, ids=[case[2] for case in PAINTED])
def test_each_form_is_painted_at_the_size_that_was_asked(
    build: Callable[[], Any], fields: dict[str, Any], class_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fields and "Kontext" in class_name:
        # The sizes of pictures that Kontext was trained on are a megapixel, too much for a tiny one on a CPU.
        monkeypatch.setattr(
            f"diffusers.pipelines.flux.pipeline_flux_kontext{'_inpaint' if 'Inpaint' in class_name else ''}"
            ".PREFERRED_KONTEXT_RESOLUTIONS",
            [(WIDTH, HEIGHT)],
        )
    model, paint = loaded(build), request(**fields)
    pipeline = model.pipeline_for(paint)
    assert type(pipeline).__name__ == class_name
    assert model.pipeline_for(paint) is pipeline
    with torch.no_grad():
        images = pipeline(**pipeline_arguments(pipeline, paint)).images
    assert to_pixels(images).shape == (HEIGHT, WIDTH, 3)


def test_siblings_share_every_weight() -> None:
    model = loaded(tiny_models.flux)
    sibling = model.pipeline_for(request(**OVER_A_MASK))
    assert sibling.components["transformer"] is model.pipeline.components["transformer"]
    assert sibling.components["vae"] is model.pipeline.components["vae"]


def card(class_name: str) -> ModelCard:
    return card_for_class("a/b", class_name=class_name, transformer={"guidance_embeds": True}, index={})


@pytest.mark.parametrize("class_name", FORMS)
def test_the_classes_of_the_table_exist_and_the_card_says_what_they_take(class_name: str) -> None:
    forms = FORMS[class_name]
    for name in (class_name, forms.start, forms.mask):
        assert name is None or hasattr(diffusers, name)
    inputs: dict[Input, Any] = {
        "images": (FILE,) if forms.start or forms.images_max else (),
        "mask": FILE if forms.mask else None,
        "control_image": FILE if forms.requires_control_image else None,
    }
    fitted = card(class_name).fit(ImageModelCall(prompt="a red fox", seed=1, **inputs))
    assert fitted.warnings == ()
    if forms.mask:
        paint = request(images=(picture(),), mask=MASK)
        assert class_for(class_name, paint) == forms.mask


@pytest.mark.parametrize(
    ("class_name", "inputs", "parameter"),
    [
        ("FluxControlPipeline", {}, "control_image"),
        ("FluxFillPipeline", {"images": (FILE,)}, "mask"),
        ("QwenImageEditPipeline", {}, "images"),
        ("FluxPipeline", {"control_image": FILE}, "control_image"),
        ("FluxKontextPipeline", {"images": (FILE, FILE)}, "images"),
        ("Flux2Pipeline", {"images": (FILE,), "mask": FILE}, "mask"),
        ("SomethingElsePipeline", {"images": (FILE,)}, "images"),
    ],
)
def test_what_a_class_cannot_do_is_refused(class_name: str, inputs: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        card(class_name).fit(ImageModelCall(prompt="a red fox", **inputs))
    assert caught.value.parameter == parameter


def test_an_unheard_of_class_paints_from_words_alone() -> None:
    assert class_for("SomethingElsePipeline", request(**OVER_A_MASK)) == "SomethingElsePipeline"
    assert FORMS.get("SomethingElsePipeline", Forms()).images_max == 0
