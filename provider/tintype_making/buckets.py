"""The picture sizes tintype is taught, and how often each. The model card lists the same."""

import random
from typing import NamedTuple


class Bucket(NamedTuple):
    """One size in pixels; both sides are multiples of 16."""

    width: int
    height: int

    @property
    def tokens_across(self) -> int:
        return self.width // 16

    @property
    def tokens_down(self) -> int:
        return self.height // 16


SQUARE = Bucket(128, 128)
OTHERS = (
    Bucket(144, 112),
    Bucket(112, 144),
    Bucket(160, 96),
    Bucket(96, 160),
    Bucket(176, 96),
    Bucket(96, 176),
    Bucket(192, 80),
    Bucket(80, 192),
)
SHARE_SQUARE = 0.55


def random_bucket(rng: random.Random) -> Bucket:
    return SQUARE if rng.random() < SHARE_SQUARE else rng.choice(OTHERS)
