"""What is known of how each picture was painted, whatever the wire: from the metadata of whoever painted."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from calotype_provider.types import ImageModelResult


class PictureFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`None` is not known."""

    steps: int | None = None
    milliseconds: float | None = None
    model_revision: str | None = None
    cost: str | None = None
    """In dollars, as a decimal: 0 for what this machine painted; of others' pictures only they can tell."""


def facts_of(result: ImageModelResult) -> tuple[PictureFacts, ...]:
    """One for each of the result's pictures."""
    own = result.provider_metadata.get("calotype", {})
    made_with: Mapping[str, Any] = own.get("made_with", {})
    known: list[Mapping[str, Any]] = own.get("images", [])
    entries = known if len(known) == len(result.images) else [{}] * len(result.images)
    return tuple(
        PictureFacts(
            steps=entry.get("steps"),
            milliseconds=entry.get("milliseconds"),
            model_revision=made_with.get("model_revision"),
            cost=_decimal(entry.get("cost", 0 if made_with else None)),
        )
        for entry in entries
    )


def _decimal(cost: object) -> str | None:
    try:
        amount = Decimal(str(cost))
    except InvalidOperation:
        return None
    return f"{amount:f}" if amount.is_finite() else None
