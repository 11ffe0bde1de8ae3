"""The AI SDK's gateway dialect, through its own clients: AI SDK 5, 6 and 7, each with the gateway it comes with."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import acme_pictures
import ai_sdk
import pytest
from ai_sdk import GATEWAYS, MAJORS, Major
from PIL import Image
from server_process import ServerProcess, until

QUICK: dict[str, Any] = {"providerOptions": {"calotype": {"numInferenceSteps": 2}}}
FOX = "a red fox on a blue background"

with_files = pytest.mark.parametrize("major", [6, 7])
each_major = pytest.mark.parametrize("major", MAJORS)


def result(major: Major, server: ServerProcess, **arguments: Any) -> dict[str, Any]:
    answer: dict[str, Any] = ai_sdk.run(major, server, **arguments)
    assert "result" in answer, answer
    told: dict[str, Any] = answer["result"]
    return told


def error(major: Major, server: ServerProcess, **arguments: Any) -> dict[str, Any]:
    answer: dict[str, Any] = ai_sdk.run(major, server, **arguments)
    assert "error" in answer, answer
    told: dict[str, Any] = answer["error"]
    return told


def sizes(answer: dict[str, Any]) -> list[tuple[int, int]]:
    return [opened(image).size for image in answer["images"]]


def opened(image: dict[str, Any]) -> Image.Image:
    with Image.open(io.BytesIO(base64.b64decode(image["base64"]))) as opened:
        opened.load()
        return opened.convert("RGB")


def asked(server: ServerProcess, status: int | None = None) -> int:
    """How often it was asked for pictures in this dialect, and answered so."""
    mine = [record for record in server.records() if record["path"].endswith("/image-model")]
    return sum(status is None or record["status"] == status for record in mine)


@pytest.fixture(scope="module")
def apple(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    _, answer = server.paint(prompt="a big apple on a blue background", seed=3, num_inference_steps=8)
    path = tmp_path_factory.mktemp("pictures") / "apple.png"
    path.write_bytes(base64.b64decode(answer["data"][0]["b64_json"]))
    return str(path)


@pytest.fixture(scope="module")
def mask(tmp_path_factory: pytest.TempPathFactory) -> str:
    image = Image.new("RGBA", (128, 128), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (64, 0, 128, 128))
    path = tmp_path_factory.mktemp("masks") / "mask.png"
    image.save(path)
    return str(path)


@each_major
def test_three_pictures_are_one_request_and_each_can_be_painted_again(server: ServerProcess, major: Major) -> None:
    before = asked(server)
    answer = result(major, server, prompt=FOX, n=3, seed=7, **QUICK)
    assert sizes(answer) == [(128, 128)] * 3
    [headers] = answer["headers"]
    server.record(headers["x-request-id"])
    assert asked(server) == before + 1
    images = answer["providerMetadata"]["calotype"]["images"]
    assert [image["seed"] for image in images] == [7, 8, 9]
    _, third = server.paint(prompt=FOX, seed=9)
    assert answer["images"][2]["base64"] == third["data"][0]["b64_json"]


@each_major
def test_everything_about_a_picture_is_in_its_metadata(server: ServerProcess, major: Major) -> None:
    answer = result(major, server, prompt=FOX, seed=7, **QUICK)
    [image] = answer["providerMetadata"]["calotype"]["images"]
    assert image.pop("milliseconds") > 0
    assert len(image.pop("modelRevision")) == 16
    expected = {"seed": 7, "size": "128x128", "steps": 2, "mediaType": "image/png", "cost": "0"}
    assert image == expected | {"model": "calotype/tintype"}
    if major == 7:
        assert answer["images"][0]["providerMetadata"]["calotype"]["seed"] == 7


@pytest.mark.parametrize("major", [6, 7])
def test_the_call_is_told_of_under_gateway(server: ServerProcess, major: Major) -> None:
    answer = result(major, server, prompt=FOX, **QUICK)
    [headers] = answer["headers"]
    told = {"cost": "0", "model": "calotype/tintype", "requestId": headers["x-request-id"]}
    assert answer["providerMetadata"]["gateway"] == told
    assert answer["usage"]["outputTokens"] == 64
    assert answer["usage"]["totalTokens"] == answer["usage"]["inputTokens"] + 64


@with_files
def test_what_is_asked_in_parts_adds_up(server: ServerProcess, major: Major) -> None:
    answer = result(major, server, prompt=FOX, n=3, maxImagesPerCall=2, **QUICK)
    assert len(answer["headers"]) == 2
    assert len(answer["providerMetadata"]["calotype"]["images"]) == len(answer["images"]) == 3
    assert (answer["providerMetadata"]["gateway"]["cost"], answer["usage"]["outputTokens"]) == ("0", 192)


def test_a_client_that_decodes_while_it_reads(acme: ServerProcess) -> None:
    decoding = {"gateway": {"experimental_streamingImageDecoding": True}}
    answer = result(7, acme, model="acme/slow", prompt=FOX, providerOptions=decoding)
    assert (sizes(answer), answer["warnings"][0]["type"]) == ([(1, 1)], "other")


def test_a_seed_of_zero_arrives_where_the_client_sends_it(server: ServerProcess) -> None:
    [image] = result(7, server, prompt=FOX, seed=0, **QUICK)["providerMetadata"]["calotype"]["images"]
    assert image["seed"] == 0


@each_major
def test_what_was_not_done_is_told_in_warnings_that_the_client_reads(server: ServerProcess, major: Major) -> None:
    options = {"calotype": {"numInferenceSteps": 2, "brush": "fine"}, "acme": {"a": 1}}
    answer = result(major, server, prompt=FOX, size="1000x1000", providerOptions=options)
    told = [
        ("unsupported", "providerOptions.calotype.brush", "not an option that is known here"),
        ("unsupported", "providerOptions.acme.a", "not an option that is known here"),
        ("compatibility", "size", "asked for 1000x1000, painted at 128x128 (1:1)"),
    ]
    if major == 5:
        shown = [f"{feature}: {'unsupported: ' * (kind == 'unsupported')}{details}" for kind, feature, details in told]
        assert answer["warnings"] == [{"type": "other", "message": message} for message in shown]
    else:
        assert [tuple(warning.values()) for warning in answer["warnings"]] == told


@each_major
def test_size_and_ratio_both_arrive(server: ServerProcess, major: Major) -> None:
    answer = result(major, server, prompt=FOX, size="144x112", aspectRatio="9:7", **QUICK)
    assert (sizes(answer), answer["warnings"]) == ([(144, 112)], [])
    told = error(major, server, prompt=FOX, size="128x128", aspectRatio="16:9", **QUICK)
    assert told["message"].startswith("size 128x128 and aspect_ratio 16:9 contradict each other")


@each_major
def test_a_ratio_alone_is_the_nearest_shape(server: ServerProcess, major: Major) -> None:
    answer = result(major, server, prompt=FOX, aspectRatio="16:9", **QUICK)
    [size] = sizes(answer)
    assert size[0] > size[1]


def test_options_reach_the_call(server: ServerProcess) -> None:
    options = {"calotype": {"numInferenceSteps": 3, "outputFormat": "jpeg", "outputCompression": 50, "guidance": 2}}
    answer = result(7, server, prompt=FOX, seed=7, providerOptions=options)
    assert answer["images"][0]["mediaType"] == "image/jpeg"
    assert answer["providerMetadata"]["calotype"]["images"][0]["steps"] == 3
    _, same = server.paint(
        prompt=FOX, seed=7, num_inference_steps=3, guidance=2, output_format="jpeg", output_compression=50
    )
    assert answer["images"][0]["base64"] == same["data"][0]["b64_json"]


def test_options_of_another_provider_are_understood(server: ServerProcess) -> None:
    options = {"blackForestLabs": {"steps": 3}, "openai": {"quality": "hd", "user": "ada"}, "fal": {"steps": 5}}
    answer = result(6, server, prompt=FOX, providerOptions=options)
    assert answer["providerMetadata"]["calotype"]["images"][0]["steps"] == 3
    assert "providerOptions.fal.steps" in [warning["feature"] for warning in answer["warnings"]]


def test_strict_refuses_what_would_be_a_warning(server: ServerProcess) -> None:
    told = error(7, server, prompt=FOX, size="1000x1000", providerOptions={"calotype": {"strict": True}})
    assert told["message"] == "strict: size: asked for 1000x1000, painted at 128x128 (1:1)"


@with_files
def test_an_edit_with_a_file_and_a_mask_keeps_what_the_mask_keeps(
    server: ServerProcess, major: Major, apple: str, mask: str
) -> None:
    prompt = {"text": "a big apple on a red background", "images": [{"path": apple}], "mask": {"path": mask}}
    answer = result(major, server, prompt=prompt, seed=7, **QUICK)
    assert answer["warnings"] == []
    edited = opened(answer["images"][0])
    with Image.open(apple) as original:
        kept, whole = (0, 0, 48, 128), (0, 0, 128, 128)
        assert edited.crop(kept).tobytes() == original.convert("RGB").crop(kept).tobytes()
        assert edited.crop(whole).tobytes() != original.convert("RGB").crop(whole).tobytes()


@with_files
def test_an_edit_with_urls_is_fetched_by_the_server(fetching_server: ServerProcess, major: Major) -> None:
    urls = [url_of_picture(fetching_server) for _ in range(2)]
    options = {"calotype": {"numInferenceSteps": 4, "strength": 0.5}}
    answer = result(major, fetching_server, prompt={"text": FOX, "images": urls[:1]}, providerOptions=options)
    assert sizes(answer) == [(128, 128)]
    answer = result(major, fetching_server, prompt={"text": FOX, "images": urls[:1], "mask": urls[1]}, **QUICK)
    assert sizes(answer) == [(128, 128)]


@with_files
def test_a_url_of_a_private_host_is_refused_with_the_reason(server: ServerProcess, major: Major) -> None:
    told = error(major, server, prompt={"text": FOX, "images": ["http://127.0.0.1:1/fox.png"]}, **QUICK)
    assert (told["name"], told["statusCode"], told["isRetryable"]) == ("GatewayInvalidRequestError", 400, False)
    assert json.loads(told["responseBody"])["error"]["param"] == "files"


# AI SDK 5 has no wrapImageModel.
VIAS = [
    (major, via)
    for major in MAJORS
    for via in ("string", "registry", "custom", "wrapped")
    if (major, via) != (5, "wrapped")
]


@pytest.mark.parametrize(("major", "via"), VIAS)
def test_models_by_name_registry_custom_provider_and_middleware(server: ServerProcess, major: Major, via: str) -> None:
    answer = result(major, server, via=via, prompt=FOX, **QUICK)
    assert sizes(answer) == [(128, 128)]
    if via == "wrapped":
        assert answer["providerMetadata"]["calotype"]["images"][0]["seed"] == 41


@each_major
def test_models_are_listed(server: ServerProcess, major: Major) -> None:
    models = {model["id"]: model for model in result(major, server, call="models")["models"]}
    tintype = models["calotype/tintype"]
    version = {5: "v2", 6: "v3", 7: "v4"}[major]
    specification = {"specificationVersion": version, "provider": "calotype", "modelId": "calotype/tintype"}
    assert (tintype["specification"], tintype["modelType"]) == (specification, "image")
    assert set(models) == {model["id"] for model in server.get("/v1/models")[1]["data"]}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"size": "banana"}, "size must look like '1024x768', got 'banana'"),
    ({"aspectRatio": "wide"}, "aspect_ratio must look like '16:9', got 'wide'"),
    ({"n": 1.5}, "n: Expected `int"),
    ({"n": 11}, "n must be from 1 to 10, got 11"),
    ({"seed": -1}, "seed must be from 0 to"),
    ({"prompt": ""}, "prompt must not be empty"),
    ({"providerOptions": {"calotype": {"steps": 0}}}, "num_inference_steps must be at least 1"),
    ({"providerOptions": {"calotype": {"strength": "much"}}}, "strength: Expected `float"),
]


@each_major
@pytest.mark.parametrize(("bad", "message"), BAD)
def test_bad_input_is_a_typed_error_with_the_servers_words_told_once(
    server: ServerProcess, major: Major, bad: dict[str, Any], message: str
) -> None:
    before = asked(server, 400)
    told = error(major, server, **({"prompt": FOX} | bad))
    assert (told["name"], told["statusCode"], told["isRetryable"]) == ("GatewayInvalidRequestError", 400, False)
    assert told["message"].startswith(message)
    until(lambda: asked(server, 400) > before, "the record")
    assert asked(server, 400) == before + 1


@with_files
@pytest.mark.parametrize("picture", ["bm90IGEgcGljdHVyZQ==", "file:///etc/passwd", "/etc/passwd"])
def test_what_is_no_picture_is_refused(server: ServerProcess, major: Major, picture: str) -> None:
    body = {"prompt": FOX, "n": 1, "files": [{"type": "url", "url": picture}]}
    status, answer = server.post(f"{GATEWAYS[major]}/image-model", body, ai_model_id="calotype/tintype")
    assert (status, answer["error"]["type"], answer["error"]["param"]) == (400, "invalid_request_error", "files")


@each_major
def test_an_unknown_model_is_named(server: ServerProcess, major: Major) -> None:
    told = error(major, server, model="nobody/paints", prompt=FOX)
    assert (told["name"], told["statusCode"], told["modelId"]) == ("GatewayModelNotFoundError", 404, "nobody/paints")
    assert told["message"].startswith("no model 'nobody/paints' is served here; available: calotype/tintype")


@pytest.fixture(scope="module")
def busy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One call at a time, and nobody may wait; a key is needed."""
    settings = tmp_path_factory.mktemp("settings") / "calotype.toml"
    settings.write_text(f'[queue]\nrunning_max = 1\nwaiting_max = 0\n[keys]\nada = "{ai_sdk.KEY}"\n')
    environment = acme_pictures.install(tmp_path_factory.mktemp("acme-endless"))
    with ServerProcess("--config", str(settings), environment=environment) as process:
        yield process


@each_major
def test_a_wrong_key_is_an_authentication_error_told_once(busy_server: ServerProcess, major: Major) -> None:
    before = asked(busy_server, 401)
    told = error(major, busy_server, key="wrong", prompt=FOX)
    assert (told["name"], told["statusCode"], told["isRetryable"]) == ("GatewayAuthenticationError", 401, False)
    # The client has words of its own for it; the server's are in its cause.
    assert "key" in json.loads(told["responseBody"])["error"]["message"]
    until(lambda: asked(busy_server, 401) > before, "the record")
    assert asked(busy_server, 401) == before + 1


@each_major
def test_a_busy_server_is_asked_three_times_and_its_words_are_the_last(
    busy_server: ServerProcess, major: Major
) -> None:
    before = asked(busy_server, 429)
    with ai_sdk.kept_busy(busy_server):
        told = error(major, busy_server, key=ai_sdk.KEY, model="acme/brush", prompt=FOX)
        until(lambda: asked(busy_server, 429) == before + 3, "three records")
    assert (told["name"], told["reason"]) == ("AI_RetryError", "maxRetriesExceeded")
    each = [(one["name"], one["statusCode"], one["isRetryable"]) for one in told["errors"]]
    assert each == [("GatewayRateLimitError", 429, True)] * 3


@each_major
def test_a_server_that_was_busy_gives_its_picture_to_the_next_try(busy_server: ServerProcess, major: Major) -> None:
    before = asked(busy_server, 429)
    trying = ai_sdk.command(major, busy_server, key=ai_sdk.KEY, model="acme/brush", prompt=FOX, maxRetries=5)
    with ai_sdk.kept_busy(busy_server):
        caller = subprocess.Popen(trying, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        until(lambda: asked(busy_server, 429) > before, "a refusal")
    with caller:
        assert caller.stdout is not None
        assert "result" in json.loads(caller.stdout.read())


N, STEPS = 4, 50
# A step of all pictures may be under way when the caller leaves, and one more before the news has come through.
STEPS_AFTER_MAX = 3 * N


@each_major
def test_an_aborted_call_stops_the_engine_within_a_step(fetching_server: ServerProcess, major: Major) -> None:
    server = fetching_server
    before = server.get("/v1/engine")[1]["steps_done"]
    slow: dict[str, Any] = {"providerOptions": {"calotype": {"numInferenceSteps": STEPS}}, "n": N}
    calling = ai_sdk.command(major, server, prompt=FOX, **slow)
    with subprocess.Popen(calling, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as caller:
        until(lambda: server.get("/v1/engine")[1]["steps_done"] > before + N, "steps")
        at_abort = server.get("/v1/engine")[1]["steps_done"]
        told = json.loads(caller.communicate("abort\n", timeout=60)[0])["error"]
    assert told["name"] == "AbortError"
    # It waits for the one place there is.
    assert server.paint(num_inference_steps=2)[0] == 200
    assert server.get("/v1/engine")[1]["steps_done"] - 2 - at_abort <= STEPS_AFTER_MAX


@pytest.fixture(scope="module")
def fetching_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One call at a time; it fetches pictures from this machine, and so from itself."""
    settings = tmp_path_factory.mktemp("fetching") / "calotype.toml"
    settings.write_text('[queue]\nrunning_max = 1\n[pictures]\nprivate_hosts = ["127.0.0.1"]\n')
    with ServerProcess("--config", str(settings)) as process:
        yield process.wait_ready()


def url_of_picture(server: ServerProcess) -> str:
    url: str = server.paint(response_format="url")[1]["data"][0]["url"]
    return url


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Models that fail. Whole answers begin with spaces after a second."""
    settings = tmp_path_factory.mktemp("acme-settings") / "calotype.toml"
    settings.write_text("answer_begin_seconds_max = 1\n")
    environment = acme_pictures.install(tmp_path_factory.mktemp("acme"))
    with ServerProcess("--config", str(settings), environment=environment) as process:
        yield process


@each_major
def test_an_answer_without_pictures_is_not_asked_for_again(acme: ServerProcess, major: Major) -> None:
    before = asked(acme)
    told = error(major, acme, model="acme/nothing", prompt=FOX)
    assert told["name"] == "AI_NoImageGeneratedError"
    until(lambda: asked(acme) > before, "the record")
    assert asked(acme) == before + 1


@each_major
def test_a_failure_after_the_answer_began_is_told_and_not_tried_again(acme: ServerProcess, major: Major) -> None:
    before = asked(acme)
    told = error(major, acme, model="acme/slow-breaks", prompt=FOX)
    assert (told["name"], told["statusCode"]) == ("GatewayInternalServerError", 200)
    assert (told["message"], told["isRetryable"]) == ("the brush broke", False)
    until(lambda: asked(acme) > before, "the record")
    assert acme.records()[-1]["error"] == "EngineError"
    assert asked(acme) == before + 1


@each_major
def test_a_long_answer_begins_with_spaces(acme: ServerProcess, major: Major) -> None:
    answer = result(major, acme, model="acme/slow", prompt=FOX)
    assert sizes(answer) == [(1, 1)]
    # Nobody knows what others' pictures cost.
    assert "cost" not in answer["providerMetadata"]["calotype"]["images"][0]


@each_major
def test_what_would_fail_again_is_not_tried_again_and_tells_no_secret(acme: ServerProcess, major: Major) -> None:
    before = asked(acme)
    told = error(major, acme, model="acme/has-a-bug-too", prompt=FOX)
    assert (told["name"], told["statusCode"]) == ("GatewayInternalServerError", 424)
    assert "secret" not in told["responseBody"]
    assert "Traceback" not in told["responseBody"]
    until(lambda: asked(acme) > before, "the record")
    assert asked(acme) == before + 1


BASES = tuple(GATEWAYS.values())
NO_ROUTE = {"/v1/ai": "invalid_request_error", "/v3/ai": "invalid_request_error", "/v4/ai": "not_found"}


@pytest.mark.parametrize("base", BASES)
def test_every_refusal_is_in_the_gateways_words(server: ServerProcess, base: str) -> None:
    path = f"{base}/image-model"
    headers = {"ai_model_id": "calotype/tintype"}

    def refusal(status: int, answer: Any) -> tuple[int, str]:
        assert set(answer["error"]) <= {"message", "type", "param", "code"}
        assert isinstance(answer["error"]["message"], str)
        assert None not in answer["error"].values()
        return status, answer["error"]["type"]

    no_route = (404, NO_ROUTE[base])
    assert refusal(*server.post(f"{base}/language-model", {})) == no_route
    assert refusal(*server.get(f"{base}")) == no_route
    assert refusal(*server.get(path)) == (405, "invalid_request_error")
    assert refusal(*server.post(f"{base}/config", {})) == (405, "invalid_request_error")
    assert refusal(*server.post(path, b"{", **headers)) == (400, "invalid_request_error")
    assert refusal(*server.post(path, b"", **headers)) == (400, "invalid_request_error")
    assert refusal(*server.post(path, {"prompt": FOX})) == (400, "invalid_request_error")
    assert refusal(*server.post(path, {"prompt": FOX}, ai_model_id="x" * 201)) == (400, "invalid_request_error")
    assert refusal(*server.send("POST", path, b"a", content_type="text/plain")) == (400, "invalid_request_error")
    form = {"content_type": "multipart/form-data; boundary=x", **headers}
    assert refusal(*server.send("POST", path, b"a", **form)) == (415, "invalid_request_error")
    assert refusal(*server.post(path, {"prompt": FOX}, origin="http://evil.example")) == (403, "forbidden")
    assert refusal(*server.post(path, {"prompt": FOX}, host="evil.example")) == (403, "forbidden")
    large = {"content_length": str(2**40), **headers}
    assert refusal(*server.post(path, {"prompt": FOX}, **large)) == (413, "invalid_request_error")


@pytest.mark.parametrize("base", BASES)
def test_a_missing_key_is_told_in_the_gateways_words(busy_server: ServerProcess, base: str) -> None:
    for method, path in (("POST", "image-model"), ("GET", "config"), ("GET", "nothing")):
        status, answer = busy_server.send(method, f"{base}/{path}", b"{}" if method == "POST" else None)
        assert (status, answer["error"]["type"]) == (401, "authentication_error")


def test_the_client_says_which_warnings_it_reads_whatever_its_path(server: ServerProcess) -> None:
    answers = [
        server.post(
            "/v4/ai/image-model", {"prompt": FOX, "size": "999x999", **QUICK}, ai_model_id="calotype/tintype", **h
        )
        for h in ({}, {"ai_image_model_specification_version": "2"}, {"ai_image_model_specification_version": "99"})
    ]
    assert [answer["warnings"][0]["type"] for _, answer in answers] == ["compatibility", "other", "compatibility"]


def test_equal_requests_are_one_picture_only_where_all_that_they_ask_is_equal(server: ServerProcess) -> None:
    def ask(**headers: str) -> Any:
        body = {"prompt": FOX, "size": "999x999", "seed": 7, "n": 1, **QUICK}
        return server.post("/v4/ai/image-model", body, **{"ai_model_id": "calotype/tintype", **headers})

    status, first = ask()
    assert status == 200
    again = ask()[1]
    images = [each["providerMetadata"]["calotype"]["images"][0]["milliseconds"] for each in (first, again)]
    assert images[0] == images[1]
    assert ask(x_calotype_strict="true")[0] == 400
    other = ask(ai_model_id="black-forest-labs/FLUX.1-schnell")[1]
    assert other["warnings"] != first["warnings"]


def test_nothing_in_an_answer_is_null(server: ServerProcess) -> None:
    _, answer = server.post("/v4/ai/image-model", {"prompt": FOX, "n": 1, **QUICK}, ai_model_id="calotype/tintype")
    assert "null" not in json.dumps(answer)


def test_nothing_went_wrong_on_the_way(server: ServerProcess, fetching_server: ServerProcess) -> None:
    for each in (server, fetching_server):
        assert not [line for line in each.stderr if "Traceback" in line or "never retrieved" in line]


def test_every_client_is_pinned() -> None:
    for major in MAJORS:
        package = json.loads(Path(ai_sdk.CLIENTS, f"ai{major}/package.json").read_text())
        versions = [*package["dependencies"].values(), *package.get("optionalDependencies", {}).values()]
        assert all(version[0].isdigit() for version in versions), major
