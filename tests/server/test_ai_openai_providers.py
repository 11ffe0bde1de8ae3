"""The AI SDK's providers for OpenAI's wire, unchanged: @ai-sdk/openai, and openai-compatible under two names."""

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
from ai_sdk import Major
from PIL import Image
from server_process import ServerProcess, until

PATH = "/v1/images/generations"
FOX = "a red fox on a blue background"
VIAS = ("openai", "compatible", "runcrate")
COMPATIBLE = {"compatible": "calotype", "runcrate": "runcrate"}

each_client = pytest.mark.parametrize(("major", "via"), [(major, via) for major in (6, 7) for via in VIAS])
each_compatible = pytest.mark.parametrize(("major", "via"), [(major, via) for major in (6, 7) for via in COMPATIBLE])


def run(major: Major, server: ServerProcess, via: str, **arguments: Any) -> Any:
    answer = ai_sdk.run(major, server, via=via, path="/v1", **arguments)
    return answer.get("result") or answer["error"]


def sizes(answer: dict[str, Any]) -> list[tuple[int, int]]:
    return [opened(image).size for image in answer["images"]]


def opened(image: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(image["base64"])))


def asked(server: ServerProcess, status: int | None = None) -> int:
    mine = [record for record in server.records() if record["path"].startswith("/v1/images")]
    return sum(status is None or record["status"] == status for record in mine)


def quick(via: str, **more: Any) -> dict[str, Any]:
    """@ai-sdk/openai drops what OpenAI has not."""
    return {"providerOptions": {COMPATIBLE.get(via, "openai"): {"num_inference_steps": 2, **more}}}


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


@each_client
def test_three_pictures(server: ServerProcess, major: Major, via: str) -> None:
    answer = run(major, server, via, prompt=FOX, n=3, size="144x112", **quick(via))
    assert sizes(answer) == [(144, 112)] * 3
    # To @ai-sdk/openai it is a model of which nothing is known: three requests of one picture.
    assert len(answer["headers"]) == (3 if via == "openai" else 1)
    assert len({image["base64"] for image in answer["images"]}) == 3


@pytest.mark.parametrize("major", [6, 7])
def test_a_model_that_openai_has_is_asked_once_for_all(server: ServerProcess, major: Major) -> None:
    answer = run(major, server, "openai", model="gpt-image-1", prompt=FOX, n=3)
    assert sizes(answer) == [(128, 128)] * 3
    assert len(answer["headers"]) == 1


@each_client
def test_what_the_client_does_not_send_it_says_itself(server: ServerProcess, major: Major, via: str) -> None:
    answer = run(major, server, via, prompt=FOX, seed=7, aspectRatio="16:9", **quick(via))
    assert {warning["feature"] for warning in answer["warnings"]} == {"seed", "aspectRatio"}
    assert sizes(answer) == [(128, 128)]


@each_compatible
def test_extensions_pass_through(server: ServerProcess, major: Major, via: str) -> None:
    answer = run(major, server, via, prompt=FOX, n=2, **quick(via, seed=7, aspect_ratio="9:7"))
    _, same = server.paint(prompt=FOX, n=2, seed=7, aspect_ratio="9:7")
    assert [image["base64"] for image in answer["images"]] == [item["b64_json"] for item in same["data"]]


@pytest.mark.parametrize("major", [6, 7])
def test_openais_client_reads_usage_and_metadata(server: ServerProcess, major: Major) -> None:
    answer = run(major, server, "openai", prompt=FOX, providerOptions={"openai": {"outputFormat": "webp"}})
    assert answer["usage"]["outputTokens"] == 64
    [image] = answer["providerMetadata"]["openai"]["images"]
    assert (image["size"], image["outputFormat"], image["background"]) == ("128x128", "webp", "opaque")
    assert answer["images"][0]["mediaType"] == "image/webp"


def test_compatible_reads_usage(server: ServerProcess) -> None:
    assert run(7, server, "compatible", prompt=FOX, **quick("compatible"))["usage"]["outputTokens"] == 64


@each_client
def test_an_edit_with_a_file_and_a_mask(server: ServerProcess, major: Major, via: str, apple: str, mask: str) -> None:
    prompt = {"text": "a big apple on a red background", "images": [{"path": apple}]}
    assert sizes(run(major, server, via, prompt=prompt, **quick(via))) == [(128, 128)]
    masked = {**prompt, "mask": {"path": mask}}
    assert sizes(run(major, server, via, prompt=masked, **quick(via))) == [(128, 128)]


def data_url(path: str) -> str:
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()


@each_client
def test_an_edit_with_data_urls(server: ServerProcess, major: Major, via: str, apple: str, mask: str) -> None:
    prompt = {"text": "a big apple on a red background", "images": [data_url(apple)], "mask": data_url(mask)}
    answer = run(major, server, via, prompt=prompt, **quick(via))
    assert sizes(answer) == [(128, 128)]
    with Image.open(apple) as original, opened(answer["images"][0]) as edited:
        kept, whole = (0, 0, 48, 128), (0, 0, 128, 128)
        assert edited.crop(kept).tobytes() == original.crop(kept).tobytes()
        assert edited.crop(whole).tobytes() != original.crop(whole).tobytes()


@each_client
def test_a_url_is_fetched_by_the_client_which_refuses_private_hosts(
    server: ServerProcess, major: Major, via: str, apple: str
) -> None:
    name, private = f"refuses-{major}-{via}", f"{server.url}/fox.png"
    for prompt in ({"images": [private]}, {"images": [data_url(apple)], "mask": private}):
        told = run(major, server, via, prompt={"text": FOX, **prompt}, headers={"x-request-id": name}, **quick(via))
        assert (told["name"], told["message"]) == ("AI_DownloadError", "URL with IP address 127.0.0.1 is not allowed")
    assert not [one for one in server.records() if one["path"] == "/fox.png" or one["request_id"] == name]


@pytest.mark.parametrize("via", ["string", "registry", "custom", "wrapped"])
@pytest.mark.parametrize(("major", "over"), [(major, over) for major in (6, 7) for over in VIAS])
def test_models_by_name_registry_custom_provider_and_middleware(
    server: ServerProcess, major: Major, over: str, via: str
) -> None:
    answer = run(major, server, via, over=over, prompt=FOX, **quick(over))
    assert sizes(answer) == [(128, 128)]
    # The middleware's own, which these clients do not send.
    assert [warning["feature"] for warning in answer["warnings"]] == ["seed"] * (via == "wrapped")


@each_client
def test_bad_input_has_the_servers_words_and_is_told_once(server: ServerProcess, major: Major, via: str) -> None:
    before = asked(server, 400)
    told = run(major, server, via, prompt=FOX, size="banana")
    assert (told["name"], told["statusCode"], told["isRetryable"]) == ("AI_APICallError", 400, False)
    assert told["message"] == "size must look like '1024x768', got 'banana'"
    until(lambda: asked(server, 400) > before, "the record")
    assert asked(server, 400) == before + 1


@each_client
def test_an_unknown_model(server: ServerProcess, major: Major, via: str) -> None:
    told = run(major, server, via, model="nobody/paints", prompt=FOX)
    assert (told["name"], told["statusCode"], told["isRetryable"]) == ("AI_APICallError", 404, False)
    assert told["message"].startswith("no model 'nobody/paints' is served here")


@pytest.fixture(scope="module")
def busy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One call at a time, and nobody may wait; a key is needed; OpenAI's models are there."""
    settings = tmp_path_factory.mktemp("settings") / "calotype.toml"
    settings.write_text(f'demo = true\n[queue]\nrunning_max = 1\nwaiting_max = 0\n[keys]\nada = "{ai_sdk.KEY}"\n')
    environment = acme_pictures.install(tmp_path_factory.mktemp("acme"))
    with ServerProcess("--config", str(settings), environment=environment) as process:
        yield process.wait_ready()


@each_client
def test_a_wrong_key(busy_server: ServerProcess, major: Major, via: str) -> None:
    told = run(major, busy_server, via, key="wrong", prompt=FOX)
    assert (told["name"], told["statusCode"], told["isRetryable"]) == ("AI_APICallError", 401, False)
    assert "key" in told["message"]


@each_client
def test_a_busy_server_is_asked_three_times(busy_server: ServerProcess, major: Major, via: str) -> None:
    with ai_sdk.kept_busy(busy_server):
        told = run(major, busy_server, via, key=ai_sdk.KEY, model="acme/brush", prompt=FOX)
    assert (told["name"], told["reason"]) == ("AI_RetryError", "maxRetriesExceeded")
    assert [(one["name"], one["statusCode"]) for one in told["errors"]] == [("AI_APICallError", 429)] * 3


@each_client
def test_a_server_that_was_busy_gives_its_picture_to_the_next_try(
    busy_server: ServerProcess, major: Major, via: str
) -> None:
    name = f"tries-again-{major}-{via}"

    def tries() -> list[int]:
        return [record["status"] for record in busy_server.records() if record["request_id"] == name]

    options: dict[str, Any] = {"prompt": FOX, "maxRetries": 5, "headers": {"x-request-id": name}}
    trying = ai_sdk.command(major, busy_server, via=via, path="/v1", key=ai_sdk.KEY, model="acme/brush", **options)
    with ai_sdk.kept_busy(busy_server):
        caller = subprocess.Popen(trying, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        until(lambda: bool(tries()), "a refusal")
    with caller:
        assert caller.stdout is not None
        assert sizes(json.loads(caller.stdout.read())["result"]) == [(1, 1)]
    until(lambda: 200 in tries(), "the record")
    assert set(tries()[:-1]) == {429}


N, STEPS = 4, 50
# A step of all pictures may be under way when the caller leaves, and one more before the news has come through.
STEPS_AFTER_MAX = 3 * N


def slow(via: str) -> dict[str, Any]:
    """@ai-sdk/openai asks for several pictures at once only of OpenAI's models, and for steps by the quality alone."""
    if via == "openai":
        return {"n": N, "model": "gpt-image-1", "providerOptions": {"openai": {"quality": "high"}}}
    return {"n": N, "providerOptions": {COMPATIBLE[via]: {"num_inference_steps": STEPS}}}


@each_client
def test_an_aborted_call_stops_the_engine_within_a_step(busy_server: ServerProcess, major: Major, via: str) -> None:
    def steps() -> int:
        done: int = busy_server.send("GET", "/v1/engine", authorization=f"Bearer {ai_sdk.KEY}")[1]["steps_done"]
        return done

    before = steps()
    calling = ai_sdk.command(major, busy_server, via=via, path="/v1", key=ai_sdk.KEY, prompt=FOX, **slow(via))
    with subprocess.Popen(calling, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as caller:
        until(lambda: steps() > before + N, "steps")
        at_abort = steps()
        told = json.loads(caller.communicate("abort\n", timeout=60)[0])["error"]
    assert told["name"] == "AbortError"
    body = {"prompt": FOX, "num_inference_steps": 2}
    # Until the one place is free.
    until(lambda: busy_server.post(PATH, body, authorization=f"Bearer {ai_sdk.KEY}")[0] == 200, "a picture")
    assert steps() - 2 - at_abort <= STEPS_AFTER_MAX
