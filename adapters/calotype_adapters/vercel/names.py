"""What the AI SDK calls things: the fields of a call, and the path under which a client comes."""

from __future__ import annotations

from calotype_adapters.aliases import camel_case
from calotype_adapters.vercel.types import BASES, SPEC_VERSIONS, SpecVersion
from calotype_provider.types import ImageModelCall

_OWN = {"images": "files", "guidance_scale": "guidance"}
_FIELDS = frozenset(ImageModelCall.__struct_fields__)


def wire_name(field: str) -> str:
    """`aspect_ratio` is `aspectRatio`. What is no field of a call, as a header's name, stays as it is."""
    return camel_case(_OWN.get(field, field)) if field in _FIELDS or field in _OPTIONS else field


_OPTIONS = frozenset({"guidance", "input_images", "provider_options"})
"""Fields of requests that a call has not, or by another name."""


def spec_of_path(path: str) -> SpecVersion | None:
    """The version whose clients come under this path; None for a path of another dialect."""
    return next((spec for base, spec in BASES.items() if path == base or path.startswith(f"{base}/")), None)


def spec_of_client(header: str | None, *, path: str) -> SpecVersion:
    """The version that a client reads: its header `ai-image-model-specification-version` knows better than its path."""
    named = next((spec for spec in SPEC_VERSIONS if header is not None and f"v{header.strip()}" == spec), None)
    spec = named or spec_of_path(path)
    assert spec is not None, f"{path} is no path of the gateway"
    return spec
