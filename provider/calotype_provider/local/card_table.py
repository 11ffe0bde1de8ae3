"""What the pipelines of diffusers can do, by their class: the card of a folder that brings none of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from calotype_provider.card_ranges import IntegerRange, NumberRange, QualityLevel, SizeRange
from calotype_provider.local.forms import FORMS, Forms
from calotype_provider.model_card import GuidanceMeaning, Input, ModelCard
from calotype_provider.types import Quality, Size

MEGAPIXEL = 1024 * 1024
STEPS_MAX = 100
STRENGTH = 0.75
"""High enough to follow another prompt, low enough to keep what is where."""

DISTILLED_STEPS_MAX = 8
LOW_PIXELS, HIGH_PIXELS = 768 * 768, 1280 * 1280

GUIDANCE_MAX = 30.0


def card_for_class(
    model_id: str, *, class_name: str, transformer: Mapping[str, Any], index: Mapping[str, Any]
) -> ModelCard:
    """`transformer` is its config.json and `index` the model_index.json: they tell apart the kinds of one class.

    A class that is not in the table takes sizes, steps and seeds, and nothing else.
    """
    kind = class_name
    if class_name == "FluxPipeline" and not transformer.get("guidance_embeds"):
        kind = "FluxPipeline, schnell"
    if class_name == "Flux2KleinPipeline" and index.get("is_distilled"):
        kind = "Flux2KleinPipeline, distilled"
    card = CARDS.get(kind) or _card(f"{class_name} of diffusers", steps=30)
    return msgspec.structs.replace(card, model_id=model_id, **_inputs_of(FORMS.get(class_name, Forms())))


def _inputs_of(forms: Forms) -> dict[str, Any]:
    required: dict[Input, bool] = {
        "images": forms.requires_image,
        "mask": forms.requires_mask,
        "control_image": forms.requires_control_image,
    }
    return {
        "images_max": 1 if forms.start else forms.images_max,
        "strength": NumberRange(min=0.0, max=1.0, default=STRENGTH) if forms.start else None,
        "mask": forms.mask is not None,
        "control_image": forms.requires_control_image,
        "requires": tuple(name for name, needed in required.items() if needed),
    }


def _card(
    description: str,
    *,
    steps: int,
    steps_min: int = 1,
    guidance: float | None = None,
    means: GuidanceMeaning | None = None,
    negative_prompt: bool = False,
    multiple_of: int = 16,
    pixels_max: int = 2 * MEGAPIXEL,
    tokens: int | None = None,
) -> ModelCard:
    return ModelCard(
        model_id="",
        description=description,
        default_size=Size(1024, 1024),
        size_range=SizeRange(multiple_of=multiple_of, side_min=64, side_max=2048, pixels_max=pixels_max),
        num_inference_steps=IntegerRange(min=steps_min, max=STEPS_MAX, default=steps),
        guidance_scale=None if guidance is None else NumberRange(min=0.0, max=GUIDANCE_MAX, default=guidance),
        guidance_means=means,
        negative_prompt=negative_prompt,
        qualities=_qualities(steps, steps_min),
        max_sequence_length=tokens,
    )


def _qualities(steps: int, steps_min: int) -> dict[Quality, QualityLevel]:
    """A model that was distilled to a few steps paints no better with more, and nothing with fewer: only its size."""
    distilled = steps <= DISTILLED_STEPS_MAX
    qualities: dict[Quality, QualityLevel] = {
        "low": QualityLevel(steps if distilled else max(steps_min, steps // 2), LOW_PIXELS),
        "medium": QualityLevel(steps),
        "high": QualityLevel(steps if distilled else min(STEPS_MAX, steps * 3 // 2), HIGH_PIXELS),
    }
    return qualities


# Steps and guidance as the models' own pages have them, which are not the defaults of the pipelines' __call__.
CARDS: Mapping[str, ModelCard] = {
    "FluxPipeline": _card("FLUX.1", steps=28, guidance=3.5, means="embedding", tokens=512),
    "FluxKontextPipeline": _card("FLUX.1 Kontext", steps=28, guidance=2.5, means="embedding", tokens=512),
    "FluxControlPipeline": _card("FLUX.1 Control", steps=50, guidance=30.0, means="embedding", tokens=512),
    "FluxFillPipeline": _card("FLUX.1 Fill", steps=50, guidance=30.0, means="embedding", tokens=512),
    "FluxPipeline, schnell": _card("FLUX.1, distilled to a few steps", steps=4, tokens=256),
    "Flux2Pipeline": _card("FLUX.2", steps=50, guidance=4.0, means="embedding", pixels_max=4 * MEGAPIXEL, tokens=512),
    "Flux2KleinPipeline": _card(
        "FLUX.2 klein, base", steps=50, guidance=4.0, means="cfg", pixels_max=4 * MEGAPIXEL, tokens=512
    ),
    "Flux2KleinPipeline, distilled": _card(
        "FLUX.2 klein, distilled to a few steps", steps=4, pixels_max=4 * MEGAPIXEL, tokens=512
    ),
    "StableDiffusion3Pipeline": _card(
        "Stable Diffusion 3", steps=28, guidance=4.5, means="cfg", negative_prompt=True, tokens=256
    ),
    "StableDiffusionXLPipeline": _card(
        "Stable Diffusion XL", steps=50, guidance=5.0, means="cfg", negative_prompt=True, multiple_of=8
    ),
    "QwenImageEditPipeline": _card(
        "Qwen-Image-Edit", steps=50, steps_min=2, guidance=4.0, means="true_cfg", negative_prompt=True, tokens=512
    ),
    "QwenImageEditPlusPipeline": _card(
        "Qwen-Image-Edit, several images",
        steps=40,
        steps_min=2,
        guidance=4.0,
        means="true_cfg",
        negative_prompt=True,
        tokens=512,
    ),
    "ZImagePipeline": _card("Z-Image", steps=8, guidance=0.0, means="cfg", negative_prompt=True, tokens=512),
    "QwenImagePipeline": _card(
        "Qwen-Image", steps=50, steps_min=2, guidance=4.0, means="true_cfg", negative_prompt=True, tokens=512
    ),
}
