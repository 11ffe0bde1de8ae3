"""POST /v1/images/generations, and what its answers hold."""

import base64
import io
import re
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from PIL import Image
from server_process import ServerProcess


def picture(item: dict[str, Any]) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(item["b64_json"])))
    image.load()
    return image


def warned(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(warning["type"], warning["feature"]) for warning in answer["warnings"]]


def test_an_answer_says_what_was_painted(server: ServerProcess) -> None:
    status, answer = server.paint(seed=7)
    assert status == 200
    [item] = answer["data"]
    assert picture(item).size == (128, 128)
    assert (item["seed"], answer["size"], answer["output_format"]) == (7, "128x128", "png")
    assert (answer["model"], answer["background"], answer["warnings"]) == ("calotype/tintype", "opaque", [])
    assert abs(answer["created"] - time.time()) < 60


def test_the_same_request_with_a_seed_gives_the_same_bytes(server: ServerProcess) -> None:
    first, second = (server.paint(seed=11)[1]["data"][0]["b64_json"] for _ in range(2))
    assert first == second


def test_two_requests_without_a_seed_are_two_pictures(server: ServerProcess) -> None:
    first, second = (server.paint()[1]["data"][0] for _ in range(2))
    assert first["seed"] != second["seed"]
    assert first["b64_json"] != second["b64_json"]


def test_image_k_of_n_is_the_picture_of_seed_plus_k(server: ServerProcess) -> None:
    _, three = server.paint(n=3, seed=7)
    assert [item["seed"] for item in three["data"]] == [7, 8, 9]
    for item in three["data"]:
        _, alone = server.paint(seed=item["seed"])
        assert picture(alone["data"][0]).tobytes() == picture(item).tobytes()


def test_without_a_format_the_answer_has_base64_and_a_url_of_the_same_picture(server: ServerProcess) -> None:
    [item] = server.paint(seed=3)[1]["data"]
    assert item["url"].startswith(f"{server.url}/files/")
    with urllib.request.urlopen(item["url"]) as response:
        assert response.headers["content-type"] == "image/png"
        assert response.read() == base64.b64decode(item["b64_json"])


@pytest.mark.parametrize(("asked", "absent"), [("url", "b64_json"), ("b64_json", "url")])
def test_with_a_format_the_answer_has_exactly_that(server: ServerProcess, asked: str, absent: str) -> None:
    [item] = server.paint(response_format=asked)[1]["data"]
    assert asked in item
    assert absent not in item


def test_a_picture_by_url_needs_no_key_and_tolerates_one(server: ServerProcess) -> None:
    url = server.paint(response_format="url")[1]["data"][0]["url"]
    request = urllib.request.Request(url, headers={"authorization": "Bearer anything"})
    with urllib.request.urlopen(request) as response:
        assert Image.open(io.BytesIO(response.read())).size == (128, 128)


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [(r"signature=..", "signature=00"), (r"expires=\d", "expires=9"), (r"files/..", "files/zz")],
)
def test_a_url_that_was_changed_opens_nothing(server: ServerProcess, pattern: str, replacement: str) -> None:
    url = server.paint(response_format="url")[1]["data"][0]["url"]
    changed = re.sub(pattern, replacement, url)
    assert changed != url
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(changed)
    with caught.value:
        assert caught.value.code == 403


@pytest.mark.parametrize("query", ["", "?expires=1"])
def test_a_url_without_its_signature_is_not_found(server: ServerProcess, query: str) -> None:
    status, body = server.get(f"/files/0.png{query}")
    assert (status, body["error"]["code"]) == (404, "file_not_found")


@pytest.mark.parametrize("path", ["/health", "/ready", "/v1/models"])
def test_head_is_answered_like_get_without_the_body(server: ServerProcess, path: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(server.url + path, method="HEAD")) as response:
        assert response.status == 200
        assert int(response.headers["content-length"]) > 0
        assert response.read() == b""


@pytest.mark.parametrize(("output_format", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_the_file_is_of_the_kind_that_was_asked_for(server: ServerProcess, output_format: str, kind: str) -> None:
    _, answer = server.paint(output_format=output_format, seed=1)
    assert picture(answer["data"][0]).format == kind
    assert answer["output_format"] == output_format
    assert f".{output_format}?" in answer["data"][0]["url"]


def test_compression_makes_jpeg_smaller_and_is_refused_for_png_in_words(server: ServerProcess) -> None:
    small, large = (
        len(server.paint(output_format="jpeg", output_compression=quality, seed=1)[1]["data"][0]["b64_json"])
        for quality in (10, 95)
    )
    assert small < large
    assert warned(server.paint(output_compression=10)[1]) == [("unsupported", "output_compression")]


@pytest.mark.parametrize(
    ("asked", "size", "feature"),
    [
        ({"size": "1024x1024"}, "128x128", "size"),
        ({"size": "1792x1024"}, "176x96", "size"),
        ({"size": "1024x1792"}, "96x176", "size"),
        ({"size": "128x128"}, "128x128", None),
        ({"size": "auto"}, "128x128", None),
        ({"size": "176x96"}, "176x96", None),
        ({"width": 96, "height": 160}, "96x160", None),
        ({"width": 1000, "height": 1000}, "128x128", "size"),
        ({"aspect_ratio": "1:1"}, "128x128", None),
        ({"aspect_ratio": "16:9"}, "176x96", "aspect_ratio"),
        ({"aspectRatio": "9:16"}, "96x176", "aspect_ratio"),
        ({"size": "1792x1024", "aspect_ratio": "16:9"}, "176x96", "size"),
    ],
)
def test_a_size_is_exact_or_the_nearest_and_told(
    server: ServerProcess, asked: dict[str, Any], size: str, feature: str | None
) -> None:
    status, answer = server.paint(**asked)
    assert status == 200
    assert answer["size"] == size
    assert "{}x{}".format(*picture(answer["data"][0]).size) == size
    assert warned(answer) == ([("compatibility", feature)] if feature else [])


def test_every_spelling_of_a_field_is_that_field(server: ServerProcess) -> None:
    _, plain = server.paint(seed=5, guidance=2.5, num_inference_steps=3, negative_prompt="blue")
    _, camel = server.post(
        "/v1/images/generations",
        {"prompt": "a red fox", "seed": 5, "guidanceScale": 2.5, "steps": 3, "negativePrompt": "blue"},
    )
    assert warned(camel) == [("other", "negative_prompt")]
    assert camel["data"][0]["b64_json"] == plain["data"][0]["b64_json"]


@pytest.mark.parametrize("field", ["guidance", "num_inference_steps", "negative_prompt", "prompt", "seed"])
def test_what_is_asked_changes_the_picture(server: ServerProcess, field: str) -> None:
    changed = {"guidance": 5.5, "num_inference_steps": 4, "negative_prompt": "a fox", "prompt": "a cat", "seed": 6}
    base = {"prompt": "a red fox", "seed": 5, "num_inference_steps": 3}
    _, first = server.paint(**base)
    _, second = server.paint(**{**base, field: changed[field]})
    assert first["data"][0]["b64_json"] != second["data"][0]["b64_json"]


@pytest.mark.parametrize(
    ("fields", "feature"),
    [
        ({"quality": "max"}, "quality"),
        ({"partial_images": 2}, "partial_images"),
        ({"style": "vivid"}, "style"),
        ({"background": "transparent"}, "background"),
        ({"strength": 0.5}, "strength"),
        ({"frobnicate": [1, {"deep": True}]}, "frobnicate"),
    ],
)
def test_what_is_not_done_is_said(server: ServerProcess, fields: dict[str, Any], feature: str) -> None:
    status, answer = server.paint(**fields)
    assert status == 200
    assert [name for _, name in warned(answer)] == [feature]


def test_what_is_asked_and_done_is_not_warned_about(server: ServerProcess) -> None:
    fields = {"quality": "auto", "background": "opaque", "user": "ann", "n": 1, "model": "calotype/tintype"}
    assert server.paint(**fields)[1]["warnings"] == []
    assert server.paint(**fields, strict=True)[0] == 200


@pytest.mark.parametrize(
    ("asked", "served", "steps", "feature"),
    [
        (None, "auto", 8, None),
        ("auto", "auto", 8, None),
        ("standard", "auto", 8, None),
        ("low", "low", 4, None),
        ("medium", "medium", 8, None),
        ("high", "high", 16, None),
        ("hd", "high", 16, None),
        ("xhigh", "high", 16, "quality"),
        ("max", "high", 16, "quality"),
    ],
)
def test_a_quality_is_steps_and_the_answer_says_which_was_served(
    server: ServerProcess, asked: str | None, served: str, steps: int, feature: str | None
) -> None:
    request_id = f"quality-{asked}"
    body = {"prompt": "a red fox", "quality": asked}
    status, answer = server.post("/v1/images/generations", body, x_request_id=request_id)
    assert (status, answer["quality"]) == (200, served)
    assert [name for _, name in warned(answer)] == ([feature] if feature else [])
    assert server.record(request_id)["num_inference_steps"] == steps


def test_steps_that_are_asked_for_are_made_at_any_quality(server: ServerProcess) -> None:
    assert (
        server.paint(quality="high", seed=7)[1]["data"]
        != server.paint(quality="high", seed=7, num_inference_steps=None)[1]["data"]
    )
    high, plain = (server.paint(seed=7, quality=quality)[1] for quality in ("high", None))
    assert high["data"][0]["b64_json"] == plain["data"][0]["b64_json"]


def test_usage_counts_the_prompt_and_what_was_painted(server: ServerProcess) -> None:
    one, three = (server.paint(n=n)[1]["usage"] for n in (1, 3))
    assert one["input_tokens"] == one["input_tokens_details"]["text_tokens"] > 0
    assert one["input_tokens_details"]["image_tokens"] == 0
    assert one["total_tokens"] == one["input_tokens"] + one["output_tokens"]
    assert (three["input_tokens"], three["output_tokens"]) == (one["input_tokens"], 3 * one["output_tokens"])


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"style": "vivid"}, "style"),
        ({"size": "1024x1024"}, "size"),
        ({"quality": "max"}, "quality"),
        ({"strength": 0.5}, "strength"),
        ({"partial_images": 1}, "partial_images"),
        ({"output_compression": 50}, "output_compression"),
        ({"frobnicate": 1}, "frobnicate"),
        ({"model": "gpt-image-1"}, "model"),
        ({"prompt": "fox " * 200}, "prompt"),
    ],
)
def test_a_strict_call_is_refused_for_what_would_be_a_warning(
    server: ServerProcess, fields: dict[str, Any], parameter: str
) -> None:
    assert [name for _, name in warned(server.paint(**fields)[1])] == [parameter]
    by_body = server.paint(strict=True, **fields)
    by_header = server.post(
        "/v1/images/generations", {"prompt": "a red fox", "num_inference_steps": 2, **fields}, x_calotype_strict="true"
    )
    for status, answer in (by_body, by_header):
        assert (status, answer["error"]["param"]) == (400, parameter)


def test_a_form_is_read_like_json(server: ServerProcess) -> None:
    fields = {"prompt": "a red fox", "seed": "5", "num_inference_steps": "2", "n": "1"}
    body = "".join(
        f'--line\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    status, answer = server.post(
        "/v1/images/generations", f"{body}--line--\r\n".encode(), content_type="multipart/form-data; boundary=line"
    )
    assert status == 200
    assert answer["data"][0]["b64_json"] == server.paint(seed=5)[1]["data"][0]["b64_json"]


@pytest.mark.parametrize(
    "model_id", ["gpt-image-1", "dall-e-3", "black-forest-labs/FLUX.1-schnell", "black-forest-labs/FLUX.2-pro",
                 "STABILITYAI/stable-diffusion-3.5-large", "ideogram-ai/ideogram-v2"]
)  # fmt: skip
def test_in_the_demo_tintype_paints_for_known_models_and_says_so(server: ServerProcess, model_id: str) -> None:
    status, answer = server.paint(model=model_id)
    assert status == 200
    assert answer["model"] == "calotype/tintype"
    assert ("compatibility", "model") in warned(answer)


def test_models_are_listed_with_their_cards_and_found_by_id_in_any_case(server: ServerProcess) -> None:
    _, listing = server.get("/v1/models")
    ids = [model["id"] for model in listing["data"]]
    assert ids[0] == "calotype/tintype"
    assert "black-forest-labs/FLUX.1-kontext-pro" in ids
    assert listing["data"][0]["calotype"]["num_inference_steps"]["default"] > 0
    for model_id in ids:
        status, model = server.get(f"/v1/models/{model_id.upper()}")
        assert (status, model["id"], model["object"]) == (200, model_id, "model")


def test_the_engine_tells_how_it_stands(server: ServerProcess) -> None:
    before = server.get("/v1/engine")[1]
    assert server.paint(num_inference_steps=3)[0] == 200
    status, after = server.get("/v1/engine")
    assert (status, after["state"]) == (200, "ready")
    model = after["models"][0]
    assert (model["model_id"], model["state"]) == ("calotype/tintype", "ready")
    assert 0 < model["resident_bytes"] < 50_000_000
    assert after["steps_done"] == before["steps_done"] + 3
    assert (after["waiting"], after["running"], after["restarts"]) == (0, 0, 0)
    assert after["device"]["forwards"] >= 6


def test_a_request_leaves_one_record_without_its_prompt(server: ServerProcess) -> None:
    status, _ = server.post(
        "/v1/images/generations",
        {"prompt": "a secret fox", "seed": 9, "num_inference_steps": 2, "size": "1024x1024"},
        x_request_id="trace-me-42",
    )
    assert status == 200
    record = server.record("trace-me-42")
    assert record["model"] == "calotype/tintype"
    assert (record["size"], record["num_inference_steps"], record["seed"]) == ("128x128", 2, 9)
    assert (record["status"], record["caller"], record["warnings"]) == (200, "anonymous", ["size"])
    assert record["milliseconds"] > 0
    assert "secret" not in "".join(server.stderr)


def test_a_recorded_request_of_a_typescript_sdk_is_answered_as_it_expects(server: ServerProcess) -> None:
    # Its client writes camelCase, adds a query of its own, and sends what it does not know as null.
    recorded = {
        "model": "black-forest-labs/FLUX.1-schnell",
        "prompt": "a red fox",
        "aspectRatio": "16:9",
        "numInferenceSteps": 4,
        "outputFormat": "webp",
        "negativePrompt": None,
        "promptStrength": None,
        "inputImages": None,
        "responseFormat": "b64_json",
        "seed": 0,
    }
    status, answer = server.post(
        "/v1/images/generations?environment=production", recorded, user_agent="runcrate-sdk-typescript/0.5.0"
    )
    assert status == 200
    assert (answer["size"], answer["output_format"]) == ("176x96", "webp")
    assert [item["seed"] for item in answer["data"]] == [0]
    assert {warning["feature"] for warning in answer["warnings"]} == {"aspect_ratio", "model"}


def test_each_picture_says_how_it_was_painted(server: ServerProcess) -> None:
    _, answer = server.paint(n=2, num_inference_steps=3)
    revision = server.get("/v1/engine")[1]["models"][0]["revision"]
    for item in answer["data"]:
        assert (item["steps"], item["model_revision"], item["cost"]) == (3, revision, "0")
        assert item["milliseconds"] > 0
