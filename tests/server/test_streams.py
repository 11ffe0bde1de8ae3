"""Pictures as a stream of events: what OpenAI's client makes of them, and what goes over the wire."""

import base64
import io
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import acme_pictures
import openai
import pytest
from form_bodies import CONTENT_TYPE, form, part, text
from openai.types import (
    ImageEditCompletedEvent,
    ImageEditPartialImageEvent,
    ImageGenCompletedEvent,
    ImageGenPartialImageEvent,
)
from PIL import Image
from server_process import ServerProcess

GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"
VARIATIONS = "/v1/images/variations"
EVERY_FIELD = {"type", "b64_json", "created_at", "size", "quality", "background", "output_format", "image_index"}


def png(size: tuple[int, int] = (128, 128)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, (200, 40, 40)).save(data, "PNG")
    return data.getvalue()


def opened(b64_json: str) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(b64_json)))
    image.load()
    return image


def post(server: ServerProcess, path: str, body: bytes | dict[str, Any], **headers: str) -> tuple[Any, bytes]:
    """The headers and the whole body of an answer that is 200."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data, {"content-type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=120) as response:
        assert response.status == 200
        return response.headers, response.read()


def events(body: bytes) -> list[tuple[str, Any]]:
    """Name and data of each event. Every one must be two lines and an empty one, and nothing else be there."""
    *blocks, rest = body.split(b"\n\n")
    assert rest == b""
    told = []
    for block in blocks:
        name, data = block.split(b"\n")
        assert (name[:7], data[:6]) == (b"event: ", b"data: ")
        told.append((name[7:].decode(), json.loads(data[6:])))
    return told


def stream(server: ServerProcess, path: str = GENERATIONS, **body: Any) -> list[tuple[str, Any]]:
    given = {"stream": True, "num_inference_steps": 8, **body}
    return events(post(server, path, {"prompt": "a red fox", **given} if path != VARIATIONS else given)[1])


@pytest.fixture
def client(server: ServerProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    environment = acme_pictures.install(tmp_path_factory.mktemp("acme"))
    with ServerProcess(environment=environment) as process:
        yield process


@pytest.fixture
def acme_client(acme: ServerProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{acme.url}/v1", api_key="unused", max_retries=0) as client:
        yield client


def test_openai_streams_a_generation(client: openai.OpenAI, server: ServerProcess) -> None:
    told = list(
        client.images.generate(
            model="calotype/tintype",
            prompt="a red fox",
            stream=True,
            partial_images=2,
            quality="low",
            extra_body={"seed": 7},
        )
    )
    *partials, completed = told
    assert [partial.partial_image_index for partial in partials if isinstance(partial, ImageGenPartialImageEvent)] == [
        0, 1
    ]  # fmt: skip
    for partial in partials:
        assert opened(partial.b64_json).size == (128, 128)
        assert (partial.type, partial.size) == ("image_generation.partial_image", "128x128")
        assert (partial.quality, partial.background) == ("low", "opaque")
    assert isinstance(completed, ImageGenCompletedEvent)
    assert (completed.type, completed.quality, completed.output_format) == ("image_generation.completed", "low", "png")
    assert completed.usage.total_tokens == completed.usage.input_tokens + completed.usage.output_tokens
    assert (completed.model_extra or {})["seed"] == 7
    whole = server.paint(seed=7, quality="low", num_inference_steps=None)[1]
    assert completed.b64_json == whole["data"][0]["b64_json"]
    assert completed.usage.to_dict() == whole["usage"]


def test_openai_streams_an_edit(client: openai.OpenAI) -> None:
    *partials, completed = client.images.edit(
        model="calotype/tintype",
        prompt="a red fox",
        image=[("fox.png", png((176, 96)))],
        stream=True,
        partial_images=1,
        output_format="jpeg",
    )
    assert [type(partial) for partial in partials] == [ImageEditPartialImageEvent]
    assert isinstance(completed, ImageEditCompletedEvent)
    assert (completed.type, completed.output_format, completed.size) == ("image_edit.completed", "jpeg", "176x96")
    assert opened(completed.b64_json).format == "JPEG"
    assert completed.usage.input_tokens_details.image_tokens > 0


def test_every_event_has_every_field_on_the_wire(server: ServerProcess) -> None:
    headers, body = post(
        server, GENERATIONS, {"prompt": "a red fox", "stream": True, "partial_images": 1}, accept="application/json"
    )
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-cache"
    assert headers["x-request-id"]
    (partial_name, partial), (completed_name, completed) = events(body)
    assert (partial_name, completed_name) == (partial["type"], completed["type"])
    assert set(partial) == EVERY_FIELD | {"partial_image_index"}
    facts = {"seed", "model", "steps", "milliseconds", "model_revision", "cost"}
    assert set(completed) == EVERY_FIELD | facts | {"usage", "warnings"}
    assert opened(partial["b64_json"]).format == partial["output_format"].upper()


def test_several_pictures_are_several_completed_events(server: ServerProcess) -> None:
    told = [event for _, event in stream(server, n=3, seed=7, partial_images=2)]
    partials = [event for event in told if event["type"].endswith("partial_image")]
    assert sorted((event["image_index"], event["partial_image_index"]) for event in partials) == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)
    ]  # fmt: skip
    completed = [event for event in told if event["type"].endswith("completed")]
    assert [(event["image_index"], event["seed"]) for event in completed] == [(0, 7), (1, 8), (2, 9)]
    whole = server.paint(n=3, seed=7, num_inference_steps=8)[1]
    assert [event["b64_json"] for event in completed] == [item["b64_json"] for item in whole["data"]]
    for count in ("input_tokens", "output_tokens", "total_tokens"):
        assert sum(event["usage"][count] for event in completed) == whole["usage"][count]


def test_a_form_streams_by_the_text_true(server: ServerProcess) -> None:
    body = form(text("prompt", "a fox"), text("stream", "true"), part("image", png(), filename="blob"))
    _, answer = post(server, EDITS, body, **{"content-type": CONTENT_TYPE})
    assert [name for name, _ in events(answer)] == ["image_edit.completed"]
    [(name, completed)] = stream(server, VARIATIONS, image=base64.b64encode(png()).decode())
    assert (name, completed["warnings"]) == ("image_edit.completed", [])


def test_without_stream_in_the_body_no_header_makes_one(server: ServerProcess) -> None:
    body = {"prompt": "a red fox", "num_inference_steps": 2, "partial_images": 2}
    headers, answer = post(server, GENERATIONS, body, accept="text/event-stream")
    assert headers["content-type"] == "application/json"
    assert [warning["feature"] for warning in json.loads(answer)["warnings"]] == ["partial_images"]


def test_a_stream_that_is_asked_for_urls_has_both(server: ServerProcess) -> None:
    [(_, completed)] = stream(server, response_format="url")
    with urllib.request.urlopen(completed["url"]) as response:
        assert response.read() == base64.b64decode(completed["b64_json"])
    assert [warning["feature"] for warning in completed["warnings"]] == ["response_format"]
    [(_, plain)] = stream(server)
    assert "url" not in plain


def test_fewer_previews_than_asked_are_told(server: ServerProcess) -> None:
    *partials, (_, completed) = stream(server, num_inference_steps=2, partial_images=3)
    assert len(partials) < 3
    assert [warning["feature"] for warning in completed["warnings"]] == ["partial_images"]


def test_warnings_of_every_kind_are_in_the_completed_event(server: ServerProcess) -> None:
    [(_, completed)] = stream(server, style="vivid", size="1024x1024", model="gpt-image-1")
    assert {warning["feature"] for warning in completed["warnings"]} == {"style", "size", "model"}


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"n": 11}, "n"),
        ({"size": "banana"}, "size"),
        ({"partial_images": 4}, "partial_images"),
        ({"image": "/etc/passwd"}, "image"),
        ({"mask": base64.b64encode(png()).decode()}, "mask"),
        ({"strict": True, "style": "vivid"}, "style"),
        ({"strict": True, "size": "1024x1024"}, "size"),
    ],
)
def test_what_is_wrong_from_the_start_is_a_plain_400(
    server: ServerProcess, fields: dict[str, Any], parameter: str
) -> None:
    status, answer = server.paint(stream=True, **fields)
    assert (status, answer["error"]["param"]) == (400, parameter)


def test_openai_raises_its_own_error_for_a_stream_that_cannot_begin(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.images.generate(model="acme/nobody", prompt="a fox", stream=True)


def test_a_full_queue_is_a_plain_429(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = tmp_path_factory.mktemp("busy") / "calotype.toml"
    settings.write_text("[queue]\nrunning_max = 1\nwaiting_max = 0")
    with ServerProcess("--config", str(settings)) as server:
        server.wait_ready()
        request = urllib.request.Request(
            server.url + GENERATIONS,
            b'{"prompt": "a fox", "stream": true, "partial_images": 1, "n": 10, "num_inference_steps": 50}',
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            response.readline()
            status, answer = server.paint(stream=True)
            assert (status, answer["error"]["code"]) == (429, "model_busy")


def test_a_failure_before_the_first_event_has_its_status(acme_client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="tore at once") as caught:
        acme_client.images.generate(model="acme/breaks-early", prompt="a fox", stream=True, partial_images=1)
    assert caught.value.status_code == 503


@pytest.mark.parametrize(
    ("model_id", "message", "code"),
    [("acme/breaks-late", "the film tore", "engine_error"), ("acme/has-a-bug", "internal error", "internal_error")],
)
def test_a_late_failure_is_an_event_that_openai_raises(
    acme: ServerProcess, acme_client: openai.OpenAI, model_id: str, message: str, code: str
) -> None:
    told = acme_client.images.generate(model=model_id, prompt="a fox", stream=True, partial_images=1)
    assert next(told).type == "image_generation.partial_image"
    with pytest.raises(openai.APIError, match=message) as caught:
        next(told)
    assert (caught.value.code, caught.value.type) == (code, "server_error")
    assert "secret" not in caught.value.message
    (_, _), (name, data) = stream(acme, model=model_id, partial_images=1, num_inference_steps=None)
    assert (name, set(data)) == ("error", {"error"})


def test_a_late_failure_is_in_the_servers_log(acme: ServerProcess) -> None:
    body = {"prompt": "a fox for the log", "stream": True, "partial_images": 1, "model": "acme/has-a-bug"}
    post(acme, GENERATIONS, body, **{"x-request-id": "buggy"})
    assert acme.record("buggy")["error"] == "ZeroDivisionError"
    assert "ZeroDivisionError: a secret number" in "".join(acme.stderr)


def test_a_model_that_shows_nothing_streams_its_picture_and_says_so(acme: ServerProcess) -> None:
    told = stream(acme, model="acme/brush", n=3, seed=7, partial_images=2, num_inference_steps=None)
    assert [(name, event["seed"]) for name, event in told] == [
        ("image_generation.completed", seed) for seed in (7, 8, 9)
    ]
    assert [warning["feature"] for warning in told[0][1]["warnings"]] == ["partial_images"]
    assert "usage" not in told[0][1]
    status, answer = acme.paint(
        stream=True, strict=True, model="acme/brush", partial_images=2, num_inference_steps=None
    )
    assert (status, answer["error"]["param"]) == (400, "partial_images")


def test_previews_of_a_split_call_name_the_pictures_of_the_whole(acme: ServerProcess) -> None:
    told = stream(acme, model="acme/film", n=3, seed=7, partial_images=1, num_inference_steps=None)
    partials = [event["image_index"] for name, event in told if name.endswith("partial_image")]
    assert sorted(partials) == [0, 1, 2]
    assert [event["image_index"] for name, event in told if name.endswith("completed")] == [0, 1, 2]


def test_a_stream_leaves_one_record(server: ServerProcess) -> None:
    body = {"prompt": "a secret fox", "stream": True, "seed": 9, "num_inference_steps": 2, "style": "vivid"}
    post(server, GENERATIONS, body, **{"x-request-id": "streamed"})
    record = server.record("streamed")
    assert (record["status"], record["seed"], record["warnings"]) == (200, 9, ["style"])
    assert record["milliseconds"] > 0
