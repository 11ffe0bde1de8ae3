"""Models people ask for by name, and what to say when they are not here. A short list; ids are the vendors' own."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

TINTYPE_ID = "calotype/tintype"
TINTYPE_KONTEXT_ID = "calotype/tintype-kontext"
TINTYPE_CANNY_ID = "calotype/tintype-canny"

EMBEDDED = {TINTYPE_ID: "tintype", TINTYPE_KONTEXT_ID: "tintype_kontext", TINTYPE_CANNY_ID: "tintype_canny"}
"""The models that come with the code, each in a folder of this package: id -> its name."""


class KnownModel(msgspec.Struct, frozen=True):
    """`weights` says whether its weights can be fetched, or only its maker serves it."""

    model_id: str
    weights: Literal["fetched", "hosted"]
    edits: bool = False
    """By instruction: only what does so too can paint in its place."""

    @property
    def hint(self) -> str:
        """What makes this model, or a stand-in, answer here."""
        if self.weights == "hosted":
            painter = self.painted_by(TINTYPE_ID)
            return f"Its maker serves it over an API only; with --demo {painter} paints in its place"
        folder = f"models/{self.model_id.split('/')[-1]}"
        return (
            f"Fetch it with `hf download {self.model_id} --local-dir {folder}` and start with "
            f"`calotype serve --model {self.model_id}={folder}`"
        )

    def painted_by(self, default_model: str) -> str:
        """Who stands in for it in a demo."""
        return TINTYPE_KONTEXT_ID if self.edits else default_model


KNOWN_MODELS = (
    KnownModel("black-forest-labs/FLUX.1-schnell", "fetched"),
    KnownModel("black-forest-labs/FLUX.1-dev", "fetched"),
    KnownModel("black-forest-labs/FLUX.1-pro", "hosted"),
    KnownModel("black-forest-labs/FLUX.1.1-pro", "hosted"),
    KnownModel("black-forest-labs/FLUX.1-Kontext-dev", "fetched", edits=True),
    KnownModel("black-forest-labs/FLUX.1-kontext-pro", "hosted", edits=True),
    KnownModel("black-forest-labs/FLUX.1-kontext-max", "hosted", edits=True),
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
