"""The embedded models: ordinary FLUX.1 folders in miniature, and pictures that follow their prompts."""

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
from calotype_provider.catalog import EMBEDDED
from calotype_provider.local.model_folder import check_weights

PACKAGE = Path(calotype_provider.__file__).parent
FOLDER = PACKAGE / "tintype"
FOLDERS = [PACKAGE / name for name in EMBEDDED.values()]
BYTES_MAX = 40 * 10**6


def config(name: str, folder: Path = FOLDER) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((folder / name).read_text())
    return loaded


def test_the_folders_are_small_whole_and_all_in_bf16() -> None:
    files = [path for folder in FOLDERS for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= BYTES_MAX
    # Wheels keep no links.
    assert not [path for path in files if path.is_symlink()]
    for folder in FOLDERS:
        check_weights(folder, model_id=folder.name)
    weights = [path for path in files if path.suffix == ".safetensors"]
    assert len(weights) == 5
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


def test_the_others_have_the_architecture_of_kontext_and_canny() -> None:
    _, kontext, canny = FOLDERS
    assert config("model_index.json", kontext)["_class_name"] == "FluxKontextPipeline"
    assert config("model_index.json", canny)["_class_name"] == "FluxControlPipeline"
    # It was trained before tintype had its last look-up of a picture that is edited.
    wider = {**config("transformer/config.json"), "in_channels": 128, "out_channels": 64, "num_single_layers": 7}
    assert config("transformer/config.json", canny) == wider


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
