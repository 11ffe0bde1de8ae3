"""Whatever is wrong with a request, the answer is the same shape, with the right status, and names the parameter."""

import contextlib
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from server_process import ServerProcess

GENERATIONS = "/v1/images/generations"
PATHS = [GENERATIONS, "/v1/images/edits", "/v1/images/variations"]


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"n": "many"}, "n"),
        ({"n": 1.5}, "n"),
        ({"n": True}, "n"),
        ({"size": "banana"}, "size"),
        ({"size": "0x0"}, "size"),
        ({"size": 1024}, "size"),
        ({"size": "16385x16"}, "size"),
        ({"size": "1024x128"}, "size"),
        ({"width": 0, "height": 64}, "width"),
        ({"width": 64, "height": 16385}, "height"),
        ({"width": 64.5, "height": 64}, "width"),
        ({"width": 64}, "height"),
        ({"height": 64}, "width"),
        ({"size": "128x128", "width": 256, "height": 128}, "size"),
        ({"size": "1024x1024", "aspect_ratio": "16:9"}, "aspect_ratio"),
        ({"aspect_ratio": "wide"}, "aspect_ratio"),
        ({"aspect_ratio": "0:1"}, "aspect_ratio"),
        ({"aspect_ratio": "9:1"}, "aspect_ratio"),
        ({"num_inference_steps": -1}, "num_inference_steps"),
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"num_inference_steps": 10**30}, "num_inference_steps"),
        ({"guidance": "nan"}, "guidance"),
        ({"guidance": -1}, "guidance"),
        ({"guidance": 1e300}, "guidance"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**53}, "seed"),
        ({"seed": 2**53 - 1, "n": 2}, "seed"),
        ({"seed": "lucky"}, "seed"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "   "}, "prompt"),
        ({"prompt": ["a", "fox"]}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"negative_prompt": 3}, "negative_prompt"),
        ({"response_format": "file"}, "response_format"),
        ({"output_format": "gif"}, "output_format"),
        ({"output_format": "svg"}, "output_format"),
        ({"partial_images": 4}, "partial_images"),
        ({"partial_images": -1, "stream": True}, "partial_images"),
        ({"stream": "true"}, "stream"),
        ({"strict": "true"}, "strict"),
        ({"input_images": ["aGVsbG8="] * 9}, "input_images"),
        ({"images": ["aGVsbG8="] * 17}, "image"),
        ({"image": {"file_id": "file-1"}}, "image"),
        ({"image": "C:\\pictures\\fox.png"}, "image"),
        ({"image": "http://169.254.169.254/latest/meta-data"}, "image"),
        ({"output_compression": 101}, "output_compression"),
        ({"quality": "superb"}, "quality"),
        ({"background": "blue"}, "background"),
        ({"model": "gpt-image-" + "x" * 1000}, "model"),
        ({"strength": 1.5}, "strength"),
        ({"image": "aGVsbG8="}, "image"),
        ({"image": "/etc/passwd"}, "image"),
        ({"mask": "aGVsbG8="}, "mask"),
        ({"control_image": "aGVsbG8="}, "control_image"),
        ({"guidance": 3, "guidance_scale": 3}, "guidance"),
        ({"steps": 3, "numInferenceSteps": 3, "num_inference_steps": None}, "num_inference_steps"),
    ],
)
def test_a_wrong_field_is_400_and_named(server: ServerProcess, fields: dict[str, Any], parameter: str) -> None:
    status, body = server.post(GENERATIONS, {"prompt": "a red fox", **fields})
    assert status == 400
    error = body["error"]
    assert (error["param"], error["type"]) == (parameter, "invalid_request_error")
    assert set(error) == {"message", "type", "param", "code"}
    assert 0 < len(error["message"]) < 1000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"null",
        b'"a fox"',
        b'{"prompt": "a fox"} trailing',
        b'{"prompt": "\xff\xfe"}',
        b'{"\xff": 1, "prompt": "a fox"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"prompt": "a fox", "extra": ' + b"[" * 100_000,
        b'{"prompt": "a fox", "extra": ' + b'{"a":' * 100_000,
        b'{"prompt": "a fox", "seed": NaN}',
    ],
    ids=lambda body: repr(body[:32]),
)
def test_what_is_no_json_object_is_400(server: ServerProcess, body: bytes) -> None:
    for path in PATHS:
        status, answer = server.post(path, body)
        assert status == 400
        assert answer["error"]["type"] == "invalid_request_error"
        assert answer["error"]["param"] is None


def test_a_deeply_nested_field_that_is_whole_is_400(server: ServerProcess) -> None:
    nested = b"[" * 100_000 + b"]" * 100_000
    status, answer = server.post(GENERATIONS, b'{"prompt": ' + nested + b"}")
    assert status == 400
    assert answer["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "part",
    [
        b"Content-Disposition: form-data\r\n\r\nnameless",
        b"\r\n\xff\xfe\x00binary",
        b'Content-Disposition: form-data; name="prompt"\r\n\r\n\xff\xfe\x00',
        b'Content-Disposition: form-data; name="image"\r\nContent-Type: image/png\r\n\r\n\x89PNG\xff\x00',
    ],
)
def test_a_form_part_that_cannot_be_used_is_400(server: ServerProcess, part: bytes) -> None:
    prompt = b'--line\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na fox\r\n'
    if b'name="prompt"' in part:
        prompt = b""
    body = prompt + b"--line\r\n" + part + b"\r\n--line--\r\n"
    status, answer = server.post(GENERATIONS, body, content_type="multipart/form-data; boundary=line")
    assert status == 400
    assert answer["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/msgpack", ""])
def test_another_kind_of_body_is_415(server: ServerProcess, content_type: str) -> None:
    for path in PATHS:
        status, answer = server.post(path, b'{"prompt": "a fox"}', content_type=content_type)
        assert status == 415
        assert answer["error"]["message"]


@pytest.mark.parametrize("model_id", ["", " ", "gpt-image-" + "x" * 100, "../tintype"])
def test_an_id_that_nobody_has_is_404_however_it_looks(server: ServerProcess, model_id: str) -> None:
    status, answer = server.paint(model=model_id)
    assert (status, answer["error"]["code"]) == (404, "model_not_found")


def test_an_unknown_model_is_404_and_names_some_that_exist(server: ServerProcess) -> None:
    for status, answer in (server.paint(model="acme/brush"), server.get("/v1/models/acme/brush")):
        assert status == 404
        assert answer["error"]["param"] == "model"
        assert "calotype/tintype" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/", 404),
        ("GET", "/v1/images/generations", 405),
        ("GET", "/v1/images/edits", 405),
        ("PUT", "/v1/images/variations", 405),
        ("POST", "/v1/models", 405),
        ("DELETE", "/health", 405),
        ("GET", "/files/../../etc/passwd", 404),
        ("GET", "/v1/models/%ff%fe", 404),
    ],
)
def test_the_frameworks_own_failures_have_the_same_shape(
    server: ServerProcess, method: str, path: str, status: int
) -> None:
    answered, body = server.send(method, path)
    assert answered == status
    assert set(body["error"]) == {"message", "type", "param", "code"}


def test_a_body_over_the_bound_is_413_before_it_is_read(server: ServerProcess) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.putrequest("POST", GENERATIONS)
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(10**12))
    connection.endheaders()
    with connection.getresponse() as response:
        assert response.status == 413
        assert set(json.load(response)["error"]) == {"message", "type", "param", "code"}
    connection.close()


def test_a_body_without_a_length_is_413_once_it_passes_the_bound(server: ServerProcess) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    chunk = b"x" * 2**20

    def endless() -> Any:
        for _ in range(64):
            yield chunk

    # The server may answer and close before all is sent.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.request(
            "POST", GENERATIONS, body=endless(), headers={"content-type": "application/json"}, encode_chunked=True
        )
    with connection.getresponse() as response:
        assert response.status == 413
    connection.close()


def test_after_all_this_the_server_still_paints(server: ServerProcess) -> None:
    assert server.paint()[0] == 200
    assert not [line for line in server.stderr if "Traceback" in line]
