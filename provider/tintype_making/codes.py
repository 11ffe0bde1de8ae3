"""What each drawing looks like in few numbers, which a text encoder can say at the drawing's words.

A word's row begins as noise: that "koala" and "bear" look alike, and how, is found out by painting both a thousand
times. So each noun gets a code, its drawings' scores on the principal components of all drawings. The codes are planted
as channels of the T5's rows (growth.py), and kept there by reading.py; what the transformer has to learn of a noun is
then mostly what it learns of all others: how a code becomes a picture.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .drawings import Drawings, load_drawings
from .nouns import NOUNS
from .plurals import plural
from .vocabulary import FILLER_WORDS

#: Numbers of a code: 88 % of the flat drawings' variance, 77 % of the detailed ones'.
CODE_WIDTH = 96
#: Pixels of a side at which drawings are compared.
SIDE = 28
#: How much the opacity counts beside a colour, and a detailed drawing beside the flat one of the same noun.
OPACITY, DETAILED = 0.7, 0.5
#: Root mean square of the codes' numbers.
STRENGTH = 0.6


@cache
def noun_codes() -> dict[str, Tensor]:
    """The code of each noun, fp32 [CODE_WIDTH]."""
    drawings = load_drawings()
    seen = np.stack([appearance(noun.drawing, drawings) for noun in NOUNS.values()])
    left, lengths, _ = np.linalg.svd(seen - seen.mean(0), full_matrices=False)
    # Half whitened: the root of each component's length, so that small ones are heard too.
    codes = left[:, :CODE_WIDTH] * np.sqrt(lengths[:CODE_WIDTH])
    codes *= STRENGTH / np.sqrt(np.square(codes).mean())
    # A component's direction is the linear algebra library's choice; here the largest score is above zero.
    codes *= np.sign(codes[np.abs(codes).argmax(0), np.arange(CODE_WIDTH)])
    return dict(zip(NOUNS, torch.from_numpy(codes).float(), strict=True))


def appearance(drawing: str, drawings: Drawings) -> NDArray[np.float32]:
    """Both drawings of a noun as one long vector."""
    parts = []
    for style, weight in (("flat", 1.0), ("detailed", DETAILED)):
        small = Image.fromarray(drawings[style, drawing]).convert("RGBa")
        pixels = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.float32) / 255
        opacity = pixels[..., 3:]
        over_gray = pixels[..., :3] + (1 - opacity) * 0.5
        parts.append(weight * np.concatenate([over_gray, OPACITY * opacity], axis=-1).ravel())
    return np.concatenate(parts)


def word_codes() -> dict[str, Tensor]:
    """The code that each single word of a noun's names begins with.

    A word that alone names a noun has its code, any other the mean of those in whose names it occurs.
    """
    codes = noun_codes()
    alone: dict[str, Tensor] = {}
    parts: dict[str, list[Tensor]] = {}
    for name, noun in NOUNS.items():
        for form in (form for word in noun.words for form in (word, plural(word))):
            if " " not in form:
                alone[form] = codes[name]
            for part in form.split():
                parts.setdefault(part, []).append(codes[name])
    means = {part: torch.stack(found).mean(0) for part, found in parts.items() if part not in FILLER_WORDS}
    return means | alone


def planted_codes(pieces: dict[str, int], word_form: str) -> Tensor:
    """The rows of a vocabulary's pieces in the channels for codes, fp32 [pieces, CODE_WIDTH]; words have that form."""
    rows = torch.zeros(len(pieces), CODE_WIDTH)
    for word, code in word_codes().items():
        if word_form.format(word) in pieces:
            rows[pieces[word_form.format(word)]] = code
    return rows
