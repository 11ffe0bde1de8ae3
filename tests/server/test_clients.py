"""Real clients, unchanged but for the base URL."""

import base64
import io
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import openai
import pytest
from PIL import Image
from runcrate import Runcrate  # type: ignore[import-untyped]  # it has no type information
from server_process import ServerProcess


@pytest.fixture
def client(server: ServerProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused") as client:
        yield client


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_the_openai_client_is_of_the_major_that_people_use_now() -> None:
    assert openai.__version__.split(".")[0] == "3"


def test_openai_generate_then_print_the_url(client: openai.OpenAI) -> None:
    result = client.images.generate(model="gpt-image-1", prompt="A cute baby sea otter", n=1, size="1024x1024")
    assert result.data
    url = result.data[0].url
    assert url
    with urllib.request.urlopen(url) as response:
        assert opened(response.read()).size == (128, 128)


def test_openai_generate_then_save_to_disk(client: openai.OpenAI, tmp_path: Path) -> None:
    result = client.images.generate(model="gpt-image-1", prompt="a red fox on a blue background")
    assert result.data
    assert result.data[0].b64_json
    path = tmp_path / "otter.png"
    path.write_bytes(base64.b64decode(result.data[0].b64_json))
    assert opened(path.read_bytes()).format == "PNG"


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
def test_openai_extensions_arrive_by_extra_body(
    client: openai.OpenAI, response_format: Literal["url", "b64_json"]
) -> None:
    result = client.images.generate(
        model="calotype/tintype",
        prompt="a cat on a green background",
        response_format=response_format,
        extra_body={
            "seed": 7,
            "num_inference_steps": 2,
            "guidance": 4.0,
            "aspect_ratio": "16:9",
            "negative_prompt": "dog",
        },
    )
    assert result.data
    assert result.size == "176x96"
    assert (result.data[0].model_extra or {})["seed"] == 7
    warned = [warning["feature"] for warning in (result.model_extra or {})["warnings"]]
    assert warned == ["aspect_ratio", "negative_prompt"]


PRODUCTS = ["a red apple", "a blue car", "a green book", "a yellow banana", "a brown teddy bear"]


def test_a_batch_of_products_one_by_one_and_through_a_pool_of_five(client: openai.OpenAI, tmp_path: Path) -> None:
    def paint(product: str) -> bytes:
        result = client.images.generate(
            model="black-forest-labs/FLUX.1-schnell",
            prompt=f"Product photo of {product}, white background",
            response_format="b64_json",
            extra_body={"seed": 42, "num_inference_steps": 4},
        )
        assert result.data
        return base64.b64decode(result.data[0].b64_json or "")

    one_by_one = [paint(product) for product in PRODUCTS]
    with ThreadPoolExecutor(max_workers=5) as pool:
        together = list(pool.map(paint, PRODUCTS))
    assert together == one_by_one
    assert len(set(together)) == len(PRODUCTS)
    for number, data in enumerate(together):
        path = tmp_path / f"product-{number}.png"
        path.write_bytes(data)
        assert opened(path.read_bytes()).size == (128, 128)


def test_openai_lists_and_finds_models(client: openai.OpenAI) -> None:
    assert "calotype/tintype" in [model.id for model in client.models.list()]
    assert client.models.retrieve("calotype/tintype").owned_by == "calotype"


def test_openai_raises_its_own_errors_with_our_words(server: ServerProcess) -> None:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as bad:
            client.images.generate(model="calotype/tintype", prompt="a fox", size="banana")
        assert bad.value.param == "size"
        assert "banana" in bad.value.message
        assert bad.value.request_id
        with pytest.raises(openai.NotFoundError) as missing:
            client.images.generate(model="acme/brush", prompt="a fox")
        assert missing.value.code == "model_not_found"


def test_runcrate_generates_and_saves(server: ServerProcess, tmp_path: Path) -> None:
    with Runcrate(api_key="rc_live_x", inference_url=server.url) as client:
        response = client.models.generate_image(
            model="black-forest-labs/FLUX.1-dev",
            prompt="a red fox on a blue background",
            aspect_ratio="1:1",
            num_inference_steps=4,
            guidance=3.5,
            seed=7,
        )
        path = tmp_path / "fox.png"
        response.data[0].save(str(path))
    assert opened(path.read_bytes()).size == (128, 128)


def test_the_curl_that_the_server_prints_leaves_a_picture(server: ServerProcess, tmp_path: Path) -> None:
    printed = "".join(server.stdout)
    command = printed[printed.index("curl") :]
    subprocess.run(["bash", "-c", command], check=True, cwd=tmp_path, timeout=60)
    assert opened((tmp_path / "fox.png").read_bytes()).size == (128, 128)


def test_curl_with_an_aspect_ratio(server: ServerProcess) -> None:
    curl = shutil.which("curl")
    assert curl, "the tests need curl"
    body = (
        '{"model": "black-forest-labs/FLUX.1-schnell", "prompt": "A serene mountain landscape at sunset", '
        '"aspect_ratio": "16:9", "num_inference_steps": 4}'
    )
    answer = subprocess.run(
        [curl, "-sS", "--fail", f"{server.url}/v1/images/generations", "-H", "Authorization: Bearer rc_live_x",
         "-H", "Content-Type: application/json", "-d", body],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert b'"size":"176x96"' in answer.stdout
