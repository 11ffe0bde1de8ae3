"""The diffusers folder that ships in the wheel: reading and writing its parts in bf16. Knows nothing of training."""

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

SHIPPED = Path(__file__).parent.parent / "calotype_provider" / "tintype"


def save_part(model: Any, name: str) -> None:
    """Write one part (a diffusers or transformers model) to its subfolder in bf16; a reader never meets half a file."""
    with tempfile.TemporaryDirectory(dir=SHIPPED.parent, prefix=".tintype-") as unfinished:
        copy.deepcopy(model).to(torch.bfloat16).save_pretrained(unfinished)
        _forget_where(Path(unfinished) / "config.json")
        for path in Path(unfinished).iterdir():
            path.chmod(0o644)
            path.replace(SHIPPED / name / path.name)


def _forget_where(config: Path) -> None:
    """A config remembers the folder that its weights were read from, which is nobody else's business."""
    settings = json.loads(config.read_text())
    if settings.pop("_name_or_path", None) is not None:
        config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")


def load_part(kind: Any, name: str) -> Any:
    """One part in fp32, ready to be trained on."""
    return kind.from_pretrained(SHIPPED, subfolder=name).to(torch.float32)
