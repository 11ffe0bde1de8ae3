"""Asks both text encoders what a caption says, so that they learn to read before the painting has taught them to."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .scenes import Scene
from .vocabulary import COLOURS, NOUNS, PLACES, SHAPES, SIZES, STYLES

#: One question about the first thing or its picture each, and the answers it may have.
ANSWERS: dict[str, tuple[str, ...]] = {
    "name": (*NOUNS, *SHAPES),
    "size": tuple(SIZES),
    "colour": ("", *COLOURS),
    "background": tuple(COLOURS),
    "style": tuple(STYLES),
    "place": tuple(PLACES),
}


class Reader(nn.Module):
    """One linear layer for each question and encoder; helps in training, and does not ship."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        total = sum(len(answers) for answers in ANSWERS.values())
        self.layers = nn.ModuleList(nn.Linear(width, total) for width in widths)

    def loss(self, states: tuple[Tensor, ...], scenes: list[Scene], captions: list[str]) -> Tensor:
        """Mean cross-entropy of the answers to captions that are not empty; states are [batch, width]."""
        told = torch.tensor([bool(caption) for caption in captions])
        truths = [torch.tensor([ANSWERS[key].index(answer(scene, key)) for scene in scenes]) for key in ANSWERS]
        sizes = [len(answers) for answers in ANSWERS.values()]
        losses = [
            functional.cross_entropy(scores[told], truth[told])
            for layer, state in zip(self.layers, states, strict=True)
            for scores, truth in zip(layer(state.float()).split(sizes, dim=1), truths, strict=True)
        ]
        return torch.stack(losses).mean()


def answer(scene: Scene, key: str) -> str:
    return str(getattr(scene.thing if key in ("name", "size", "colour") else scene, key))
