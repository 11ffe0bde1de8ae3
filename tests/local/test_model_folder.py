from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from engine_requests import FLUX, FLUX_SCHNELL, TINTYPE, TINTYPE_FOLDER
from safetensors.torch import load_file, save_file

from calotype_provider.errors import ModelLoadError
from calotype_provider.local.card_table import CARDS
from calotype_provider.local.model_folder import check_weights, read_card, revision_of
from calotype_provider.types import ImageModelCall, Size


@pytest.fixture
def copied(folders: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(folders[FLUX], tmp_path / "copied")


def write_json(file: Path, value: object) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(value))


def test_the_embedded_model_brings_its_card() -> None:
    card = read_card(TINTYPE_FOLDER, model_id=TINTYPE)
    assert card.model_id == TINTYPE
    assert card.default_size in card.sizes
    assert all(side % 16 == 0 for size in card.sizes for side in (size.width, size.height))
    assert card.max_sequence_length == 48
    call = card.fit(ImageModelCall(prompt="a red fox", seed=1, size=Size(1792, 1024)))
    assert call.warnings


def test_a_card_comes_from_the_class_and_its_config(folders: dict[str, Path]) -> None:
    dev, schnell = read_card(folders[FLUX], model_id="a"), read_card(folders[FLUX_SCHNELL], model_id="b")
    assert (dev.guidance_means, dev.num_inference_steps and dev.num_inference_steps.default) == ("embedding", 28)
    assert (schnell.guidance_scale, schnell.num_inference_steps and schnell.num_inference_steps.default) == (None, 4)


@pytest.mark.parametrize(
    ("index", "steps", "guidance"),
    [
        ({"_class_name": "Flux2KleinPipeline", "is_distilled": True}, 4, None),
        ({"_class_name": "Flux2KleinPipeline", "is_distilled": False}, 50, 4.0),
        ({"_class_name": "StableDiffusion3Pipeline"}, 28, 4.5),
        ({"_class_name": "QwenImagePipeline"}, 50, 4.0),
        ({"_class_name": "SomethingNewPipeline"}, 30, None),
    ],
)
def test_each_class_has_its_own_defaults(
    tmp_path: Path, index: dict[str, Any], steps: int, guidance: float | None
) -> None:
    write_json(tmp_path / "model_index.json", index)
    fitted = read_card(tmp_path, model_id="a/b").fit(ImageModelCall(prompt="a red fox", seed=1)).call
    assert (fitted.num_inference_steps, fitted.guidance_scale) == (steps, guidance)


@pytest.mark.parametrize("kind", CARDS)
def test_every_card_of_the_table_fits_a_plain_call_in_silence(kind: str) -> None:
    card = CARDS[kind]
    fitted = card.fit(ImageModelCall(prompt="a red fox", seed=1, size=card.default_size))
    assert fitted.warnings == ()
    assert (card.guidance_scale is None) == (card.guidance_means is None)


def test_a_folder_without_an_index_is_none(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ModelLoadError, match=r"there is no model_index\.json"):
            read_card(folder, model_id="a/b")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("model_index.json", "{", "model_index.json cannot be read"),
        ("model_index.json", "[]", "model_index.json cannot be read"),
        ("model_index.json", "{}", "model_index.json has no _class_name"),
        ("model_card.json", '{"stpes": 3}', "model_card.json: .*stpes"),
        ("model_card.json", '{"default_size": {"width": "wide", "height": 1}}', "model_card.json: .*width"),
        ("model_card.json", '{"default_size": {"width": 64, "height": 64}}', "has no num_inference_steps"),
        ("transformer/config.json", "nothing", "config.json cannot be read"),
    ],
)
def test_a_file_that_is_wrong_is_named(copied: Path, name: str, text: str, reason: str) -> None:
    (copied / name).write_text(text)
    with pytest.raises(ModelLoadError, match=reason):
        read_card(copied, model_id="a/b")


def test_whole_weights_pass(folders: dict[str, Path]) -> None:
    for folder in folders.values():
        check_weights(folder, model_id="a/b")


def test_a_missing_part_is_named(copied: Path) -> None:
    shutil.rmtree(copied / "text_encoder_2")
    with pytest.raises(ModelLoadError, match=r"text_encoder_2, which model_index\.json names, is missing"):
        check_weights(copied, model_id="a/b")


def test_missing_weights_are_named(copied: Path) -> None:
    (copied / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ModelLoadError, match="vae has no weights"):
        check_weights(copied, model_id="a/b")


def test_a_missing_shard_is_named(copied: Path) -> None:
    index = copied / "transformer" / "diffusion_pytorch_model.safetensors.index.json"
    write_json(index, {"weight_map": {"x": "diffusion_pytorch_model-00001-of-00002.safetensors"}})
    with pytest.raises(
        ModelLoadError, match=r"transformer/diffusion_pytorch_model-00001-of-00002\.safetensors is missing"
    ):
        check_weights(copied, model_id="a/b")


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_weights_that_are_cut_off_are_named(copied: Path, kept: int) -> None:
    file = copied / "transformer" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ModelLoadError, match=r"transformer/diffusion_pytorch_model\.safetensors .*cut off"):
        check_weights(copied, model_id="a/b")


def test_a_header_longer_than_any_is_not_read(copied: Path) -> None:
    file = copied / "transformer" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(b"\xff" * 16)
    with pytest.raises(ModelLoadError, match="no safetensors header"):
        check_weights(copied, model_id="a/b")


def test_weights_that_were_trained_on_are_another_revision(copied: Path) -> None:
    revision = revision_of(copied)
    file = copied / "transformer" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    save_file({name: weight * 1.01 for name, weight in weights.items()}, file, metadata={"format": "pt"})
    assert revision_of(copied) != revision


def test_a_revision_is_of_the_index_and_the_headers(folders: dict[str, Path], copied: Path) -> None:
    revision = revision_of(copied)
    assert revision == revision_of(folders[FLUX])
    assert revision != revision_of(folders[FLUX_SCHNELL])
    (copied / "model_index.json").write_bytes((copied / "model_index.json").read_bytes() + b"\n")
    assert revision != revision_of(copied)
