"""Asks both text encoders what a caption says, so that they learn to read before the painting has taught them to."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .nouns import NOUNS
from .scenes import Scene
from .vocabulary import COLOURS, PLACES, SHAPES, SIZES, STYLES
from .word_places import BANDS

#: Where a thing stands is what painting several depends on, and what it is slowest to teach by itself.
BANDS_WEIGHT = 2.0

NAMES = ("", *NOUNS, *SHAPES)

#: One question about the picture or its first thing each, and the answers it may have.
ANSWERS: dict[str, tuple[str, ...]] = {
    "name": NAMES,
    "size": tuple(SIZES),
    "colour": ("", *COLOURS),
    "above": tuple(COLOURS),
    "below": tuple(COLOURS),
    "style": tuple(STYLES),
    "count": ("1", "2", "3", "4"),
}


class Reader(nn.Module):
    """Questions to the mean of the T5 states and to the CLIP state, and two of what stands where to the T5 tokens.

    The tokens that name a thing are asked where it stands. And a place looks for its token, as the painting will: by
    attention with a query of its own. Does not ship.
    """

    def __init__(self, t5_width: int, clip_width: int) -> None:
        super().__init__()
        total = sum(map(len, ANSWERS.values()))
        self.layers = nn.ModuleList(nn.Linear(width, total) for width in (t5_width, clip_width))
        self.queries = nn.Parameter(torch.randn(len(PLACES), t5_width) * t5_width**-0.5)
        self.key = nn.Linear(t5_width, t5_width)
        self.name = nn.Linear(t5_width, len(NAMES))
        self.bands = nn.Linear(t5_width, BANDS)

    def loss(
        self, t5_states: Tensor, clip_state: Tensor, bands: Tensor, scenes: list[Scene], captions: list[str]
    ) -> Tensor:
        """Mean cross-entropy of the answers to captions that are not empty.

        t5_states are [batch, tokens, width], clip_state is [batch, width], bands are those of word_places.
        """
        told = torch.tensor([bool(caption) for caption in captions], device=t5_states.device)
        scenes = [scene for scene, caption in zip(scenes, captions, strict=True) if caption]
        t5, clip = t5_states.float()[told], clip_state.float()[told]
        sizes, right = [*map(len, ANSWERS.values())], truths(scenes, t5)
        whole = [
            functional.cross_entropy(scores, truth)
            for layer, state in zip(self.layers, (t5.mean(1), clip), strict=True)
            for scores, truth in zip(layer(state).split(sizes, dim=1), right, strict=True)
        ]
        weights = (self.key(t5) @ self.queries.T).softmax(1)
        placed = functional.cross_entropy(self.name(weights.mT @ t5).flatten(0, 1), names_at_places(scenes, t5))
        return torch.stack(whole).mean() + placed + BANDS_WEIGHT * bands_loss(self.bands(t5), bands.to(t5)[told])


def bands_loss(scores: Tensor, bands: Tensor) -> Tensor:
    """Cross-entropy of the band of rows and of that of columns, over the tokens that have any.

    Both are [batch, tokens, BANDS].
    """
    says = bands.any(-1)
    rows, columns = scores[says].split(BANDS // 2, dim=1)
    row, column = bands[says].split(BANDS // 2, dim=1)
    return functional.cross_entropy(rows, row) + functional.cross_entropy(columns, column)


def truths(scenes: list[Scene], like: Tensor) -> list[Tensor]:
    answers = [answers_of(scene) for scene in scenes]
    return [
        torch.tensor([ANSWERS[key].index(answer[key]) for answer in answers], device=like.device) for key in ANSWERS
    ]


def answers_of(scene: Scene) -> dict[str, str]:
    above, _, below = scene.background.partition(" to ")
    first = scene.things[0]
    return {
        "name": first.name,
        "size": first.size,
        "colour": first.colour,
        "above": above,
        "below": below or above,
        "style": scene.style,
        "count": str(len(scene.things)),
    }


def names_at_places(scenes: list[Scene], like: Tensor) -> Tensor:
    """The number of the name at each place of each scene, [scenes * places]; nothing is the first name."""
    names = [
        dict(zip(scene.places, (thing.name for thing in scene.things), strict=True)).get(place, "")
        for scene in scenes
        for place in PLACES
    ]
    return torch.tensor([NAMES.index(name) for name in names], device=like.device)
