"""What a diffusers folder says of itself, read from its JSON and its weights' headers. Needs no torch."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import msgspec

from calotype_provider.errors import ModelLoadError
from calotype_provider.local.borrowed_parts import BORROWED, borrowed_parts
from calotype_provider.local.card_table import card_for_class
from calotype_provider.model_card import ModelCard

INDEX = "model_index.json"
CARD = "model_card.json"
REVISION_CHARACTERS = 16
HEADER_BYTES_MAX = 100_000_000
"""safetensors' own bound."""

SAMPLES, SAMPLE_BYTES = 16, 4096
"""Of each weights file, that tell apart two trainings of one architecture."""


def read_card(folder: Path, *, model_id: str) -> ModelCard:
    """The card in the folder's model_card.json, or else the one of its pipeline's class.

    Raises ModelLoadError, naming the file, when the folder is no pipeline's or its card is wrong.
    """
    index = _read_index(folder, model_id=model_id)
    transformer = borrowed_parts(folder, model_id=model_id).get("transformer", folder / "transformer")
    card = _own_card(folder, model_id=model_id) or card_for_class(
        model_id,
        class_name=index["_class_name"],
        transformer=_read_object(transformer / "config.json", model_id=model_id, missing_ok=True),
        index=index,
    )
    if card.num_inference_steps is None:
        raise ModelLoadError(model_id, f"{CARD} has no num_inference_steps, which every model here takes")
    return card


def check_weights(folder: Path, *, model_id: str) -> None:
    """Raises ModelLoadError, naming the file, where a part of the pipeline is missing, or a weights file is cut off."""
    borrowed = borrowed_parts(folder, model_id=model_id)
    names = part_names(folder, model_id=model_id)
    for name in borrowed:
        if name not in names:
            raise ModelLoadError(model_id, f"{BORROWED}: {INDEX} names no {name}")
    for name in names:
        part = borrowed.get(name, folder / name)
        if not part.is_dir():
            raise ModelLoadError(model_id, f"the folder {name}, which {INDEX} names, is missing")
        if (part / "config.json").is_file():
            _check_part(part, model_id=model_id)
    for file in _weight_files(folder, model_id=model_id):
        _read_header(file, model_id=model_id)


def part_names(folder: Path, *, model_id: str) -> tuple[str, ...]:
    """What the folder's index says that its pipeline has: models, tokenizers, a scheduler."""
    index = _read_index(folder, model_id=model_id)
    return tuple(name for name, kind in index.items() if isinstance(kind, list) and kind[0] is not None)


def revision_of(folder: Path) -> str:
    """A hash over the index, the headers of all weights and samples of them: cheap, and another one for another model.

    What is borrowed counts as if it were copied.
    """
    digest = hashlib.sha256((folder / INDEX).read_bytes())
    for file in _weight_files(folder, model_id=folder.name):
        digest.update(_name_of(file).encode())
        digest.update(_read_header(file, model_id=folder.name))
        digest.update(_sampled(file))
    return digest.hexdigest()[:REVISION_CHARACTERS]


def _read_index(folder: Path, *, model_id: str) -> dict[str, Any]:
    index = _read_object(folder / INDEX, model_id=model_id)
    if not isinstance(index.get("_class_name"), str):
        raise ModelLoadError(model_id, f"{INDEX} has no _class_name: it is no pipeline's")
    return index


def _own_card(folder: Path, *, model_id: str) -> ModelCard | None:
    fields = _read_object(folder / CARD, model_id=model_id, missing_ok=True)
    if not fields:
        return None
    try:
        return msgspec.convert({**fields, "model_id": model_id}, ModelCard)
    except msgspec.ValidationError as error:
        raise ModelLoadError(model_id, f"{CARD}: {error}") from error


def _read_object(file: Path, *, model_id: str, missing_ok: bool = False) -> dict[str, Any]:
    """A JSON file's object; an empty one for a file that may be missing and is."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (FileNotFoundError, NotADirectoryError) as error:
        if missing_ok:
            return {}
        raise ModelLoadError(model_id, f"there is no {file.name}: it is no diffusers folder") from error
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise ModelLoadError(model_id, f"{file.name} cannot be read: {error}") from error


def _check_part(part: Path, *, model_id: str) -> None:
    """A part with a config.json is a network: it has one file of weights, or an index of several."""
    indexes = list(part.glob("*.safetensors.index.json"))
    for index in indexes:
        shards = _read_object(index, model_id=model_id).get("weight_map", {})
        for shard in sorted(set(shards.values())):
            if not (part / shard).is_file():
                raise ModelLoadError(model_id, f"the weights file {part.name}/{shard} is missing")
    if not indexes and not any(part.glob("*.safetensors")):
        raise ModelLoadError(model_id, f"{part.name} has no weights: there is no .safetensors file in it")


def _weight_files(folder: Path, *, model_id: str) -> list[Path]:
    borrowed = borrowed_parts(folder, model_id=model_id).values()
    lent = (file for part in borrowed for file in part.glob("*.safetensors"))
    return sorted((*folder.glob("*/*.safetensors"), *lent), key=lambda file: (file.parent.name, file.name))


def _sampled(file: Path) -> bytes:
    """Blocks that lie evenly over a file, the last one at its end."""
    last = max(0, file.stat().st_size - SAMPLE_BYTES)
    with file.open("rb") as stream:
        blocks = []
        for number in range(1, SAMPLES + 1):
            stream.seek(last * number // SAMPLES)
            blocks.append(stream.read(SAMPLE_BYTES))
    return b"".join(blocks)


def _name_of(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def _read_header(file: Path, *, model_id: str) -> bytes:
    """Raises ModelLoadError when the file is not as long as its header says."""
    name = _name_of(file)
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = stream.read(length) if length <= HEADER_BYTES_MAX else b""
        tensors = msgspec.json.decode(header, type=dict[str, dict[str, Any]])
        end = max((tensor["data_offsets"][1] for key, tensor in tensors.items() if key != "__metadata__"), default=0)
    except (struct.error, msgspec.MsgspecError, LookupError, TypeError) as error:
        raise ModelLoadError(model_id, f"the weights file {name} has no safetensors header: it is cut off") from error
    except OSError as error:
        raise ModelLoadError(model_id, f"the weights file {name} cannot be read: {error.strerror}") from error
    if file.stat().st_size != 8 + length + end:
        found = file.stat().st_size
        raise ModelLoadError(
            model_id, f"the weights file {name} has {found} of {8 + length + end} bytes: it is cut off"
        )
    return header
