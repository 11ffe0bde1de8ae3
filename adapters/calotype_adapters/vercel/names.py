"""What the AI SDK calls the abstract call's fields."""

from __future__ import annotations

from calotype_adapters.aliases import camel_case

_OWN = {"images": "files", "image": "files", "guidance_scale": "guidance"}


def wire_name(field: str) -> str:
    """`aspect_ratio` is `aspectRatio`. What is no field, as a header's name, stays as it is."""
    return camel_case(_OWN.get(field, field))
