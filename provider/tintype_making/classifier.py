"""A small network that names the drawing in a picture, trained apart from tintype on the true drawings.

python -m tintype_making.classifier --minutes 10
"""

import argparse
import itertools
import math
import random
import time

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional

from .drawings import CACHE, Drawings, load_drawings
from .nouns import NOUNS
from .random_scenes import random_scene
from .scenes import Box, Scene, box_of, paint
from .vocabulary import SHAPES

LABELS = (*NOUNS, *SHAPES)
WEIGHTS = CACHE / "classifier.pt"
#: Pictures are shrunk to this side before they are named.
SIDE = 64
#: Side of the pictures that things are composed in, and that one of several is put in alone.
PICTURE_SIDE = 128
BATCH, POOL = 64, 20_000
LEARNING_RATE = 2e-3


class Classifier(nn.Sequential):
    """[batch, 3, SIDE, SIDE], -1 to 1, to the score of each label."""

    def __init__(self) -> None:
        widths = (3, 32, 64, 96, 160)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 1, 1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        super().__init__(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(widths[-1] * 16, len(LABELS)))


def load_classifier() -> Classifier:
    classifier = Classifier()
    classifier.load_state_dict(torch.load(WEIGHTS, weights_only=True))
    return classifier.eval()


@torch.inference_mode()
def recognise(classifier: Classifier, pictures: list[NDArray[np.uint8]]) -> list[str]:
    """The label of each square picture."""
    if not pictures:
        return []
    scores = classifier(torch.stack([shrunk(picture) for picture in pictures]).float() / 127.5 - 1)
    return [LABELS[number] for number in scores.argmax(1).tolist()]


def shrunk(picture: NDArray[np.uint8]) -> Tensor:
    """uint8 [side, side, 3] to uint8 [3, SIDE, SIDE]."""
    tensor = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    return functional.interpolate(tensor, (SIDE, SIDE), mode="area")[0].round().byte()


def alone(picture: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """What is in the box and a little around it, in the middle of a picture of its surroundings' colour."""
    margin = min(box.side // 6, (PICTURE_SIDE - box.side) // 2)
    height, width = picture.shape[:2]
    top, bottom = max(0, box.top - margin), min(height, box.top + box.side + margin)
    left, right = max(0, box.left - margin), min(width, box.left + box.side + margin)
    cut = picture[top:bottom, left:right]
    border = np.concatenate([cut[0], cut[-1], cut[:, 0], cut[:, -1]])
    square = np.empty((PICTURE_SIDE, PICTURE_SIDE, 3), np.uint8)
    square[:] = np.median(border, axis=0)
    x, y = (PICTURE_SIDE - cut.shape[1]) // 2, (PICTURE_SIDE - cut.shape[0]) // 2
    square[y : y + cut.shape[0], x : x + cut.shape[1]] = cut
    return square


def compose(count: int, drawings: Drawings, rng: random.Random, *, held_out: bool) -> tuple[Tensor, Tensor]:
    """Pictures as uint8 [count, 3, SIDE, SIDE] and the numbers of their labels."""
    pictures, labels = [], []
    for _ in track(range(count), "true drawings"):
        scene = evenly_styled(random_scene(rng, held_out=held_out), rng)
        number = rng.randrange(len(scene.things))
        picture = paint(scene, PICTURE_SIDE, PICTURE_SIDE, drawings)
        if len(scene.things) > 1:
            box = box_of(scene.things[number].size, scene.places[number], PICTURE_SIDE, PICTURE_SIDE)
            picture = alone(picture, box)
        pictures.append(shrunk(picture))
        labels.append(LABELS.index(scene.things[number].name))
    return torch.stack(pictures), torch.tensor(labels)


def evenly_styled(scene: Scene, rng: random.Random) -> Scene:
    """So that both styles are known equally well."""
    return scene._replace(style=rng.choice(("flat", "detailed")))


def train(classifier: Classifier, pool: tuple[Tensor, Tensor], minutes: float, rate: float) -> None:
    pictures, labels = pool
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=rate, weight_decay=0.02)
    started, step = time.monotonic(), 0
    while (share := (time.monotonic() - started) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)
        numbers = torch.randint(len(pictures), (BATCH,))
        loss = functional.cross_entropy(classifier(disturbed(pictures[numbers])), labels[numbers], label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        step += 1
        if step % 200 == 0:
            print(step, round(time.monotonic() - started), "loss", round(loss.item(), 3), flush=True)


def disturbed(pictures: Tensor) -> Tensor:
    """Floats, -1 to 1, moved and roughened: what is painted is never as clean as what was drawn."""
    shift_x, shift_y = random.randint(-4, 4), random.randint(-4, 4)
    moved = pictures.roll((shift_y, shift_x), (2, 3)).float() / 127.5 - 1
    if random.random() < 0.3:
        moved = functional.avg_pool2d(moved, 3, 1, 1, count_include_pad=False)
    return moved + torch.randn_like(moved) * random.choice((0.0, 0.05, 0.12))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--resume", action="store_true", help="train the judge there is for so long again, half as fast"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    # A judge that is trained on meets other compositions than the first time.
    rng, drawings = random.Random(int(arguments.resume)), load_drawings()
    torch.manual_seed(int(arguments.resume))
    classifier = load_classifier().train() if arguments.resume else Classifier()
    rate = LEARNING_RATE / 2 if arguments.resume else LEARNING_RATE
    train(classifier, compose(POOL, drawings, rng, held_out=False), arguments.minutes, rate)
    classifier.eval()
    pictures, labels = compose(1_500, drawings, rng, held_out=True)
    with torch.inference_mode():
        right = (classifier(pictures.float() / 127.5 - 1).argmax(1) == labels).float().mean().item()
    torch.save(classifier.state_dict(), WEIGHTS)
    print(f"held-out compositions named rightly: {right:.1%}")


if __name__ == "__main__":
    main()
