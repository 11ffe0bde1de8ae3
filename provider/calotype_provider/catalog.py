"""Models people ask for by name, and what to say when they are not here. A short list; ids are the vendors' own."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

TINTYPE_ID = "calotype/tintype"


class KnownModel(msgspec.Struct, frozen=True):
    """`weights` says whether its weights can be fetched, or only its maker serves it."""

    model_id: str
    weights: Literal["fetched", "hosted"]

    @property
    def hint(self) -> str:
        """What makes this model, or a stand-in, answer here."""
        if self.weights == "hosted":
            return "Its maker serves it over an API only; with --demo calotype/tintype paints in its place"
        folder = f"models/{self.model_id.split('/')[-1]}"
        return (
            f"Fetch it with `hf download {self.model_id} --local-dir {folder}` and start with "
            f"`calotype serve --model {self.model_id}={folder}`"
        )


KNOWN_MODELS = (
    KnownModel("black-forest-labs/FLUX.1-schnell", "fetched"),
    KnownModel("black-forest-labs/FLUX.1-dev", "fetched"),
    KnownModel("black-forest-labs/FLUX.1-pro", "hosted"),
    KnownModel("black-forest-labs/FLUX.1.1-pro", "hosted"),
    KnownModel("black-forest-labs/FLUX.1-kontext-pro", "hosted"),
    KnownModel("black-forest-labs/FLUX.2-pro", "hosted"),
    KnownModel("stabilityai/stable-diffusion-3.5-large", "fetched"),
    KnownModel("ideogram-ai/ideogram-v2", "hosted"),
    KnownModel("gpt-image-1", "hosted"),
    KnownModel("dall-e-3", "hosted"),
)
PATTERN_CHARACTERS_MAX = 64
KNOWN_PATTERNS = ("gpt-image-*", "dall-e-*")


def known_model(model_id: str) -> KnownModel | None:
    """The entry for an id, whatever its case; an id that only a pattern knows keeps the caller's spelling."""
    folded = model_id.casefold()
    for model in KNOWN_MODELS:
        if model.model_id.casefold() == folded:
            return model
    if len(folded) <= PATTERN_CHARACTERS_MAX and any(fnmatchcase(folded, pattern) for pattern in KNOWN_PATTERNS):
        return KnownModel(folded, "hosted")
    return None
