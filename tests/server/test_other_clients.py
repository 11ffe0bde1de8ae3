"""OpenAI's client for Node, and litellm, each in an environment of its own: every call, every error, every retry."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from server_process import ServerProcess

CLIENTS = Path(__file__).parent.parent / "clients"
NODE = ("node", str(CLIENTS / "openai-images.mjs"))
LITELLM = (str(CLIENTS / "litellm/bin/python"), str(CLIENTS / "litellm_images.py"))
SECONDS_MAX = 120
QUICK: dict[str, Any] = {"num_inference_steps": 2, "seed": 7}


def run(*command: str) -> Any:
    # Neither client may look for a newer price list, or send what it has seen.
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def node(server: ServerProcess, method: str, *, key: str = "unused", **body: Any) -> Any:
    return run(*NODE, f"{server.url}/v1", key, method, json.dumps(body))


def litellm(server: ServerProcess, method: str, **body: Any) -> Any:
    return run(*LITELLM, f"{server.url}/v1", method, json.dumps(body))


def size_of(item: dict[str, Any]) -> tuple[int, int]:
    with Image.open(io.BytesIO(base64.b64decode(item["b64_json"]))) as image:
        image.load()
        return image.size


@pytest.fixture(scope="module")
def apple(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a file with a picture."""
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


def test_node_generates(server: ServerProcess) -> None:
    result = node(server, "generate", prompt="a cat", model="gpt-image-1", n=2, size="1024x1024", **QUICK)["result"]
    assert [size_of(item) for item in result["data"]] == [(128, 128)] * 2
    assert [item["seed"] for item in result["data"]] == [7, 8]
    assert result["usage"]["total_tokens"] == result["usage"]["input_tokens"] + result["usage"]["output_tokens"]


def test_node_edits_with_a_mask(server: ServerProcess, apple: str, mask: str) -> None:
    body: dict[str, Any] = {"prompt": "a big apple on a red background", "image": apple, "mask": mask, **QUICK}
    result = node(server, "edit", **body)["result"]
    assert size_of(result["data"][0]) == (128, 128)
    assert result["warnings"] == []


def test_node_is_told_that_three_images_are_too_many_for_this_model(server: ServerProcess, apple: str) -> None:
    error = node(server, "edit", prompt="a cat", image=[apple] * 3)["error"]
    assert (error["class"], error["status"], error["param"]) == ("BadRequestError", 400, "image")


def test_node_varies(server: ServerProcess, apple: str) -> None:
    result = node(server, "variation", image=apple, n=2, **QUICK)["result"]
    assert [size_of(item) for item in result["data"]] == [(128, 128)] * 2


def test_node_lists_models(server: ServerProcess) -> None:
    models = node(server, "models")["result"]["data"]
    assert "calotype/tintype" in [model["id"] for model in models]


def test_node_streams(server: ServerProcess) -> None:
    body: dict[str, Any] = {"prompt": "a cat", "partial_images": 2, "num_inference_steps": 8, "seed": 7}
    events = node(server, "stream", **body)["result"]["events"]
    assert [event["type"] for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert [event["partial_image_index"] for event in events[:2]] == [0, 1]
    assert {size_of(event) for event in events} == {(128, 128)}
    assert events[-1]["usage"]["output_tokens"] == 64


def test_node_streams_an_edit(server: ServerProcess, apple: str, mask: str) -> None:
    body: dict[str, Any] = {
        "prompt": "a cat",
        "image": apple,
        "mask": mask,
        "partial_images": 1,
        "num_inference_steps": 8,
    }
    events = node(server, "streamEdit", **body)["result"]["events"]
    assert [event["type"] for event in events] == ["image_edit.partial_image", "image_edit.completed"]


def test_litellm_generates(server: ServerProcess) -> None:
    result = litellm(server, "image_generation", prompt="a cat", n=2, **QUICK)["result"]
    assert [size_of(item) for item in result["data"]] == [(128, 128)] * 2


def test_litellm_edits(server: ServerProcess, apple: str, mask: str) -> None:
    # It sends even a single image as `image[]`.
    result = litellm(server, "image_edit", prompt="a big cat on a red background", image=[apple], mask=mask)["result"]
    assert size_of(result["data"][0]) == (128, 128)


def test_litellm_raises_for_a_bad_size(server: ServerProcess) -> None:
    error = litellm(server, "image_generation", prompt="a cat", size="enormous")["error"]
    assert (error["class"], error["status"]) == ("BadRequestError", 400)
