"""OpenAI's words to the abstract call, and its answer back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_adapters.fields import decode_fields
from calotype_adapters.openai.convert import to_call, to_model, to_model_list, to_response
from calotype_adapters.openai.types import (
    ImageEditRequest,
    ImageGenerationRequest,
    ImageRequest,
    ImageVariationRequest,
)
from calotype_adapters.pictures import INPUT_IMAGES_MAX, PICTURES_MAX, FilePart, ImageInputs
from calotype_provider.call_checks import check
from calotype_provider.errors import InvalidCallError
from calotype_provider.model_card import ModelCard
from calotype_provider.types import (
    PROMPT_CHARACTERS_MAX,
    SEED_MAX,
    AspectRatio,
    Caller,
    CallWarning,
    GeneratedImage,
    ImageFile,
    ImageModelCall,
    ImageModelResult,
    ImageSource,
    ImageUsage,
    Size,
)

CARD = ModelCard(model_id="calotype/tintype", default_size=Size(128, 128))


def request(**values: Any) -> ImageGenerationRequest:
    return ImageGenerationRequest(**{"prompt": "a fox", **values})


def from_json(**values: Any) -> ImageModelCall:
    raws = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in values.items()}
    call, _ = to_call(decode_fields(raws, ImageGenerationRequest)[0])
    check(call)
    return call


def pictures(count: int) -> ImageInputs:
    return ImageInputs(("aGk=",) * count)


def result(**changes: Any) -> ImageModelResult:
    images = tuple(GeneratedImage(b"picture", "image/jpeg", seed, Size(144, 112)) for seed in (7, 8))
    return msgspec.structs.replace(ImageModelResult(images=images, model_id="calotype/tintype"), **changes)


def encoded(response: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(response))


def test_a_prompt_alone_asks_for_nothing_else() -> None:
    call, warnings = to_call(request())
    assert call == ImageModelCall(prompt="a fox")
    assert warnings == ()


def test_every_field_reaches_the_call() -> None:
    caller = Caller("ada", "request-1")
    call, warnings = to_call(
        request(
            n=2,
            size="512x256",
            aspect_ratio="2:1",
            seed=7,
            num_inference_steps=4,
            guidance=3.5,
            negative_prompt="blur",
            strength=0.5,
            image=ImageInputs(("aGk=",)),
            input_images=ImageInputs(("aG8=",)),
            mask=ImageInputs((FilePart(b"mask", media_type="image/gif"),)),
            control_image=ImageInputs(("aGE=",)),
            output_format="webp",
            output_compression=60,
            user="somebody",
            safety_identifier="somebody",
            quality="low",
            background="opaque",
            response_format="b64_json",
            stream=True,
            partial_images=2,
            strict=True,
        ),
        caller=caller,
    )
    assert call == ImageModelCall(
        prompt="a fox",
        n=2,
        size=Size(512, 256),
        aspect_ratio=AspectRatio(2, 1),
        seed=7,
        num_inference_steps=4,
        guidance_scale=3.5,
        negative_prompt="blur",
        strength=0.5,
        images=(ImageSource("aGk=", "images"), ImageSource("aG8=", "input_images")),
        mask=ImageFile(b"mask", "application/octet-stream"),
        control_image=ImageSource("aGE=", "control_image"),
        output_format="webp",
        output_compression=60,
        quality="low",
        partial_images=2,
        strict=True,
        caller=caller,
    )
    assert warnings == ()


def test_every_field_of_the_call_has_a_field_on_the_wire() -> None:
    elsewhere = {"provider_options", "caller", "guidance_scale", "images"}
    fields = set(ImageModelCall.__struct_fields__) - elsewhere
    assert fields <= set(ImageGenerationRequest.__struct_fields__)


@pytest.mark.parametrize(
    ("asked", "quality"),
    [
        (None, None),
        ("auto", None),
        ("standard", None),
        ("hd", "high"),
        ("low", "low"),
        ("medium", "medium"),
        ("high", "high"),
        ("xhigh", "xhigh"),
        ("max", "max"),
    ],
)
def test_a_quality_in_openais_words(asked: Any, quality: str | None) -> None:
    call, warnings = to_call(request(quality=asked))
    assert (call.quality, warnings) == (quality, ())


def test_an_edit_takes_one_image_to_sixteen() -> None:
    assert len(to_call(ImageEditRequest(prompt="a fox", image=pictures(PICTURES_MAX)))[0].images) == PICTURES_MAX
    for images in (None, pictures(0), pictures(PICTURES_MAX + 1)):
        with pytest.raises(InvalidCallError) as caught:
            to_call(ImageEditRequest(prompt="a fox", image=images))
        assert caught.value.parameter == "images"


def test_all_images_of_a_request_together_are_sixteen_at_most() -> None:
    both = {"image": pictures(PICTURES_MAX - 1), "input_images": pictures(1)}
    assert len(to_call(request(**both))[0].images) == PICTURES_MAX
    with pytest.raises(InvalidCallError) as caught:
        to_call(request(image=pictures(PICTURES_MAX), input_images=pictures(1)))
    assert caught.value.parameter == "images"


def test_there_are_eight_input_images_at_most() -> None:
    to_call(request(input_images=pictures(INPUT_IMAGES_MAX)))
    with pytest.raises(InvalidCallError) as caught:
        to_call(request(input_images=pictures(INPUT_IMAGES_MAX + 1)))
    assert caught.value.parameter == "input_images"


def test_a_variation_is_of_one_image_and_has_no_words() -> None:
    call, warnings = to_call(ImageVariationRequest(image=pictures(1), n=2))
    assert call == ImageModelCall(prompt="", n=2, images=(ImageSource("aGk=", "images"),))
    assert warnings == ()
    for count in (0, 2):
        with pytest.raises(InvalidCallError) as caught:
            to_call(ImageVariationRequest(image=pictures(count)))
        assert caught.value.parameter == "images"


@pytest.mark.parametrize(("header", "body", "strict"), [(True, None, True), (False, True, True), (False, None, False)])
def test_a_call_is_strict_by_its_header_or_its_body(header: bool, body: bool | None, strict: bool) -> None:
    assert to_call(request(strict=body), strict=header)[0].strict == strict


@pytest.mark.parametrize(
    ("values", "unknown", "parameter"),
    [({"style": "vivid"}, (), "style"), ({"background": "transparent"}, (), "background"), ({}, ("euler",), "euler")],
)
def test_a_strict_call_is_refused_for_what_would_be_a_warning(
    values: dict[str, Any], unknown: tuple[str, ...], parameter: str
) -> None:
    with pytest.raises(InvalidCallError, match="strict") as caught:
        to_call(request(strict=True, **values), unknown=unknown)
    assert caught.value.parameter == parameter


def test_what_can_be_done_is_done_for_a_strict_call() -> None:
    assert to_call(request(quality="high", n=3, user="ada"), strict=True)[1] == ()


@pytest.mark.parametrize(
    ("values", "feature"),
    [
        ({"style": "vivid"}, "style"),
        ({"background": "transparent"}, "background"),
        ({"moderation": "low"}, "moderation"),
        ({"partial_images": 2}, "partial_images"),
        ({"input_fidelity": "high"}, "input_fidelity"),
        ({"complexity": "low"}, "complexity"),
        ({"frame_count": 4}, "frame_count"),
        ({"frame_duration_ms": 100}, "frame_duration_ms"),
        ({"svg": {"model": "gpt-5"}}, "svg"),
        ({"markup": pictures(1)}, "markup"),
    ],
)
def test_what_is_not_done_is_said(values: dict[str, Any], feature: str) -> None:
    _, warnings = to_call(request(**values))
    assert [(warning.type, warning.feature) for warning in warnings] == [("unsupported", feature)]
    assert warnings[0].details


@pytest.mark.parametrize(
    "values",
    [
        {"quality": "auto"},
        {"background": "auto"},
        {"stream": False},
        {"partial_images": 0},
        {"user": "ada"},
        {"safety_identifier": "ada"},
        {"stream": True},
        {"stream": True, "partial_images": 3},
        {"stream": True, "response_format": "b64_json"},
    ],
)
def test_what_is_done_anyway_needs_no_warning(values: dict[str, Any]) -> None:
    assert to_call(request(**values))[1] == ()


def test_partial_images_are_for_streams() -> None:
    assert to_call(request(partial_images=2))[0].partial_images == 0
    assert to_call(request(partial_images=2, stream=True))[0].partial_images == 2


def test_a_stream_that_should_hold_urls_holds_base64_too_and_says_so() -> None:
    _, warnings = to_call(request(stream=True, response_format="url"))
    assert [(warning.type, warning.feature) for warning in warnings] == [("compatibility", "response_format")]


@given(st.data(), st.sampled_from([ImageGenerationRequest, ImageEditRequest, ImageVariationRequest]))
def test_any_request_becomes_a_call_or_names_a_field(data: st.DataObject, into: type[ImageRequest]) -> None:
    values: dict[str, st.SearchStrategy[Any]] = {
        "prompt": st.text(max_size=5),
        "n": st.integers(-2, 12),
        "size": st.none() | st.sampled_from(["auto", "64x64", "x"]) | st.text(max_size=5),
        "quality": st.none() | st.sampled_from(["auto", "hd", "max"]),
        "image": st.none() | st.builds(pictures, st.integers(0, 17)),
        "input_images": st.none() | st.builds(pictures, st.integers(0, 9)),
        "mask": st.none() | st.builds(pictures, st.integers(0, 2)),
        "aspect_ratio": st.none() | st.sampled_from(["16:9", "wide"]),
        "stream": st.none() | st.booleans(),
        "partial_images": st.none() | st.integers(0, 3),
        "background": st.none() | st.just("transparent"),
        "strict": st.none() | st.booleans(),
    }
    drawn = {name: data.draw(value) for name, value in values.items() if name in into.__struct_fields__}
    match converted(into(**drawn)):
        case str(parameter):
            assert parameter in {*into.__struct_fields__, "images"}
        case call, warnings:
            assert not (call.strict and warnings)
            assert len(call.images) <= PICTURES_MAX
            assert call.images or into is ImageGenerationRequest


def converted(asked: ImageRequest) -> tuple[ImageModelCall, tuple[CallWarning, ...]] | str:
    """The parameter that it is refused for, when it is."""
    try:
        return to_call(asked)
    except InvalidCallError as error:
        return error.parameter


def test_unknown_fields_are_warned_about() -> None:
    _, warnings = to_call(request(), unknown=("sampler", "3 more"))
    assert warnings == (
        CallWarning("unsupported", "sampler", "not a field of this request"),
        CallWarning("unsupported", "3 more", "not a field of this request"),
    )


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"n": -1}, "n"),
        ({"size": "banana"}, "size"),
        ({"size": "0x0"}, "size"),
        ({"width": 512}, "height"),
        ({"size": "512x512", "width": 512, "height": 256}, "size"),
        ({"aspect_ratio": "wide"}, "aspect_ratio"),
        ({"aspect_ratio": "0:1"}, "aspect_ratio"),
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"steps": -4}, "num_inference_steps"),
        ({"guidance": "nan"}, "guidance"),
        ({"guidance": -1}, "guidance_scale"),
        ({"seed": -1}, "seed"),
        ({"seed": SEED_MAX + 1}, "seed"),
        ({"seed": SEED_MAX, "n": 2}, "seed"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n"}, "prompt"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": "x" * (PROMPT_CHARACTERS_MAX + 1)}, "prompt"),
        ({"output_compression": 101}, "output_compression"),
        ({"partial_images": 4}, "partial_images"),
        ({"mask": ["aGk=", "aGk="]}, "mask"),
        ({"mask": []}, "mask"),
        ({"images": ["aGk="] * (PICTURES_MAX + 1)}, "images"),
    ],
)
def test_bad_input_names_its_parameter(values: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        from_json(**{"prompt": "a fox", **values})
    assert caught.value.parameter == parameter


@pytest.mark.parametrize(
    "values",
    [
        {"n": 1},
        {"n": 10},
        {"seed": 0},
        {"seed": SEED_MAX},
        {"prompt": "x" * PROMPT_CHARACTERS_MAX},
        {"guidance": 0},
        {"images": ["aGk="] * PICTURES_MAX},
    ],
)
def test_values_at_their_bounds_are_taken(values: dict[str, Any]) -> None:
    from_json(**{"prompt": "a fox", **values})


def test_a_form_cannot_smuggle_in_what_is_no_number() -> None:
    call, _ = to_call(decode_fields({"prompt": "a fox", "guidance": "nan"}, ImageGenerationRequest)[0])
    with pytest.raises(InvalidCallError):
        check(call)


def test_an_answer_with_base64_and_urls() -> None:
    response = to_response(
        result(warnings=(CallWarning("other", "n", "two"),)),
        created=1_700_000_000,
        base64=[msgspec.Raw(b'"QUE="'), msgspec.Raw(b'"QUI="')],
        urls=["http://localhost/a", "http://localhost/b"],
        quality="high",
        warnings=[CallWarning("unsupported", "style")],
    )
    assert encoded(response) == {
        "created": 1_700_000_000,
        "model": "calotype/tintype",
        "data": [
            {"b64_json": "QUE=", "url": "http://localhost/a", "seed": 7},
            {"b64_json": "QUI=", "url": "http://localhost/b", "seed": 8},
        ],
        "size": "144x112",
        "output_format": "jpeg",
        "background": "opaque",
        "quality": "high",
        "warnings": [
            {"type": "unsupported", "feature": "style"},
            {"type": "other", "feature": "n", "details": "two"},
        ],
    }


def test_what_an_answer_does_not_have_is_absent() -> None:
    with_urls = encoded(to_response(result(), created=1, base64=None, urls=["u", "v"]))
    assert with_urls["data"] == [{"url": "u", "seed": 7}, {"url": "v", "seed": 8}]
    assert with_urls["warnings"] == []
    assert with_urls["quality"] == "auto"
    assert "usage" not in with_urls
    raws = [msgspec.Raw(b'"QUE="')] * 2
    assert encoded(to_response(result(), created=1, base64=raws, urls=None))["data"][0] == {
        "b64_json": "QUE=",
        "seed": 7,
    }


def test_usage_says_what_was_counted() -> None:
    response = to_response(result(usage=ImageUsage(output_tokens=64)), created=1, base64=None, urls=["u", "v"])
    assert encoded(response)["usage"] == {"output_tokens": 64}
    counted = ImageUsage(input_tokens=9, text_tokens=5, image_tokens=4, output_tokens=8, total_tokens=17)
    assert encoded(to_response(result(usage=counted), created=1, base64=None, urls=["u", "v"]))["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"text_tokens": 5, "image_tokens": 4},
        "output_tokens": 8,
        "total_tokens": 17,
    }


def test_models_are_listed_with_their_cards() -> None:
    model = encoded(to_model(CARD, created=5))
    assert {name: model[name] for name in ("id", "object", "created", "owned_by")} == {
        "id": "calotype/tintype",
        "object": "model",
        "created": 5,
        "owned_by": "calotype",
    }
    assert model["calotype"]["default_size"] == {"width": 128, "height": 128}
    assert encoded(to_model_list([CARD], created=5)) == {"object": "list", "data": [model]}


def test_a_model_without_an_owner_in_its_id_is_ours() -> None:
    assert to_model(msgspec.structs.replace(CARD, model_id="sketch"), created=5).owned_by == "calotype"
