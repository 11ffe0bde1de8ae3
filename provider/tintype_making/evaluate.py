"""Draws 200 held-out combinations with the shipped pipeline, as it is served, and reports how they came out.

python -m tintype_making.evaluate --report report.json --sheet sheet.png
"""

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import FluxPipeline
from numpy.typing import NDArray
from PIL import Image

from .captions import plain_caption, random_scene
from .classifier import load_classifier, recognise
from .drawings import Drawings, load_drawings
from .nearest import nearest_distance
from .prompt_tokenizers import T5_TOKENS
from .scenes import Scene, boxes
from .shipped import SHIPPED
from .vocabulary import COLOURS

SIDE = 128
SINGLES, PAIRS = 200, 40

Picture = NDArray[np.uint8]


def main() -> None:
    arguments = read_arguments()
    torch.set_num_threads(arguments.threads)
    pipeline = FluxPipeline.from_pretrained(SHIPPED, torch_dtype=torch.bfloat16)
    pipeline.set_progress_bar_config(disable=True)
    drawings, rng = load_drawings(), random.Random(2026)
    singles = some_scenes(arguments.singles, rng, pairs=False)
    pairs = some_scenes(arguments.pairs, rng, pairs=True)
    pictures = [paint_prompt(pipeline, plain_caption(scene), seed, arguments) for seed, scene in enumerate(singles)]
    report = {
        "settings": {"steps": arguments.steps, "true_cfg_scale": arguments.guidance, "dtype": "bfloat16", "size": SIDE},
        "singles": judge_singles(singles, pictures, drawings),
        "pairs": judge_pairs(pairs, [paint_prompt(pipeline, plain_caption(scene), 7, arguments) for scene in pairs]),
        "seconds_per_picture": seconds_per_picture(pipeline, arguments),
    }
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.report:
        arguments.report.write_text(text + "\n")
    if arguments.sheet:
        contact_sheet(pictures[: arguments.sheet_pictures], arguments.sheet_zoom).save(arguments.sheet, optimize=True)
        for scene in singles[: arguments.sheet_pictures]:
            print("sheet:", plain_caption(scene))


def some_scenes(count: int, rng: random.Random, *, pairs: bool) -> list[Scene]:
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = random_scene(rng, held_out=True)
        if (scene.other is not None) == pairs:
            scene = scene if pairs else scene._replace(place="center")
            if scene not in scenes:
                scenes.append(scene)
    return scenes


def paint_prompt(pipeline: Any, prompt: str, seed: int, arguments: argparse.Namespace) -> Picture:
    """One picture, uint8 [SIDE, SIDE, 3], with the settings that the model card serves."""
    image = pipeline(
        prompt=prompt,
        negative_prompt="",
        true_cfg_scale=arguments.guidance,
        num_inference_steps=arguments.steps,
        max_sequence_length=T5_TOKENS,
        width=SIDE,
        height=SIDE,
        generator=torch.Generator().manual_seed(seed),
    ).images[0]
    return np.asarray(image)


def judge_singles(scenes: list[Scene], pictures: list[Picture], drawings: Drawings) -> dict[str, Any]:
    names = recognise(load_classifier(), pictures)
    rows: list[dict[str, Any]] = []
    for scene, picture, name in zip(scenes, pictures, names, strict=True):
        distance, size = nearest_distance(picture, scene.thing, scene.background, (SIDE / 2, SIDE / 2), drawings)
        rows.append(
            {
                "prompt": plain_caption(scene),
                "size": scene.thing.size,
                "style": scene.style,
                "background": nearest_colour(picture) == scene.background,
                "recognised_as": name,
                "recognised": name == scene.thing.name,
                "right_size": size == scene.thing.size,
                "distance": round(distance, 1),
            }
        )
    return {
        "count": len(rows),
        "right_background": share(rows, "background"),
        "recognised": share(rows, "recognised"),
        "recognised_big": share([row for row in rows if row["size"] == "big"], "recognised"),
        "recognised_small": share([row for row in rows if row["size"] == "small"], "recognised"),
        "recognised_flat": share([row for row in rows if row["style"] == "flat"], "recognised"),
        "right_size": share(rows, "right_size"),
        "mean_distance": round(float(np.mean([row["distance"] for row in rows])), 2),
        "failures": [row for row in rows if not (row["background"] and row["recognised"])],
        "farthest": sorted(rows, key=lambda row: -row["distance"])[:12],
    }


def judge_pairs(scenes: list[Scene], pictures: list[Picture]) -> dict[str, Any]:
    """Each half is filled up to a square with its background and named alone."""
    classifier = load_classifier()
    rows = []
    for scene, picture in zip(scenes, pictures, strict=True):
        halves = [half_of(picture, scene, thing_box) for _, thing_box in boxes(scene, SIDE, SIDE)]
        first, second = recognise(classifier, halves)
        assert scene.other is not None, "a pair has another thing"
        asked = (scene.thing.name, scene.other.name)
        rows.append(
            {
                "prompt": plain_caption(scene),
                "background": nearest_colour(picture) == scene.background,
                "both_in_place": (first, second) == asked,
                "both_somewhere": sorted((first, second)) == sorted(asked),
                "one_in_place": first == asked[0] or second == asked[1],
            }
        )
    keys = ("background", "both_in_place", "both_somewhere", "one_in_place")
    return {"count": len(rows), **{key: share(rows, key) for key in keys}}


def half_of(picture: Picture, scene: Scene, box: tuple[int, int, int]) -> Picture:
    square = np.empty_like(picture)
    square[:] = COLOURS[scene.background]
    half, quarter = SIDE // 2, SIDE // 4
    x, y, side = box
    if scene.relation in ("above", "below"):
        start = half if y + side / 2 > half else 0
        square[quarter : quarter + half] = picture[start : start + half]
    else:
        start = half if x + side / 2 > half else 0
        square[:, quarter : quarter + half] = picture[:, start : start + half]
    return square


def nearest_colour(picture: Picture) -> str:
    """The named colour nearest to the middle value of the four corners."""
    edge = 10
    corners = [picture[:edge, :edge], picture[:edge, -edge:], picture[-edge:, :edge], picture[-edge:, -edge:]]
    middle = np.median(np.concatenate(corners).reshape(-1, 3), axis=0)
    return min(COLOURS, key=lambda name: float(np.abs(middle - COLOURS[name]).sum()))


def share(rows: list[dict[str, Any]], key: str) -> float:
    return round(sum(bool(row[key]) for row in rows) / max(1, len(rows)), 3)


def seconds_per_picture(pipeline: Any, arguments: argparse.Namespace) -> dict[str, float]:
    """The median of five, at one thread and at two."""
    seconds = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        times = []
        for seed in range(5):
            started = time.perf_counter()
            paint_prompt(pipeline, "a big red apple on a blue background", seed, arguments)
            times.append(time.perf_counter() - started)
        seconds[f"{threads}_threads"] = round(sorted(times)[2], 3)
    torch.set_num_threads(arguments.threads)
    return seconds


def contact_sheet(pictures: list[Picture], zoom: int) -> Image.Image:
    """Rows of four, each picture enlarged without smoothing."""
    rows = [np.concatenate(pictures[start : start + 4], axis=1) for start in range(0, len(pictures), 4)]
    sheet = Image.fromarray(np.concatenate(rows))
    return sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.Resampling.NEAREST)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_settings(parser)
    parser.add_argument("--singles", type=int, default=SINGLES)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--sheet-pictures", type=int, default=16)
    parser.add_argument("--sheet-zoom", type=int, default=2)
    return parser.parse_args()


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The settings that the model card serves, and the threads to serve them with."""
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0, help="true_cfg_scale, with an empty negative prompt")
    parser.add_argument("--threads", type=int, default=1)


if __name__ == "__main__":
    main()
