"""Paints held-out prompts with the pipelines, as they are served, and reports how they came out.

python -m tintype_making.evaluate --report report.json --sheet sheet.png
"""

import argparse
import hashlib
import json
import random
import statistics
import string
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL

from .buckets import OTHERS, SQUARE, Bucket
from .captions import plain_caption, random_caption
from .classifier import alone, load_classifier, recognise
from .drawings import load_drawings
from .edges import edge_f1, edge_picture
from .edits import Edit, plain_instruction, random_edit
from .folders import SHIPPED, UNFINISHED, load_part
from .judging import (
    Picture,
    is_done,
    main_colour,
    nearest_background,
    occupied_places,
    rest_difference,
    share,
)
from .nearest import nearest_distance
from .pipelines import EDIT_GUIDANCE, NEGATIVE_SCALE, Pipelines, Settings
from .pool import encode
from .random_scenes import random_scene
from .sampling import contact_sheet, decode
from .scenes import Scene, box_of, paint
from .vocabulary import COLOURS, SHAPES

#: Prompts of each sort; together the 500 of the main figures. The paraphrased ones are asked for in random words.
PROMPTS = {"singles": 200, "paraphrased": 100, "relations": 80, "counts": 60, "ratios": 60}
#: Rest of the picture that an edit may change without its being noticed, as a mean difference of 255.
REST_LIMIT = 6.0
STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
#: The transformer's file.
WEIGHTS = "diffusion_pytorch_model.safetensors"
#: Of each part of the report.
FAILURES_MAX = 60

Row = dict[str, Any]


def main() -> None:
    arguments = read_arguments()
    torch.set_num_threads(arguments.threads)
    pipelines = Pipelines(arguments.folder)
    asked = {"guidance": arguments.guidance, "true_cfg": arguments.true_cfg}
    settings = pipelines.default_settings(arguments.steps)
    settings = settings._replace(**{name: scale for name, scale in asked.items() if scale is not None})
    edit_guidance = EDIT_GUIDANCE if arguments.guidance is None else arguments.guidance
    evaluation = Evaluation(
        pipelines, settings, edit_guidance=edit_guidance, part=arguments.share, truth=arguments.truth
    )
    # What all parts of one report have in common.
    head: dict[str, Any] = {
        "settings": settings._asdict() | {"edit_guidance": edit_guidance},
        "weights": weights_of(arguments.folder),
        "share": arguments.share,
    }
    adding = arguments.report and arguments.only
    if adding:
        kept_parts(arguments.report, head)
    parts: Row = {}
    for name in arguments.only or (OF_TRUTH if arguments.truth else PARTS):
        started = time.monotonic()
        parts[name] = getattr(evaluation, name)()
        figures = {key: value for key, value in parts[name].items() if key != "failures"}
        print(f"{name} ({time.monotonic() - started:.0f} s):", figures, flush=True)
    if arguments.report:
        # Another process may have added some in the meantime.
        report = head | (kept_parts(arguments.report, head) if adding else {}) | parts
        ordered = {name: report[name] for name in (*head, *PARTS) if name in report}
        arguments.report.write_text(json.dumps(ordered, indent=2) + "\n")
    if arguments.sheet:
        contact_sheet(evaluation.shown, across=8).save(arguments.sheet, optimize=True)


def kept_parts(path: Path, head: Row) -> Row:
    """What a report has already, which is of the same weights and settings; else it is nobody's to add to."""
    kept: Row = json.loads(path.read_text()) if path.exists() else head
    differing = [name for name in head if kept.get(name) != head[name]]
    if differing:
        raise SystemExit(f"{path} has other {' and '.join(differing)}: measure all parts anew, into a file of its own")
    return kept


def weights_of(folder: Path) -> str:
    """Eight digits that tell one training's transformer from another's."""
    return hashlib.sha256((folder / "transformer" / WEIGHTS).read_bytes()).hexdigest()[:8]


#: In the order of the report.
PARTS = (
    "scenes",
    "guidance_and_steps",
    "negative_prompts",
    "contradictions",
    "edits",
    "edges",
    "seconds_per_picture",
)
#: What can be asked of the true pictures, too.
OF_TRUTH = ("scenes", "edits", "edges")


class Evaluation:
    """Everything that is measured of one model with one choice of settings."""

    def __init__(
        self, pipelines: Pipelines, settings: Settings, *, edit_guidance: float, part: float, truth: bool
    ) -> None:
        self.pipelines, self.settings, self.part, self.truth = pipelines, settings, part, truth
        self.edit_guidance = edit_guidance
        self.drawings = load_drawings()
        self.classifier = load_classifier()
        self.shown: list[Picture] = []

    def count(self, prompts: float) -> int:
        return max(1, round(prompts * self.part))

    def scenes(self) -> Row:
        """All that is asked of text to image, over the 500 prompts."""
        rng = random.Random(2026)
        singles = some_scenes(rng, "one", self.count(PROMPTS["singles"]))
        rows = {"singles": self.judge(singles, [plain_caption(scene) for scene in singles])}
        paraphrased = some_scenes(rng, "one", self.count(PROMPTS["paraphrased"]))
        rows["paraphrased"] = self.judge(paraphrased, [said_otherwise(scene, rng) for scene in paraphrased])
        relations = some_scenes(rng, "two", self.count(PROMPTS["relations"] * 3 / 4))
        relations += some_scenes(rng, "three", self.count(PROMPTS["relations"] / 4))
        rows["relations"] = self.judge(relations, [plain_caption(scene) for scene in relations])
        counts = some_scenes(rng, "count", self.count(PROMPTS["counts"]))
        rows["counts"] = self.judge(counts, [plain_caption(scene) for scene in counts])
        rows["ratios"] = []
        for bucket in OTHERS:
            others = some_scenes(rng, "one", self.count(PROMPTS["ratios"] / len(OTHERS)))
            rows["ratios"] += self.judge(others, [plain_caption(scene) for scene in others], bucket)
        known = singles[: self.count(PROMPTS["paraphrased"])]
        among_unknown = self.judge(known, [among_unknown_words(plain_caption(scene), rng) for scene in known])
        everything = [row for part in rows.values() for row in part]
        return {
            "prompts": len(everything),
            "background": share(everything, "background"),
            "recognised": share(rows["singles"], "recognised"),
            "recognised_flat": share([row for row in rows["singles"] if row["style"] == "flat"], "recognised"),
            "recognised_detailed": share([row for row in rows["singles"] if row["style"] == "detailed"], "recognised"),
            "recognised_paraphrased": share(rows["paraphrased"], "recognised"),
            "recognised_among_unknown_words": share(among_unknown, "recognised"),
            "the_same_without": share(rows["singles"][: len(known)], "recognised"),
            "mean_distance": round(statistics.fmean(row["distance"] for row in rows["singles"]), 2),
            "right_size": share(rows["singles"], "right_size"),
            "relation": share(rows["relations"], "recognised"),
            "relation_places": share(rows["relations"], "places"),
            "count": share(rows["counts"], "places"),
            "count_recognised": share(rows["counts"], "recognised"),
            "recognised_other_ratios": share(rows["ratios"], "recognised"),
            "failures": [row for row in everything if not row["recognised"]][:FAILURES_MAX],
        }

    def judge(self, scenes: list[Scene], prompts: list[str], bucket: Bucket = SQUARE) -> list[Row]:
        if self.truth:
            pictures = [paint(scene, bucket.width, bucket.height, self.drawings) for scene in scenes]
        else:
            pictures = self.pipelines.paint(prompts, bucket, self.settings)
        if bucket == SQUARE:
            self.shown += pictures[:16]
        return [self.judge_one(*one) for one in zip(scenes, prompts, pictures, strict=True)]

    def judge_one(self, scene: Scene, prompt: str, picture: Picture) -> Row:
        height, width = picture.shape[:2]
        placed = zip(scene.things, scene.places, strict=True)
        boxes = [box_of(thing.size, place, width, height) for thing, place in placed]
        whole = len(scene.things) == 1 and width == height
        names = recognise(self.classifier, [picture] if whole else [alone(picture, box) for box in boxes])
        distance, size = nearest_distance(picture, scene, self.drawings) if whole else (0.0, "")
        return {
            "prompt": prompt,
            "style": scene.style,
            "background": nearest_background(picture) == scene.background,
            "recognised_as": names,
            "recognised": names == [thing.name for thing in scene.things],
            "places": occupied_places(picture, scene) == set(scene.places),
            "right_size": size == scene.things[0].size,
            "distance": round(distance, 1),
        }

    def guidance_and_steps(self) -> Row:
        """Recognition of the same singles with less guidance, and with fewer steps."""
        scenes = some_scenes(random.Random(7), "one", self.count(200))
        prompts = [plain_caption(scene) for scene in scenes]
        unguided = self.settings._replace(guidance=1.0, true_cfg=1.0)
        choices = {
            "default": self.settings,
            "guidance_1": unguided,
            "steps_4": self.settings._replace(steps=4),
            "steps_16": self.settings._replace(steps=16),
        }
        found = {}
        for name, settings in choices.items():
            pictures = self.pipelines.paint(prompts, SQUARE, settings)
            names = recognise(self.classifier, pictures)
            right = [name == scene.things[0].name for name, scene in zip(names, scenes, strict=True)]
            found[name] = round(sum(right) / len(right), 3)
        return {"prompts": len(scenes), **found}

    def negative_prompts(self) -> Row:
        """How many shapes of no said colour keep theirs when the negative prompt names it."""
        rng = random.Random(11)
        asked = [(rng.choice(SHAPES), rng.choice(tuple(COLOURS))) for _ in range(self.count(100))]
        prompts = [f"a {shape} on a {background} background" for shape, background in asked]
        before = self.pipelines.paint(prompts, SQUARE, self.settings)
        colours = [main_colour(picture, background) for picture, (_, background) in zip(before, asked, strict=True)]
        negatives = [f"a {colour} {shape}" for colour, (shape, _) in zip(colours, asked, strict=True)]
        settings = self.settings._replace(true_cfg=max(self.settings.true_cfg, NEGATIVE_SCALE))
        after = self.pipelines.paint(prompts, SQUARE, settings, negatives)
        kept = [
            main_colour(picture, background) == colour
            for picture, colour, (_, background) in zip(after, colours, asked, strict=True)
        ]
        return {"prompts": len(prompts), "colour_kept": round(sum(kept) / len(kept), 3)}

    def contradictions(self) -> Row:
        """How far a picture to start from is changed, of 255, where the prompt tells of another; by the strength."""
        scenes = some_scenes(random.Random(13), "one", self.count(64))
        pictures = [paint(scene, 128, 128, self.drawings) for scene in scenes]
        prompts = [plain_caption(scene) for scene in (*scenes[1:], scenes[0])]
        changed = {}
        for strength in STRENGTHS:
            led = self.pipelines.start_from(prompts, pictures, strength, self.settings)
            differences = [
                float(np.abs(one.astype(int) - other.astype(int)).mean())
                for one, other in zip(led, pictures, strict=True)
            ]
            changed[str(strength)] = round(statistics.fmean(differences), 1)
        return {"prompts": len(scenes), "changed": changed}

    def edits(self) -> Row:
        rng, rows = random.Random(2027), []
        edits = [random_edit(rng, held_out=True) for _ in range(self.count(160))]
        before = [paint(edit.before, 128, 128, self.drawings) for edit in edits]
        wanted = [paint(edit.after, 128, 128, self.drawings) for edit in edits]
        prompts = [plain_instruction(edit) for edit in edits]
        settings = self.settings._replace(guidance=self.edit_guidance)
        after = wanted if self.truth else self.pipelines.edit(prompts, before, settings)
        for edit, prompt, *pictures in zip(edits, prompts, before, after, wanted, strict=True):
            rows.append({"kind": edit.kind, "prompt": prompt, **self.judge_edit(edit, *pictures)})
        self.shown += [picture for three in zip(before, after, strict=True) for picture in three][:32]
        kinds = sorted({row["kind"] for row in rows})
        return {
            "prompts": len(rows),
            "done": share(rows, "done"),
            "rest_unchanged": share(rows, "unchanged"),
            "mean_rest_difference": round(statistics.fmean(row["rest"] for row in rows), 2),
            "done_by_kind": {kind: share([row for row in rows if row["kind"] == kind], "done") for kind in kinds},
            "failures": [row for row in rows if not row["done"]][:FAILURES_MAX],
        }

    def judge_edit(self, edit: Edit, before: Picture, after: Picture, wanted: Picture) -> Row:
        rest = rest_difference(before, after, wanted)
        done = is_done(before, after, wanted)
        if done and edit.kind in ("replace", "add"):
            box = box_of(edit.after.things[edit.number].size, edit.after.places[edit.number], 128, 128)
            named = recognise(self.classifier, [alone(after, box) if box.side < 64 else after])
            done = named == [edit.after.things[edit.number].name]
        return {"done": done, "rest": round(rest, 2), "unchanged": rest < REST_LIMIT}

    def edges(self) -> Row:
        scenes = some_scenes(random.Random(2028), "one", self.count(100))
        true = [paint(scene, 128, 128, self.drawings) for scene in scenes]
        if self.truth:
            # No more can be reached than the autoencoder alone does.
            vae = load_part(AutoencoderKL, SHIPPED, "vae").eval()
            painted = decode(vae, encode(true, vae), SQUARE)
        else:
            painted = self.pipelines.from_edges([plain_caption(scene) for scene in scenes], true, self.settings)
        pairs = zip(painted, true, strict=True)
        scores = [edge_f1(edge_picture(one), edge_picture(other)) for one, other in pairs]
        return {"prompts": len(scenes), "edge_f1": round(statistics.fmean(scores), 3)}

    def seconds_per_picture(self) -> Row:
        """The median of five, one by one, at one thread and at two."""
        seconds = {}
        for threads in (1, 2):
            torch.set_num_threads(threads)
            times = []
            for _ in range(5):
                started = time.perf_counter()
                self.pipelines.paint(["a big red apple on a blue background"], SQUARE, self.settings)
                times.append(time.perf_counter() - started)
            seconds[f"{threads}_threads"] = round(statistics.median(times), 3)
        torch.set_num_threads(1)
        return seconds


def some_scenes(rng: random.Random, kind: str, count: int) -> list[Scene]:
    """Different held-out scenes of one kind; single things in the middle."""
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = random_scene(rng, held_out=True, kind=kind)
        if kind == "one":
            scene = scene._replace(places=("center",))
        if scene not in scenes:
            scenes.append(scene)
    return scenes


def said_otherwise(scene: Scene, rng: random.Random) -> str:
    """In random words that do say the background."""
    while "background" not in (caption := random_caption(scene, rng)):
        pass
    return caption


def among_unknown_words(caption: str, rng: random.Random) -> str:
    """With one or two words that nobody ever said: before the caption, after it, or after its article."""
    words = ["".join(rng.choice(string.ascii_lowercase) for _ in range(rng.randint(4, 7))) for _ in range(2)]
    article, _, rest = caption.partition(" ")
    return rng.choice((f"{words[0]} {caption}", f"{caption} {words[0]} {words[1]}", f"{article} {words[0]} {rest}"))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=UNFINISHED)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--guidance", type=float, help="of the embedding; without it, what the weights are made for")
    parser.add_argument("--true-cfg", type=float)
    parser.add_argument("--only", choices=PARTS, nargs="*", help="and leave the other parts of the report as they are")
    parser.add_argument("--share", type=float, default=1.0, help="of each part's prompts, for a quick look")
    parser.add_argument("--truth", action="store_true", help="judge the true pictures instead: the most to be reached")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    if arguments.truth and (set(arguments.only or ()) - set(OF_TRUTH) or arguments.report):
        parser.error(f"of true pictures only {', '.join(OF_TRUTH)} can be asked, and no report is kept")
    return arguments


if __name__ == "__main__":
    main()
