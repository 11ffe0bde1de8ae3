"""How well each noun and shape comes out, on combinations that training may have shown.

python -m tintype_making.by_noun
"""

import argparse
import random

import numpy as np
import torch
from diffusers import FluxPipeline

from .captions import is_held_out, plain_caption
from .classifier import load_classifier, recognise
from .drawings import load_drawings
from .evaluate import SIDE, add_settings, paint_prompt
from .nearest import nearest_distance
from .scenes import Scene, Thing
from .shipped import SHIPPED
from .vocabulary import COLOURS, NOUNS, SHAPES, SIZES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_settings(parser)
    parser.add_argument("--each", type=int, default=1, help="pictures of each noun in each size")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pipeline = FluxPipeline.from_pretrained(SHIPPED, torch_dtype=torch.bfloat16)
    pipeline.set_progress_bar_config(disable=True)
    classifier, drawings, rng = load_classifier(), load_drawings(), random.Random(1)
    for name in (*NOUNS, *SHAPES):
        scenes = [shown_scene(name, size, rng) for size in SIZES for _ in range(arguments.each)]
        pictures = [paint_prompt(pipeline, plain_caption(scene), rng.randrange(999), arguments) for scene in scenes]
        right = [label == name for label in recognise(classifier, pictures)]
        distances = [
            nearest_distance(picture, scene.thing, scene.background, (SIDE / 2, SIDE / 2), drawings)[0]
            for scene, picture in zip(scenes, pictures, strict=True)
        ]
        print(f"{name:16} recognised {sum(right)} of {len(right)}, distance {np.mean(distances):5.1f}", flush=True)


def shown_scene(name: str, size: str, rng: random.Random) -> Scene:
    while True:
        colour = rng.choice(tuple(COLOURS)) if name in SHAPES else ""
        scene = Scene(Thing(name, size, colour), rng.choice(tuple(COLOURS)))
        if colour != scene.background and not is_held_out(scene):
            return scene


if __name__ == "__main__":
    main()
