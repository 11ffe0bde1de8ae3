"""The diffusers folders of tintype: the one that ships, and the one still in training. Knows nothing of training.

Each holds its parts in bf16. The folder in training has no autoencoder: that is the shipped one's. It is made anew from
what ships (growth.py), and is not kept in the repository.
"""

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

SHIPPED = Path(__file__).parent.parent / "calotype_provider" / "tintype"
SHIPPED_CANNY = SHIPPED.parent / "tintype_canny"
UNFINISHED = Path(__file__).parent / "unfinished"

#: The parts that are trained on captions, by their folders' names.
TRAINED = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "transformer")


def save_part(model: Any, folder: Path, name: str) -> None:
    """Write one part (model or tokenizer) to its subfolder, weights in bf16; a reader never meets half a file."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as unfinished:
        part = copy.deepcopy(model)
        if isinstance(model, torch.nn.Module):
            part = part.to(torch.bfloat16)
        part.save_pretrained(unfinished)
        for path in Path(unfinished).iterdir():
            if path.name == "config.json":
                _forget_where(path)
            path.chmod(0o644)
            path.replace(folder / name / path.name)


def _forget_where(config: Path) -> None:
    """A config remembers the folder that its weights were read from, which is nobody else's business."""
    settings = json.loads(config.read_text())
    if settings.pop("_name_or_path", None) is not None:
        config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")


def load_part(kind: Any, folder: Path, name: str) -> Any:
    """One part in fp32, ready to be trained on."""
    return kind.from_pretrained(folder, subfolder=name).to(torch.float32)
