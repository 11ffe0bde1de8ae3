"""Folders that borrow parts of another: what they paint, what is in memory once, and what is wrong with them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_requests import FLUX, paint, painted

from calotype_provider.errors import ModelLoadError
from calotype_provider.local.loader import LoadedPipeline, load_pipeline
from calotype_provider.local.messages import Dtype, LoadModel
from calotype_provider.local.model_folder import check_weights, read_card, revision_of
from calotype_provider.local.painting import Pixels, pipeline_arguments, to_pixels
from calotype_provider.local.subprocess_engine import SubprocessEngine

ALL = ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "transformer", "vae")
BORROWED = "borrowed_parts.json"
VAE_WEIGHTS = "vae/diffusion_pytorch_model.safetensors"

Borrower = Callable[..., Path]


@pytest.fixture
def lender(folders: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(folders[FLUX], tmp_path / "lender")


@pytest.fixture
def borrower(lender: Path) -> Borrower:
    """A copy of the lender, but for what it borrows."""

    def borrow(*parts: str, name: str = "borrower", of: str = "../lender") -> Path:
        folder = shutil.copytree(lender, lender.parent / name)
        for part in parts:
            shutil.rmtree(folder / part)
        (folder / BORROWED).write_text(json.dumps({"folder": of, "parts": parts}))
        return folder

    return borrow


def load(folder: Path, *others: LoadedPipeline, dtype: Dtype = "bfloat16") -> LoadedPipeline:
    return load_pipeline(folder, model_id=FLUX, dtype=dtype, on_progress=lambda progress: None, others=others)


def pixels(loaded: LoadedPipeline) -> Pixels:
    return to_pixels(loaded.pipeline(**pipeline_arguments(loaded.pipeline, paint())).images)


@pytest.mark.parametrize("parts", [("vae",), tuple(part for part in ALL if part != "transformer"), ALL])
@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_folder_that_borrows_paints_what_a_full_copy_paints(
    lender: Path, borrower: Borrower, parts: tuple[str, ...], is_loaded: bool
) -> None:
    full = load(lender)
    borrowing = load(borrower(*parts), *([full] if is_loaded else []))
    assert np.array_equal(pixels(borrowing), pixels(full))
    assert borrowing.revision == full.revision


def test_what_is_borrowed_of_a_loaded_folder_is_in_memory_once(lender: Path, borrower: Borrower) -> None:
    full = load(lender)
    folder = borrower(*(part for part in ALL if part != "transformer"))
    borrowing, alone = load(folder, full), load(folder)
    for part in ALL:
        assert (borrowing.pipeline.components[part] is full.pipeline.components[part]) == (part != "transformer")
        assert alone.pipeline.components[part] is not full.pipeline.components[part]
    transformer = borrowing.pipeline.components["transformer"]
    assert isinstance(transformer, torch.nn.Module)
    assert borrowing.resident_bytes == sum(tensor.nbytes for tensor in transformer.parameters())
    assert alone.resident_bytes == full.resident_bytes


def test_nothing_is_shared_with_a_folder_loaded_otherwise_or_before_it_changed(
    lender: Path, borrower: Borrower
) -> None:
    full, folder = load(lender), borrower("vae")
    wider = load(folder, full, dtype="float32").pipeline.components["vae"]
    assert isinstance(wider, torch.nn.Module)
    assert next(wider.parameters()).dtype == torch.float32
    index = lender / "model_index.json"
    index.write_bytes(index.read_bytes() + b"\n")
    assert load(folder, full).pipeline.components["vae"] is not full.pipeline.components["vae"]


async def test_who_borrows_paints_on_when_the_lender_is_unloaded(
    engine: SubprocessEngine, lender: Path, borrower: Borrower
) -> None:
    engine.load(LoadModel(model_id="tests/lender", folder=str(lender)))
    engine.load(LoadModel(model_id="tests/borrower", folder=str(borrower(*ALL))))
    await engine.ready("tests/borrower")
    resident = {model.model_id: model.resident_bytes for model in engine.stats().models}
    assert (resident["tests/lender"] > 0, resident["tests/borrower"]) == (True, 0)
    before = await painted(engine.submit(paint(model_id="tests/borrower")))
    engine.unload("tests/lender")
    after = await painted(engine.submit(paint(model_id="tests/borrower")))
    engine.unload("tests/borrower")
    assert after.data == before.data


def test_the_card_the_revision_and_the_check_follow_what_is_borrowed(lender: Path, borrower: Borrower) -> None:
    folder = borrower("transformer", "vae")
    check_weights(folder, model_id="a/b")
    guided = read_card(folder, model_id="a/b")
    assert guided == read_card(lender, model_id="a/b")
    config = lender / "transformer" / "config.json"
    config.write_text(config.read_text().replace('"guidance_embeds": true', '"guidance_embeds": false'))
    assert read_card(folder, model_id="a/b") != guided
    revision = revision_of(folder)
    # A header may end in spaces.
    weights = (lender / VAE_WEIGHTS).read_bytes()
    length = int.from_bytes(weights[:8], "little")
    header = weights[8 : 8 + length] + b" " * 8
    (lender / VAE_WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header + weights[8 + length :])
    assert revision_of(folder) == revision_of(lender) != revision
    (lender / VAE_WEIGHTS).write_bytes(weights[:-1])
    with pytest.raises(ModelLoadError, match=r"vae/diffusion_pytorch_model\.safetensors .*cut off"):
        check_weights(folder, model_id="a/b")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Input data was truncated"),
        ('{"folder": "../lender"}', "parts"),
        ('{"folder": "../lender", "parts": []}', "parts"),
        ('{"folder": "../lender", "parts": ["vae"], "part": "vae"}', "part"),
        ('{"folder": "../nobody", "parts": ["vae"]}', r"there is no folder \.\./nobody"),
        ('{"folder": "../lender", "parts": ["unet"]}', r"\.\./lender has no unet to lend"),
        ('{"folder": "../lender", "parts": ["transformer"]}', "transformer is borrowed, and in the folder itself too"),
        ('{"folder": "../another", "parts": ["vae"]}', r"\.\./another borrows parts itself"),
        ('{"folder": ".", "parts": ["vae"]}', "borrows parts itself"),
    ],
)
def test_what_is_wrong_with_borrowing_is_told_with_the_file(borrower: Borrower, text: str, reason: str) -> None:
    borrower("vae", name="another")
    folder = borrower("vae")
    (folder / BORROWED).write_text(text)
    for read in (read_card, check_weights):
        with pytest.raises(ModelLoadError, match=rf"borrowed_parts\.json: .*{reason}"):
            read(folder, model_id="a/b")


def test_a_part_that_no_pipeline_asks_for_is_not_borrowed(lender: Path, borrower: Borrower) -> None:
    folder = borrower("vae")
    (lender / "unet").mkdir()
    (folder / BORROWED).write_text('{"folder": "../lender", "parts": ["vae", "unet"]}')
    with pytest.raises(ModelLoadError, match=r"borrowed_parts\.json: model_index\.json names no unet"):
        check_weights(folder, model_id="a/b")
