"""The mean of two states of one training, by which what the second learnt last is had at less than its price.

python -m tintype_making.mean before after   (folders like that in training, whose transformer becomes the mean)
"""

import argparse
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel

from .folders import UNFINISHED, load_part, save_part


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    arguments = parser.parse_args()
    before, after = (
        load_part(FluxTransformer2DModel, folder, "transformer") for folder in (arguments.before, arguments.after)
    )
    for weight, other in zip(before.parameters(), after.parameters(), strict=True):
        weight.lerp_(other, 0.5)
    save_part(before, UNFINISHED, "transformer")


if __name__ == "__main__":
    main()
