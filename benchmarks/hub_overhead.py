"""What the hub costs beside the denoiser: a step of each of eight requests, with a denoiser that costs nothing."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.conditions import print_conditions

REQUESTS = 8
STEPS = 400
ROUNDS = 7


def main() -> None:
    print(f"hub overhead: one step of each of {REQUESTS} requests, with a denoiser that costs nothing")
    print_conditions("torch", "diffusers", "greenlet")
    pipeline = _free_pipeline()
    rounds = [(_plain(pipeline), _hub(pipeline)) for _ in range(ROUNDS)]
    plain, hub = (statistics.median(times) for times in zip(*rounds, strict=True))
    ratios = sorted(in_hub / alone for alone, in_hub in rounds)
    print(f"  the plain pipeline: {plain:5.1f} µs   in the hub: {hub:5.1f} µs of the thread's time a row")
    print(f"  ratio: {statistics.median(ratios):4.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f}, {ROUNDS} rounds)")


def _free_pipeline() -> Any:
    sys.path.append(str(Path(__file__).parent.parent / "tests"))
    import torch
    from tiny_models import flux

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    pipeline = flux()
    pipeline.set_progress_bar_config(disable=True)
    pipeline.transformer.forward = lambda hidden_states, **_: (hidden_states,)
    return pipeline


def _plain(pipeline: Any) -> float:
    def paint(steps: int) -> None:
        pipeline(**_arguments(seed=0, steps=steps))

    return _step_microseconds(paint)


def _hub(pipeline: Any) -> float:
    from calotype_provider.local.hub import Hub
    from calotype_provider.local.hub_request import HubRequest

    def paint(steps: int) -> None:
        hub = Hub()
        for index in range(REQUESTS):
            arguments = _arguments(seed=index, steps=steps)
            hub.submit(
                HubRequest(request_id=str(index), model_id="flux", pipeline=pipeline, arguments=arguments), _Deaf()
            )
        while hub.run_step():
            pass

    return _step_microseconds(paint) / REQUESTS


def _step_microseconds(paint: Callable[[int], None]) -> float:
    """Of what is paid again at every step: the beginning and the end are in both measurements."""
    short, long = (_seconds(paint, steps) for steps in (2, 2 + STEPS))
    return (long - short) / STEPS * 1e6


def _seconds(paint: Callable[[int], None], steps: int) -> float:
    # The thread's own time: at so few microseconds, whoever shares the cores would be measured too.
    started = time.thread_time()
    paint(steps)
    return time.thread_time() - started


def _arguments(*, seed: int, steps: int) -> dict[str, Any]:
    import torch

    return {
        "prompt": f"prompt {seed}",
        "height": 64,
        "width": 64,
        "num_inference_steps": steps,
        "guidance_scale": 3.0,
        "max_sequence_length": 64,
        "output_type": "latent",
        "generator": torch.Generator().manual_seed(seed),
    }


class _Deaf:
    def on_begin(self) -> None:
        pass

    def on_step(self, step: int, steps: int) -> None:
        pass

    def on_preview(self, step: int, images: Any) -> None:
        pass

    def on_done(self, output: Any) -> None:
        pass

    def on_error(self, error: BaseException) -> None:
        raise error


if __name__ == "__main__":
    main()
