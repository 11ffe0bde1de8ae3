"""Parts that a diffusers folder does not hold itself: its borrowed_parts.json names the folder that lends them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from calotype_provider.errors import ModelLoadError

BORROWED = "borrowed_parts.json"


class BorrowedParts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    folder: str
    """Of the lender, relative to the one that borrows."""
    parts: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    """By their names in model_index.json."""


def borrowed_parts(folder: Path, *, model_id: str) -> dict[str, Path]:
    """Part -> its folder at the lender; empty where nothing is borrowed.

    Raises ModelLoadError, naming the file, when it is wrong, or the lender lacks a part or borrows itself.
    """
    borrowed = _read(folder / BORROWED, model_id=model_id)
    if borrowed is None:
        return {}
    lender = (folder / borrowed.folder).resolve()
    if not lender.is_dir():
        raise ModelLoadError(model_id, f"{BORROWED}: there is no folder {borrowed.folder}")
    if (lender / BORROWED).exists():
        raise ModelLoadError(model_id, f"{BORROWED}: {borrowed.folder} borrows parts itself, and lends none")
    for part in borrowed.parts:
        if (folder / part).exists():
            raise ModelLoadError(model_id, f"{BORROWED}: {part} is borrowed, and in the folder itself too")
        if not (lender / part).is_dir():
            raise ModelLoadError(model_id, f"{BORROWED}: {borrowed.folder} has no {part} to lend")
    return {part: lender / part for part in borrowed.parts}


def _read(file: Path, *, model_id: str) -> BorrowedParts | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=BorrowedParts)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ModelLoadError(model_id, f"{BORROWED} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise ModelLoadError(model_id, f"{BORROWED}: {error}") from error
