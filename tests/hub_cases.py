"""Requests for pipelines, and the two ways to paint them: by the pipeline alone, and in the hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import diffusers
import numpy as np
import PIL.Image
import torch

from calotype_provider.local.hub import Hub, HubStats
from calotype_provider.local.hub_request import HubRequest
from calotype_provider.local.precision import quickest_dtype
from calotype_provider.local.siblings import sibling_of

JOINING = (0, 0, 2, 2, 3, 6)
"""The forward before which each request joins."""
SIDE = 64
QUICKEST: torch.dtype = getattr(torch, quickest_dtype("cpu"))
"""What CPUs like this one paint in: bf16 takes minutes where they have no instructions for it."""


class UnheardOf(diffusers.FluxTransformer2DModel):
    """A class of denoiser that no merge rule knows."""


@dataclass(frozen=True)
class Case:
    arguments: Mapping[str, Any]
    seed: int
    pipeline_class: type[Any] | None = None


@dataclass
class Recorder:
    """What a listener of the hub hears."""

    begun: bool = False
    steps: list[tuple[int, int]] = field(default_factory=list)
    previews: list[tuple[int, torch.Tensor]] = field(default_factory=list)
    output: Any = None
    error: BaseException | None = None

    def on_begin(self) -> None:
        self.begun = True

    def on_step(self, step: int, steps: int) -> None:
        self.steps.append((step, steps))

    def on_preview(self, step: int, images: torch.Tensor) -> None:
        self.previews.append((step, images))

    def on_done(self, output: Any) -> None:
        self.output = output

    def on_error(self, error: BaseException) -> None:
        self.error = error

    def image(self) -> torch.Tensor:
        assert self.error is None, self.error
        image: torch.Tensor = self.output.images
        return image


def paint_plain(pipeline: Any, case: Case) -> tuple[torch.Tensor, int]:
    """The picture by the pipeline itself, alone, and how often it called its denoiser."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    painter = pipeline if case.pipeline_class is None else sibling_of(pipeline, case.pipeline_class)
    painter.set_progress_bar_config(disable=True)
    hook = denoiser_of(pipeline).register_forward_hook(count)
    # Some pipelines draw noise without the generator that they are given.
    torch.manual_seed(case.seed)
    image = painter(**call_arguments(case)).images
    hook.remove()
    return image, calls


def paint_in_hub(
    pipeline: Any, cases: Sequence[Case], *, hub: Hub | None = None, exact: bool = False
) -> tuple[list[torch.Tensor], HubStats]:
    """The pictures of all cases, each joining at its time."""
    hub = hub or Hub()
    recorders = [Recorder() for _ in cases]
    for index, (case, recorder) in enumerate(zip(cases, recorders, strict=True)):
        while hub.stats().forwards < JOINING[index % len(JOINING)] and hub.run_step():
            pass
        hub.submit(hub_request(pipeline, case, request_id=str(index), exact=exact), recorder)
    while hub.run_step():
        pass
    return [recorder.image() for recorder in recorders], hub.stats()


def hub_request(pipeline: Any, case: Case, *, request_id: str, exact: bool = False, previews: int = 0) -> HubRequest:
    return HubRequest(
        request_id=request_id,
        model_id="tiny",
        pipeline=pipeline if case.pipeline_class is None else sibling_of(pipeline, case.pipeline_class),
        arguments=call_arguments(case),
        exact=exact,
        previews=previews,
    )


def submit_all(hub: Hub, pipeline: Any, cases: Sequence[Case]) -> list[Recorder]:
    recorders = [Recorder() for _ in cases]
    for index, (case, recorder) in enumerate(zip(cases, recorders, strict=True)):
        hub.submit(hub_request(pipeline, case, request_id=str(index)), recorder)
    return recorders


def run(hub: Hub, *, until: Callable[[], bool] = lambda: False) -> None:
    while not until() and hub.run_step():
        pass


def until_forwards(hub: Hub, count: int) -> None:
    run(hub, until=lambda: hub.stats().forwards >= count)


def call_arguments(case: Case) -> dict[str, Any]:
    return {"output_type": "pt", "generator": torch.Generator().manual_seed(case.seed), **case.arguments}


def denoiser_of(pipeline: Any) -> Any:
    return pipeline.unet if hasattr(pipeline, "unet") else pipeline.transformer


def picture(seed: int) -> PIL.Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    return PIL.Image.fromarray(pixels)


def mask(seed: int) -> PIL.Image.Image:
    pixels = np.zeros((SIDE, SIDE), dtype=np.uint8)
    pixels[:, : SIDE // 4 * (1 + seed % 3)] = 255
    return PIL.Image.fromarray(pixels)
