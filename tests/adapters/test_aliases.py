"""One table of aliases for all wires."""

from __future__ import annotations

import msgspec
import pytest

from calotype_adapters.aliases import ALIASES, spellings
from calotype_adapters.openai.types import (
    ImageEditRequest,
    ImageGenerationRequest,
    ImageRequest,
    ImageVariationRequest,
)


@pytest.mark.parametrize(
    ("field", "others"),
    [
        ("guidance", {"guidance_scale", "guidanceScale"}),
        ("strength", {"prompt_strength", "promptStrength"}),
        (
            "image",
            {
                "input_image",
                "inputImage",
                "start_image",
                "startImage",
                "images",
                "image_url",
                "imageUrl",
                "image_urls",
                "imageUrls",
                "url",
            },
        ),
        ("mask", {"mask_image", "maskImage", "mask_url", "maskUrl"}),
        ("input_images", {"inputImages", "reference_images", "referenceImages"}),
        ("num_inference_steps", {"numInferenceSteps", "steps"}),
        ("aspect_ratio", {"aspectRatio"}),
        ("negative_prompt", {"negativePrompt"}),
        ("response_format", {"responseFormat"}),
        ("output_format", {"outputFormat"}),
        ("output_compression", {"outputCompression"}),
        ("control_image", {"controlImage"}),
        ("safety_identifier", {"safetyIdentifier"}),
        ("n", set()),
    ],
)
def test_a_field_has_its_synonyms_in_both_cases(field: str, others: set[str]) -> None:
    first, *rest = spellings(field)
    assert first == field
    assert set(rest) == others


@pytest.mark.parametrize("request_type", [ImageGenerationRequest, ImageEditRequest, ImageVariationRequest])
def test_no_spelling_stands_for_two_fields(request_type: type[ImageRequest]) -> None:
    fields = [field.name for field in msgspec.structs.fields(request_type)]
    every = [spelling for field in fields for spelling in spellings(field)]
    assert len(every) == len(set(every))


def test_every_alias_is_of_a_field_that_exists() -> None:
    assert set(ALIASES) <= set(ImageRequest.__struct_fields__)
