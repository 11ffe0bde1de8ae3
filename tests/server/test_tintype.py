"""The embedded model: an ordinary FLUX.1 folder in miniature, and pictures that follow their prompts."""

import base64
import io
import json
import struct
from pathlib import Path
from statistics import median

import pytest
from PIL import Image
from server_process import ServerProcess

import calotype_provider

FOLDER = Path(calotype_provider.__file__).parent / "tintype"
BYTES_MAX = 20 * 10**6


def config(name: str) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((FOLDER / name).read_text())
    return loaded


def test_the_folder_is_small_and_all_in_bf16() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= BYTES_MAX
    weights = [path for path in files if path.suffix == ".safetensors"]
    assert len(weights) == 4
    for path in weights:
        with path.open("rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        assert {tensor["dtype"] for name, tensor in header.items() if name != "__metadata__"} == {"BF16"}


def test_the_folder_has_the_architecture_of_flux_1() -> None:
    index = config("model_index.json")
    assert index["_class_name"] == "FluxPipeline"
    assert index["transformer"] == ["diffusers", "FluxTransformer2DModel"]
    assert index["vae"] == ["diffusers", "AutoencoderKL"]
    assert index["scheduler"] == ["diffusers", "FlowMatchEulerDiscreteScheduler"]
    assert index["text_encoder"] == ["transformers", "CLIPTextModel"]
    assert index["text_encoder_2"] == ["transformers", "T5EncoderModel"]
    assert config("transformer/config.json")["guidance_embeds"] is True
    channels = config("vae/config.json")["block_out_channels"]
    assert isinstance(channels, list)
    assert 2 ** (len(channels) - 1) == 8


@pytest.mark.parametrize(
    ("colour", "value"),
    [("blue", (50, 110, 220)), ("yellow", (250, 220, 70)), ("black", (20, 20, 20)), ("green", (70, 170, 80))],
)
@pytest.mark.parametrize("noun", ["fox", "apple", "book"])
def test_the_background_has_the_colour_that_was_asked_for(
    server: ServerProcess, noun: str, colour: str, value: tuple[int, int, int]
) -> None:
    status, answer = server.post("/v1/images/generations", {"prompt": f"a {noun} on a {colour} background", "seed": 7})
    assert status == 200
    image = Image.open(io.BytesIO(base64.b64decode(answer["data"][0]["b64_json"])))
    border = [image.getpixel((x, y)) for x in range(image.width) for y in (2, image.height - 3)]
    seen = [median(pixel[channel] for pixel in border if isinstance(pixel, tuple)) for channel in range(3)]
    assert max(abs(a - b) for a, b in zip(seen, value, strict=True)) < 50
