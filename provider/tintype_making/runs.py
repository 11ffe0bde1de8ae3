"""One training from start to end, whatever breaks it off: steps, averages, checkpoints, the curve. Knows no losses."""

import argparse
import csv
import math
import random
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.progress import Progress, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from .drawings import CACHE
from .ema import Average
from .folders import UNFINISHED
from .painter import Painter
from .quick_layers import quick_layers
from .workers import agreed, average_gradients, rank, together

CURVE, SHEETS = CACHE / "curve.csv", CACHE / "sheets"
SECONDS_BETWEEN_CHECKPOINTS = 300
STEPS_BETWEEN_LINES = 100
#: The T5's words are rows of length ten or so, each met in one batch of three, and its sense of order must come to some
#: units: at the others' rate neither would move.
SLOW_WEIGHTS = ("shared.weight", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight")
SLOW_FACTOR = 2.0

#: What one batch teaches: named losses, of which the sum is followed.
Losses = dict[str, Tensor]


@contextmanager
def started(arguments: argparse.Namespace, kind: type[Painter] = Painter) -> Iterator[Painter]:
    """The painter in training on the device there is, with threads and seed as asked.

    Under torchrun every process has one of its own, and all of them stay equal.
    """
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with together(), quick_layers(device):
        yield kind(UNFINISHED).to(device)


class Refreshing(Protocol):
    """A store of samples that another process may still be adding to."""

    def refresh(self) -> int: ...


class Run:
    """One training from start to end, whatever breaks it off in between. Stages are trained by different losses."""

    def __init__(
        self,
        stage: str,
        painter: Painter,
        pool: Refreshing,
        arguments: argparse.Namespace,
        losses_of: Callable[[Painter, random.Random], Losses],
        paint: Callable[[Painter, Path], None],
    ) -> None:
        self.stage, self.painter, self.pool, self.arguments = stage, painter, pool, arguments
        self.losses_of, self.paint = losses_of, paint
        self.rng = random.Random(f"{arguments.seed} {rank()}" if rank() else arguments.seed)
        torch.manual_seed(arguments.seed + rank())
        self.average = Average(painter, decay=arguments.decay)
        self.learning = [weight for weight in painter.parameters() if weight.requires_grad]
        self.optimizers = make_optimizers(painter, arguments.rate)
        self.seconds, self.step, self.stopped = 0.0, 0, False
        self.checkpoint = CACHE / f"{stage}.pt"
        signal.signal(signal.SIGTERM, self.stop)

    def train(self) -> None:
        """Until the minutes are over; saves every five minutes, and at the end."""
        if self.arguments.resume and self.checkpoint.exists():
            self.load()
        print("pictures", self.pool.refresh(), "parameters", sum(w.numel() for w in self.painter.parameters()))
        started, saved = time.monotonic() - self.seconds, time.monotonic()
        losses: list[dict[str, float]] = []
        columns = (*Progress.get_default_columns()[:-1], TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, disable=rank() > 0) as progress:
            bar = progress.add_task(self.stage, total=60 * self.arguments.minutes)
            while (share := agreed(self.share())) < 1:
                losses.append(self.learn(rate_at(self.step, share, self.arguments.rate)))
                self.step, self.seconds = self.step + 1, time.monotonic() - started
                progress.update(bar, completed=self.seconds)
                if self.step % STEPS_BETWEEN_LINES == 0:
                    self.pool.refresh()
                    if rank() == 0:
                        progress.console.print(note(self.stage, self.step, self.seconds, losses))
                    losses = []
                if rank() == 0 and time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                    self.save()
                    saved = time.monotonic()
        self.save()

    def share(self) -> float:
        """How much of the training is done; all of it where it was told to stop."""
        if self.stopped or self.step == self.arguments.steps:
            return 1
        return self.seconds / (60 * float(self.arguments.minutes))

    def stop(self, *_: Any) -> None:
        """After this step; what was learnt is saved for a resumed run."""
        self.stopped = True

    def learn(self, rate: float) -> dict[str, float]:
        """One step; the losses by their names."""
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = rate * group.get("factor", 1.0)
        losses = self.losses_of(self.painter, self.rng)
        self.painter.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        average_gradients(self.learning)
        nn.utils.clip_grad_norm_(self.learning, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.average.update(self.painter)
        return {name: loss.item() for name, loss in losses.items()}

    def save(self) -> None:
        """The averaged weights to the folder in training, all that a resumed run needs to the cache, and a sheet."""
        if self.arguments.trial or rank():
            return
        self.average.model.save(UNFINISHED)
        state = {
            "painter": self.painter.state_dict(),
            "average": (self.average.model.state_dict(), self.average.steps),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": (self.step, self.seconds, self.rng.getstate()),
        }
        unfinished = self.checkpoint.with_suffix(".unfinished")
        torch.save(state, unfinished)
        unfinished.replace(self.checkpoint)
        self.paint(self.average.model, SHEETS / f"{self.stage}-{round(self.seconds / 60):03}.png")

    def load(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.painter.device, weights_only=False)
        self.painter.load_state_dict(state["painter"])
        self.average.model.load_state_dict(state["average"][0])
        self.average.steps = state["average"][1]
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.step, self.seconds, rng = state["progress"]
        self.rng.setstate(rng)
        torch.manual_seed(self.arguments.seed + self.step + rank())


def make_optimizers(painter: Painter, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the transformer's blocks, AdamW for all else, at one rate."""
    inside = [
        weight
        for name, weight in painter.transformer.named_parameters()
        if weight.ndim == 2 and "blocks" in name and "norm" not in name
    ]
    numbers = {id(weight) for weight in inside}
    others = [weight for weight in painter.parameters() if weight.requires_grad and id(weight) not in numbers]
    words = [weight for name, weight in painter.t5.named_parameters() if name in SLOW_WEIGHTS and weight.requires_grad]
    numbers |= {id(weight) for weight in words}
    groups = [
        {"params": [weight for weight in others if id(weight) not in numbers], "factor": 1.0},
        {"params": words, "factor": SLOW_FACTOR},
    ]
    return [
        torch.optim.Muon(inside, lr=rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True),
    ]


def rate_at(step: int, share: float, rate: float) -> float:
    """A short warm-up, then the cosine's half wave down to a hundredth."""
    return rate * min(1, (step + 1) / 100) * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)


def note(stage: str, step: int, seconds: float, losses: list[dict[str, float]]) -> str:
    """A line for the eye, and one for the curve's file: the means of all losses that there were."""
    names = sorted({name for one in losses for name in one})
    means = {name: statistics.fmean(one[name] for one in losses if name in one) for name in names}
    text = ", ".join(f"{name} {mean:.4f}" for name, mean in means.items())
    with CURVE.open("a", newline="") as file:
        csv.writer(file).writerow([stage, step, round(seconds / 60, 1), text])
    return f"{step} steps, {seconds:.0f} s, {text}"


def add_arguments(parser: argparse.ArgumentParser, *, minutes: float, rate: float) -> None:
    """What every stage may be told."""
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--steps", type=int, default=-1, help="stop after so many, whatever the clock says")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--decay", type=float, default=0.997, help="of the average that is saved")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on where the last run of this stage was broken off")
    parser.add_argument("--trial", action="store_true", help="save nothing")
