"""How well each noun and shape comes out, on combinations that training may have shown.

python -m tintype_making.by_noun
"""

import argparse
import random
from pathlib import Path

import numpy as np
import torch

from .buckets import SQUARE
from .captions import plain_caption
from .classifier import load_classifier, recognise
from .drawings import load_drawings
from .folders import UNFINISHED
from .nearest import nearest_distance
from .nouns import NOUNS
from .pipelines import Pipelines
from .random_scenes import is_held_out
from .scenes import Scene, Thing
from .vocabulary import COLOURS, SHAPES, SIZES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=UNFINISHED)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pipelines, classifier = Pipelines(arguments.folder), load_classifier()
    drawings, rng = load_drawings(), random.Random(1)
    settings = pipelines.default_settings(arguments.steps)
    for name in (*NOUNS, *SHAPES):
        scenes = [shown_scene(name, size, rng) for size in SIZES]
        pictures = pipelines.paint([plain_caption(scene) for scene in scenes], SQUARE, settings)
        right = [label == name for label in recognise(classifier, pictures)]
        distances = [
            nearest_distance(picture, scene, drawings)[0] for scene, picture in zip(scenes, pictures, strict=True)
        ]
        print(f"{name:18} recognised {sum(right)} of {len(right)}, distance {np.mean(distances):5.1f}", flush=True)


def shown_scene(name: str, size: str, rng: random.Random) -> Scene:
    while True:
        colour = rng.choice(tuple(COLOURS)) if name in SHAPES else ""
        scene = Scene((Thing(name, size, colour),), ("center",), rng.choice(tuple(COLOURS)))
        if colour != scene.background and not is_held_out(scene):
            return scene


if __name__ == "__main__":
    main()
