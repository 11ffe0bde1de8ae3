"""Other pipelines over the weights of a loaded one: image-to-image, inpainting, control."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

Sibling = TypeVar("Sibling")


def sibling_of(pipeline: Any, sibling_class: type[Sibling], **more: Any) -> Sibling:
    """A pipeline of that class over the very modules of `pipeline`, and `more` of its own, such as a ControlNet. Raises
    TypeError when it needs still others."""
    # Not from_pipe(), which casts the shared weights to a dtype of its own choice.
    parts: Mapping[str, Any] = {**pipeline.config, **pipeline.components, **more}
    accepted = inspect.signature(sibling_class).parameters
    return sibling_class(**{name: part for name, part in parts.items() if name in accepted})
