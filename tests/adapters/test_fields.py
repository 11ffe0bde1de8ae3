"""Fields are decoded one by one, so that every failure names its field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_adapters.fields import (
    FIELD_NAME_CHARACTERS_MAX,
    MESSAGE_CHARACTERS_MAX,
    UNKNOWN_FIELDS_NAMED_MAX,
    FieldValue,
    decode_fields,
)
from calotype_adapters.openai.types import (
    ImageEditRequest,
    ImageGenerationRequest,
    ImageRequest,
    ImageVariationRequest,
)
from calotype_adapters.pictures import FilePart
from calotype_provider.errors import InvalidCallError


def decode(**values: Any) -> ImageGenerationRequest:
    raws = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in values.items()}
    return decode_fields(raws, ImageGenerationRequest)[0]


def decode_form(**values: FieldValue) -> ImageGenerationRequest:
    return decode_fields({"prompt": "a fox", **values}, ImageGenerationRequest)[0]


@pytest.mark.parametrize(
    ("spelling", "value", "parameter"),
    [
        ("n", "3", "n"),
        ("n", 1.5, "n"),
        ("n", True, "n"),
        ("n", 10**30, "n"),
        ("n", [1], "n"),
        ("prompt", 7, "prompt"),
        ("prompt", ["a fox"], "prompt"),
        ("size", 1024, "size"),
        ("guidance", "nan", "guidance"),
        ("guidanceScale", "3", "guidance"),
        ("guidance", True, "guidance"),
        ("steps", 4.5, "num_inference_steps"),
        ("seed", "7", "seed"),
        ("seed", 7.5, "seed"),
        ("response_format", "b64", "response_format"),
        ("responseFormat", 1, "response_format"),
        ("output_format", "gif", "output_format"),
        ("background", "green", "background"),
        ("quality", "superb", "quality"),
        ("style", "cubist", "style"),
        ("moderation", "high", "moderation"),
        ("stream", "true", "stream"),
        ("model", {}, "model"),
        ("user", 3, "user"),
        ("width", "512", "width"),
        ("image", 3, "image"),
        ("image", {"data": "aGk="}, "image"),
        ("images", ["aGk=", 3], "image"),
        ("reference_images", [None], "input_images"),
        ("image", {"file_id": "file-1"}, "image"),
        ("image", {"url": 3}, "image"),
        ("image", {"image_url": {"uri": "https://example.com/a.png"}}, "image"),
        ("images", [{"url": "https://example.com/a.png"}, {}], "image"),
        ("partial_images", 4, "partial_images"),
        ("partial_images", -1, "partial_images"),
        ("input_fidelity", "medium", "input_fidelity"),
        ("complexity", 1, "complexity"),
        ("strict", "yes", "strict"),
    ],
)
def test_a_wrong_value_names_its_field(spelling: str, value: object, parameter: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        decode(**{"prompt": "a fox", spelling: value})
    assert caught.value.parameter == parameter
    assert str(caught.value).startswith(f"{spelling}: ")


def test_a_wrong_choice_is_told_the_right_ones() -> None:
    with pytest.raises(InvalidCallError, match=r"output_format: Invalid enum value 'gif' \(one of png, jpeg, webp\)"):
        decode(prompt="a fox", output_format="gif")


def test_a_message_repeats_little_of_a_long_value() -> None:
    with pytest.raises(InvalidCallError) as caught:
        decode(prompt="a fox", output_format="x" * 10_000)
    assert len(str(caught.value)) <= MESSAGE_CHARACTERS_MAX + 40


@pytest.mark.parametrize("text", [b'"\\ud800"', b'"\\x"', b"9" * 5000, b"1e400"])
def test_what_json_cannot_hold_names_its_field(text: bytes) -> None:
    with pytest.raises(InvalidCallError) as caught:
        decode_fields({"prompt": msgspec.Raw(b'"a fox"'), "seed": msgspec.Raw(text)}, ImageGenerationRequest)
    assert caught.value.parameter == "seed"


def test_null_is_not_given() -> None:
    request = decode(prompt="a fox", n=None, seed=None, image=None, nobody_knows_this=None, steps=None)
    assert request == ImageGenerationRequest(prompt="a fox")


@pytest.mark.parametrize("values", [{}, {"prompt": None}, {"n": 1}])
def test_a_prompt_is_required(values: dict[str, object]) -> None:
    with pytest.raises(InvalidCallError, match="prompt is required") as caught:
        decode(**values)
    assert caught.value.parameter == "prompt"


@pytest.mark.parametrize(
    ("first", "second", "parameter"),
    [
        ("guidance", "guidance_scale", "guidance"),
        ("steps", "numInferenceSteps", "num_inference_steps"),
        ("strength", "promptStrength", "strength"),
        ("image", "startImage", "image"),
        ("image", "images", "image"),
        ("reference_images", "input_images", "input_images"),
        ("aspect_ratio", "aspectRatio", "aspect_ratio"),
    ],
)
def test_two_spellings_of_one_field_are_refused(first: str, second: str, parameter: str) -> None:
    with pytest.raises(InvalidCallError, match=f"{first!r} and {second!r}") as caught:
        decode(**{"prompt": "a fox", first: 1, second: 1})
    assert caught.value.parameter == parameter


def test_a_second_spelling_that_is_null_does_not_count() -> None:
    assert decode(prompt="a fox", steps=None, num_inference_steps=4).num_inference_steps == 4


def test_unknown_fields_come_back_few_and_short() -> None:
    names = [f"{index}" + "x" * 1000 for index in range(UNKNOWN_FIELDS_NAMED_MAX + 3)]
    fields = {name: msgspec.Raw(b"1") for name in names}
    _, unknown = decode_fields({"prompt": msgspec.Raw(b'"a fox"'), **fields}, ImageGenerationRequest)
    assert len(unknown) == UNKNOWN_FIELDS_NAMED_MAX + 1
    assert max(map(len, unknown)) == FIELD_NAME_CHARACTERS_MAX
    assert unknown[-1] == "3 more"


def test_as_many_unknown_fields_as_are_named_leave_none_over() -> None:
    fields = {f"f{index}": msgspec.Raw(b"1") for index in range(UNKNOWN_FIELDS_NAMED_MAX)}
    _, unknown = decode_fields({"prompt": msgspec.Raw(b'"a fox"'), **fields}, ImageGenerationRequest)
    assert unknown == tuple(fields)


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("n", "3", 3),
        ("guidance", "0.5", 0.5),
        ("guidance", "3", 3.0),
        ("stream", "true", True),
        ("stream", "False", False),
        ("seed", "null", None),
        ("seed", "7", 7),
        ("aspect_ratio", "16:9", "16:9"),
        ("prompt", "null", "null"),
        ("prompt", "3", "3"),
        ("response_format", "null", None),
        ("response_format", "base64", "base64"),
        ("size", "null", None),
        ("model", "null", None),
        ("negative_prompt", "null", None),
        ("image", "null", None),
        ("strict", "true", True),
        ("partial_images", "2", 2),
        ("svg", ("gpt-5", "high"), ("gpt-5", "high")),
    ],
)
def test_a_forms_texts_become_what_the_field_holds(field: str, text: str, value: object) -> None:
    assert getattr(decode_form(**{field: text}), field) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", "three"),
        ("n", ""),
        ("n", "9" * 5000),
        ("seed", "1.5"),
        ("guidance", "wide"),
        ("output_format", "gif"),
        ("n", ("1", "2")),
        ("prompt", ("a fox", "a dog")),
        ("prompt", FilePart(b"a fox")),
        ("n", FilePart(b"1")),
    ],
)
def test_a_forms_wrong_value_names_its_field(field: str, value: FieldValue) -> None:
    with pytest.raises(InvalidCallError) as caught:
        decode_form(**{field: value})
    assert caught.value.parameter == field


def test_pictures_come_as_texts_as_lists_and_as_files() -> None:
    file = FilePart(b"\xff\xd8\xff")
    assert decode(prompt="a fox", image="aGk=").image.items == ("aGk=",)  # type: ignore[union-attr]
    assert decode(prompt="a fox", images=["aGk=", "aG8="]).image.items == ("aGk=", "aG8=")  # type: ignore[union-attr]
    assert decode_form(mask=file).mask.items == (file,)  # type: ignore[union-attr]
    assert decode_form(image=(file, "aGk=")).image.items == (file, "aGk=")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "value",
    [
        "aGk=",
        ["aGk="],
        {"url": "aGk=", "type": "image_url"},
        {"image_url": "aGk="},
        {"type": "image_url", "image_url": {"url": "aGk=", "detail": "auto"}},
        [{"url": "aGk="}],
    ],
)
def test_json_names_a_picture_by_a_text_or_in_an_object(value: object) -> None:
    image = decode(prompt="a fox", image=value).image
    assert image is not None
    assert image.items == ("aGk=",)


def test_a_null_in_a_form_is_not_given_whatever_its_field() -> None:
    _, unknown = decode_fields({"prompt": "a fox", "sampler": "null"}, ImageGenerationRequest)
    assert unknown == ()


REQUESTS: list[type[ImageRequest]] = [ImageGenerationRequest, ImageEditRequest, ImageVariationRequest]

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*ImageGenerationRequest.__struct_fields__, "steps", "images"]) | st.text(max_size=80)


def refused_parameter(fields: Mapping[str, FieldValue], into: type[ImageRequest]) -> str | None:
    try:
        decode_fields(fields, into)
    except InvalidCallError as error:
        return error.parameter
    return None


@given(st.dictionaries(NAMES, JSON_VALUES, max_size=6), st.sampled_from(REQUESTS))
def test_any_json_is_decoded_or_refused_by_name(values: dict[str, Any], into: type[ImageRequest]) -> None:
    fields = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in values.items()}
    assert refused_parameter(fields, into) in (None, *into.__struct_fields__)


@given(
    st.dictionaries(NAMES, st.text() | st.builds(FilePart, st.binary(max_size=8)), max_size=6),
    st.sampled_from(REQUESTS),
)
def test_any_form_is_decoded_or_refused_by_name(values: dict[str, Any], into: type[ImageRequest]) -> None:
    assert refused_parameter(values, into) in (None, *into.__struct_fields__)


@given(st.sampled_from(ImageGenerationRequest.__struct_fields__), st.binary(max_size=40))
def test_any_bytes_are_decoded_or_refused_by_name(name: str, text: bytes) -> None:
    fields: dict[str, FieldValue] = {"prompt": "a fox", name: msgspec.Raw(text)}
    assert refused_parameter(fields, ImageGenerationRequest) in (None, name, "prompt")
