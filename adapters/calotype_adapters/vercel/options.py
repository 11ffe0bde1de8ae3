"""`providerOptions` -> what a call can carry of them. The options are open JSON, by the name of a provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from calotype_adapters.fields import FIELD_NAME_CHARACTERS_MAX, UNKNOWN_FIELDS_NAMED_MAX, decode_fields
from calotype_adapters.vercel.types import CalotypeOptions
from calotype_provider.errors import InvalidCallError
from calotype_provider.types import CallWarning

OWN = "calotype"

SHARED = (
    "openai",
    "runcrate",
    "openaiCompatible",
    "blackForestLabs",
    "togetherai",
    "fal",
    "replicate",
    "deepinfra",
    "fireworks",
    "openrouter",
    "prodia",
    "xai",
)
"""Providers whose options mean the same here, as far as they have the same names; the first that says something counts.

Applications name several at once, for whichever of them serves a call: what cannot be read is no error of the call.
"""

_SILENT = {"gateway": ("user", "tags"), "openai": ("user", "safetyIdentifier")}
"""They ask for nothing."""


def read_options(
    given: Mapping[str, Mapping[str, msgspec.Raw] | None] | None,
) -> tuple[CalotypeOptions, tuple[CallWarning, ...]]:
    """Raises InvalidCallError for what is wrong with Calotype's own options; of the others' it is a warning."""
    if not given:
        return CalotypeOptions(), ()
    options, unknown = decode_fields(given.get(OWN) or {}, CalotypeOptions)
    warnings = [_unknown(OWN, name) for name in unknown]
    for provider in (*SHARED, *(name for name in given if name not in (OWN, *SHARED))):
        options = _filled(options, provider, given.get(provider) or {}, warnings)
    return options, _bounded(warnings)


def _filled(
    options: CalotypeOptions, provider: str, given: Mapping[str, msgspec.Raw], warnings: list[CallWarning]
) -> CalotypeOptions:
    """With those that nobody before has said anything of."""
    for name, value in given.items():
        if name in _SILENT.get(provider, ()):
            continue
        match _read(provider, name, value):
            case None:
                pass
            case CallWarning() as warning:
                warnings.append(warning)
            case field, said if getattr(options, field) is None:
                options = msgspec.structs.replace(options, **{field: said})
            case field, said if getattr(options, field) != said:
                details = "another provider's options say it otherwise, and come first"
                warnings.append(CallWarning("unsupported", _path(provider, name), details))
    return options


_OWN_ALONE = ("control_image", "input_images", "strict")
"""What others mean by these is not known."""


def _read(provider: str, name: str, value: msgspec.Raw) -> tuple[str, Any] | CallWarning | None:
    """A field of ours and its value, or why it is none. None for `null`, which says nothing."""
    if provider not in SHARED:
        return _unknown(provider, name)
    try:
        read, unknown = decode_fields({name: value}, CalotypeOptions)
    except InvalidCallError as error:
        return CallWarning("unsupported", _path(provider, name), str(error))
    said = [(field, getattr(read, field)) for field in read.__struct_fields__ if getattr(read, field) is not None]
    if unknown or any(field in _OWN_ALONE for field, _ in said):
        return _unknown(provider, name)
    return said[0] if said else None


def _unknown(provider: str, name: str) -> CallWarning:
    return CallWarning("unsupported", _path(provider, name), "not an option that is known here")


def _path(provider: str, name: str) -> str:
    shown = (provider[:FIELD_NAME_CHARACTERS_MAX], name[:FIELD_NAME_CHARACTERS_MAX])
    return ".".join(("providerOptions", *shown))


def _bounded(warnings: list[CallWarning]) -> tuple[CallWarning, ...]:
    shown, more = warnings[:UNKNOWN_FIELDS_NAMED_MAX], len(warnings) - UNKNOWN_FIELDS_NAMED_MAX
    return (*shown, CallWarning("unsupported", "providerOptions", f"{more} more")) if more > 0 else tuple(shown)
