"""The AI SDK's words to the abstract call, and its answer back, for each version of its clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_adapters.fields import UNKNOWN_FIELDS_NAMED_MAX, decode_fields
from calotype_adapters.pictures import INPUT_IMAGES_MAX, PICTURES_MAX
from calotype_adapters.vercel.convert import to_call, to_config, to_empty_response, to_response, to_warnings
from calotype_adapters.vercel.names import spec_of_client, spec_of_path
from calotype_adapters.vercel.types import SPEC_VERSIONS, CalotypeOptions, GatewayImageRequest, SpecVersion
from calotype_provider.call_checks import check
from calotype_provider.errors import InvalidCallError
from calotype_provider.model_card import ModelCard
from calotype_provider.types import (
    AspectRatio,
    Caller,
    CallWarning,
    GeneratedImage,
    ImageModelCall,
    ImageModelResult,
    ImageSource,
    ImageUsage,
    Size,
)


def converted(**values: Any) -> tuple[ImageModelCall, tuple[CallWarning, ...]]:
    raws = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in values.items()}
    data, unknown = decode_fields(raws, GatewayImageRequest)
    return to_call(data, unknown=unknown)


def call_of(**values: Any) -> ImageModelCall:
    call, warnings = converted(**values)
    assert warnings == ()
    return call


def result(**changes: Any) -> ImageModelResult:
    images = tuple(GeneratedImage(b"picture", "image/jpeg", seed, Size(144, 112)) for seed in (7, 8))
    return msgspec.structs.replace(ImageModelResult(images=images, model_id="calotype/tintype"), **changes)


def answer(result: ImageModelResult, *, spec: SpecVersion = "v4", **more: Any) -> dict[str, Any]:
    base64 = [msgspec.Raw(b'"aGk="')] * len(result.images)
    response = to_response(result, base64=base64, spec=spec, request_id="req_1", **more)
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(response))
    return told


def test_everything_that_the_sdk_says_reaches_the_call() -> None:
    call = call_of(
        prompt="a fox",
        n=3,
        size="1024x768",
        aspectRatio="4:3",
        seed=0,
        files=[
            {"type": "file", "mediaType": "image/webp", "data": "aGk="},
            {"type": "url", "url": "https://a.example/fox"},
        ],
        mask={"type": "file", "mediaType": "image/png", "data": "bWFzaw==", "providerOptions": {}},
        providerOptions={},
    )
    assert call == ImageModelCall(
        prompt="a fox",
        n=3,
        size=Size(1024, 768),
        aspect_ratio=AspectRatio(4, 3),
        seed=0,
        images=(ImageSource("aGk=", "images"), ImageSource("https://a.example/fox", "images")),
        mask=ImageSource("bWFzaw==", "mask"),
        caller=Caller(),
    )


def test_what_is_absent_or_null_is_not_asked() -> None:
    assert call_of() == ImageModelCall(prompt="")
    assert call_of(prompt=None, n=None, size=None, files=[], mask=None, providerOptions=None) == call_of()
    assert call_of(providerOptions={"calotype": None}) == call_of()


def test_calotypes_options_reach_the_call() -> None:
    options = {
        "numInferenceSteps": 4,
        "guidance": 2.5,
        "negativePrompt": "rain",
        "strength": 0.5,
        "controlImage": "Y29udHJvbA==",
        "inputImages": ["bW9yZQ==", "https://a.example/more"],
        "outputFormat": "webp",
        "outputCompression": 80,
        "quality": "high",
        "strict": True,
    }
    assert set(options) == {field.encode_name for field in msgspec.structs.fields(CalotypeOptions)}
    files = [{"type": "url", "url": "https://a.example/fox"}]
    assert call_of(prompt="a fox", files=files, providerOptions={"calotype": options}) == ImageModelCall(
        prompt="a fox",
        num_inference_steps=4,
        guidance_scale=2.5,
        negative_prompt="rain",
        strength=0.5,
        images=(
            ImageSource("https://a.example/fox", "images"),
            ImageSource("bW9yZQ==", "input_images"),
            ImageSource("https://a.example/more", "input_images"),
        ),
        control_image=ImageSource("Y29udHJvbA==", "control_image"),
        output_format="webp",
        output_compression=80,
        quality="high",
        strict=True,
    )


@pytest.mark.parametrize("name", ["steps", "num_inference_steps", "numInferenceSteps"])
def test_options_go_by_all_their_names(name: str) -> None:
    assert call_of(providerOptions={"calotype": {name: 4}}).num_inference_steps == 4


@pytest.mark.parametrize(
    ("provider", "options", "field", "value"),
    [
        ("blackForestLabs", {"steps": 4}, "num_inference_steps", 4),
        ("togetherai", {"negative_prompt": "rain"}, "negative_prompt", "rain"),
        ("fal", {"guidanceScale": 2}, "guidance_scale", 2.0),
        ("replicate", {"prompt_strength": 0.5}, "strength", 0.5),
        ("deepinfra", {"num_inference_steps": 4}, "num_inference_steps", 4),
        ("runcrate", {"guidance": 2}, "guidance_scale", 2.0),
        ("openai", {"outputFormat": "jpeg"}, "output_format", "jpeg"),
        ("openai", {"quality": "hd"}, "quality", "high"),
        ("openai", {"quality": "standard"}, "quality", None),
    ],
)
def test_options_of_other_providers_mean_the_same(
    provider: str, options: dict[str, Any], field: str, value: Any
) -> None:
    assert getattr(call_of(providerOptions={provider: options}), field) == value


def test_calotypes_own_options_come_first_and_what_is_passed_over_is_told() -> None:
    options = {"fal": {"steps": 9, "guidance": 3}, "calotype": {"steps": 4}, "openai": {"quality": "low"}}
    call, warnings = converted(providerOptions=options)
    assert (call.num_inference_steps, call.guidance_scale, call.quality) == (4, 3.0, "low")
    assert [warning.feature for warning in warnings] == ["providerOptions.fal.steps"]
    assert converted(providerOptions={"fal": {"steps": 4}, "calotype": {"steps": 4}})[1] == ()


def test_options_that_nobody_knows_are_told() -> None:
    options = {
        "calotype": {"brush": 1},
        "fal": {"sync_mode": True},
        "luma": {"a": 1},
        "gateway": {"user": "u", "order": []},
    }
    _, warnings = converted(providerOptions=options, cfg=3)
    assert [(warning.type, warning.feature) for warning in warnings] == [
        ("unsupported", "providerOptions.calotype.brush"),
        ("unsupported", "providerOptions.fal.sync_mode"),
        ("unsupported", "providerOptions.luma.a"),
        ("unsupported", "providerOptions.gateway.order"),
        ("unsupported", "cfg"),
    ]


def test_a_wrong_value_is_an_error_of_ours_and_a_warning_of_others() -> None:
    with pytest.raises(InvalidCallError) as caught:
        converted(providerOptions={"calotype": {"outputFormat": "gif"}})
    assert caught.value.parameter == "output_format"
    _, warnings = converted(providerOptions={"fal": {"outputFormat": "gif"}})
    assert [warning.feature for warning in warnings] == ["providerOptions.fal.outputFormat"]


def test_warnings_of_options_are_bounded() -> None:
    _, warnings = converted(providerOptions={"luma": {f"option{k}" * 99: k for k in range(200)}})
    assert len(warnings) == UNKNOWN_FIELDS_NAMED_MAX + 1
    assert warnings[-1].details == "184 more"
    assert max(len(warning.feature) for warning in warnings) < 100


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"size": "banana"}, "size"),
        ({"aspectRatio": "wide"}, "aspect_ratio"),
        ({"n": 1.5}, "n"),
        ({"files": "aGk="}, "files"),
        ({"files": [{"type": "file", "mediaType": "image/png"}]}, "files"),
        ({"files": [{"type": "path", "path": "/etc/passwd"}]}, "files"),
        ({"files": [{"type": "url", "url": "a"}] * (PICTURES_MAX + 1)}, "images"),
        ({"mask": []}, "mask"),
        ({"providerOptions": []}, "provider_options"),
        ({"providerOptions": {"calotype": 1}}, "provider_options"),
        ({"providerOptions": {"calotype": {"inputImages": ["a"] * (INPUT_IMAGES_MAX + 1)}}}, "input_images"),
        ({"providerOptions": {"calotype": {"controlImage": ["a", "b"]}}}, "control_image"),
        ({"providerOptions": {"calotype": {"strict": True, "brush": 1}}}, "providerOptions.calotype.brush"),
        ({"providerOptions": {"calotype": {"steps": 1, "numInferenceSteps": 2}}}, "num_inference_steps"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        converted(**values)
    assert caught.value.parameter == parameter


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
OPTION_NAMES = st.sampled_from([field.encode_name for field in msgspec.structs.fields(CalotypeOptions)]) | st.text()
PROVIDERS = st.sampled_from(["calotype", "openai", "fal", "gateway", "luma"])
OPTIONS = st.dictionaries(PROVIDERS, st.dictionaries(OPTION_NAMES, JSON, max_size=4), max_size=3)
FIELDS = [field.encode_name for field in msgspec.structs.fields(GatewayImageRequest)]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON), OPTIONS | st.none(), st.sampled_from(SPEC_VERSIONS))
def test_whatever_is_sent_is_a_call_or_an_error_that_names_its_field(
    values: dict[str, Any], options: dict[str, Any] | None, spec: SpecVersion
) -> None:
    if options is not None:
        values = {**values, "providerOptions": options}
    try:
        call, warnings = converted(**values)
        check(call)
    except InvalidCallError as error:
        named = error.parameter
    else:
        named = "nothing"
        assert_readable(msgspec.to_builtins(to_warnings(warnings, spec=spec)), spec)
    assert named


@given(st.dictionaries(st.sampled_from(["openai", "fal", "luma"]), st.dictionaries(OPTION_NAMES, JSON)))
def test_options_of_others_are_never_an_error(options: dict[str, Any]) -> None:
    # Applications name several providers at once, each with values of its own.
    converted(prompt="a fox", providerOptions=options)


def assert_readable(warnings: list[dict[str, Any]], spec: SpecVersion) -> None:
    """As the clients' own schemas have it (@ai-sdk/gateway 2.0.168, 3.0.232, 4.0.146)."""
    shapes = {
        "unsupported": ({"type", "feature"}, {"details"}),
        "compatibility": ({"type", "feature"}, {"details"}),
        "deprecated": ({"type", "setting", "message"}, set()),
        "other": ({"type", "message"}, set()),
    }
    known = {"v2": {"other"}, "v3": {"unsupported", "compatibility", "other"}, "v4": set(shapes)}[spec]
    for warning in warnings:
        required, optional = shapes[warning["type"]]
        assert warning["type"] in known
        assert required <= set(warning) <= required | optional
        assert all(isinstance(value, str) for value in warning.values())


KINDS = st.sampled_from(["unsupported", "compatibility", "deprecated", "other"])
WARNINGS = st.lists(st.builds(CallWarning, KINDS, st.text(), st.none() | st.text()))


@given(WARNINGS, st.sampled_from(SPEC_VERSIONS))
def test_every_warning_is_one_that_the_client_reads(warnings: list[CallWarning], spec: SpecVersion) -> None:
    told = msgspec.to_builtins(to_warnings(warnings, spec=spec))
    assert len(told) == len(warnings)
    assert_readable(told, spec)
    for warning, shown in zip(warnings, told, strict=True):
        assert (warning.details or "") in " ".join(shown.values())


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("v4", {"type": "compatibility", "feature": "aspectRatio", "details": "nearly"}),
        ("v3", {"type": "compatibility", "feature": "aspectRatio", "details": "nearly"}),
        ("v2", {"type": "other", "message": "aspectRatio: nearly"}),
    ],
)
def test_a_warning_of_the_cards_choice(spec: SpecVersion, told: dict[str, str]) -> None:
    warning = CallWarning("compatibility", "aspect_ratio", "nearly")
    assert msgspec.to_builtins(to_warnings([warning], spec=spec)) == (told,)


def test_an_answer_in_full() -> None:
    images = [{"seed": 7, "steps": 4, "milliseconds": 12.5}, {"seed": 8, "steps": 4, "milliseconds": 13.5}]
    made_with = {"model_revision": "abc", "torch": "2.11"}
    told = answer(
        result(
            provider_metadata={"calotype": {"images": images, "made_with": made_with}},
            usage=ImageUsage(input_tokens=3, text_tokens=3, output_tokens=128, total_tokens=131),
            warnings=(CallWarning("other", "prompt", "cut"),),
        ),
        warnings=(CallWarning("unsupported", "cfg"),),
    )
    same = {"size": "144x112", "mediaType": "image/jpeg", "model": "calotype/tintype", "modelRevision": "abc"}
    assert told == {
        "images": ["aGk=", "aGk="],
        "warnings": [{"type": "unsupported", "feature": "cfg"}, {"type": "other", "message": "prompt: cut"}],
        "providerMetadata": {
            "calotype": {
                "images": [
                    {"seed": 7, "steps": 4, "milliseconds": 12.5, "cost": "0", **same},
                    {"seed": 8, "steps": 4, "milliseconds": 13.5, "cost": "0", **same},
                ]
            },
            "gateway": {"requestId": "req_1", "model": "calotype/tintype", "cost": "0"},
        },
        "usage": {"inputTokens": 3, "outputTokens": 128, "totalTokens": 131},
    }


def test_an_answer_of_which_nothing_more_is_known() -> None:
    told = answer(result())
    assert told["providerMetadata"]["gateway"] == {"requestId": "req_1", "model": "calotype/tintype"}
    assert [set(image) for image in told["providerMetadata"]["calotype"]["images"]] == [
        {"seed", "size", "mediaType", "model"}
    ] * 2
    assert "usage" not in told


@pytest.mark.parametrize(
    ("costs", "each", "summed"),
    [
        (["0.04", "0.02"], ["0.04", "0.02"], "0.06"),
        ([0.1, 0.2], ["0.1", "0.2"], "0.3"),
        ([1e-7, 0], ["0.0000001", "0"], "0.0000001"),
        ([0.04, None], ["0.04", None], None),
        ([float("nan"), "free"], [None, None], None),
    ],
)
def test_costs_are_decimal_texts_and_add_up(costs: list[Any], each: list[str | None], summed: str | None) -> None:
    metadata = {"calotype": {"images": [{"cost": cost} for cost in costs]}}
    told = answer(result(provider_metadata=metadata))["providerMetadata"]
    assert [image.get("cost") for image in told["calotype"]["images"]] == each
    assert told["gateway"].get("cost") == summed


def test_metadata_of_others_is_handed_on_where_clients_can_read_it() -> None:
    metadata: dict[str, Mapping[str, Any]] = {
        "acme": {"images": [{"a": 1}, {"a": 2}], "b": 3},
        "no-images": {"a": 1},
        "gateway": {"cost": 3},
    }
    told = answer(result(provider_metadata=metadata))["providerMetadata"]
    assert told["acme"] == metadata["acme"]
    assert set(told) == {"acme", "calotype", "gateway"}
    assert "cost" not in told["gateway"]


@given(
    st.integers(0, 10),
    WARNINGS,
    st.none() | st.builds(ImageUsage, *[st.none() | st.integers(0, 999)] * 5),
    st.sampled_from(SPEC_VERSIONS),
)
def test_no_answer_holds_a_null(
    n: int, warnings: list[CallWarning], usage: ImageUsage | None, spec: SpecVersion
) -> None:
    images = tuple(GeneratedImage(b"picture", "image/png", seed, Size(64, 64)) for seed in range(n))
    told = answer(result(images=images, usage=usage), spec=spec, warnings=warnings)
    assert len(told["images"]) == len(told["providerMetadata"]["calotype"]["images"]) == n
    assert_readable(told["warnings"], spec)
    assert not has_null(told)


def has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(has_null, value.values()))
    return any(map(has_null, value)) if isinstance(value, list) else value is None


def test_an_empty_answer_is_not_worth_another_try() -> None:
    told = msgspec.json.decode(msgspec.json.encode(to_empty_response("nothing came")))
    assert told == {
        "images": [],
        "warnings": [{"type": "other", "message": "nothing came"}],
        "isRetryable": False,
    }


@pytest.mark.parametrize("spec", SPEC_VERSIONS)
def test_the_list_of_models(spec: SpecVersion) -> None:
    cards = [
        ModelCard(model_id="acme/brush", default_size=Size(64, 64), description="A brush"),
        ModelCard(model_id="fox", default_size=Size(64, 64)),
    ]
    told = msgspec.json.decode(msgspec.json.encode(to_config(cards, spec=spec)))
    specification = {"specificationVersion": spec, "provider": "acme", "modelId": "acme/brush"}
    first = {"id": "acme/brush", "name": "acme/brush", "description": "A brush", "modelType": "image"}
    assert told["models"][0] == {**first, "specification": specification}
    assert told["models"][1]["specification"]["provider"] == "calotype"
    assert "description" not in told["models"][1]


@pytest.mark.parametrize(
    ("path", "spec"),
    [("/v1/ai/image-model", "v2"), ("/v3/ai", "v3"), ("/v4/ai/config", "v4"), ("/v4/aim", None), ("/v1/images", None)],
)
def test_a_path_is_of_a_version_or_of_another_dialect(path: str, spec: SpecVersion | None) -> None:
    assert spec_of_path(path) == spec


@pytest.mark.parametrize(
    ("header", "spec"), [("2", "v2"), ("3", "v3"), (" 4 ", "v4"), ("5", "v3"), ("", "v3"), (None, "v3")]
)
def test_a_client_says_its_version_or_its_path_does(header: str | None, spec: SpecVersion) -> None:
    assert spec_of_client(header, path="/v3/ai/image-model") == spec
