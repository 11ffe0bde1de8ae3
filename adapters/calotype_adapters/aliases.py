"""The one table of aliases for all wires: other names that clients have for a field."""

from __future__ import annotations

from functools import cache

ALIASES: dict[str, tuple[str, ...]] = {
    "guidance": ("guidance_scale",),
    "strength": ("prompt_strength",),
    "image": ("input_image", "start_image", "images", "image_url", "image_urls", "url"),
    "input_images": ("reference_images",),
    "mask": ("mask_image", "mask_url"),
    "num_inference_steps": ("steps",),
}
"""By the wire's own name. Every name here, and every other field's, may come in snake_case or in camelCase."""


@cache
def spellings(field: str) -> tuple[str, ...]:
    """All that a client may call `field`: its own name first."""
    names = (field, *ALIASES.get(field, ()))
    return tuple(dict.fromkeys((*names, *(camel_case(name) for name in names))))


def camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
