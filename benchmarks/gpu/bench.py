"""One model on the device, and the figures of its forwards. Nothing here knows the table."""

from __future__ import annotations

import functools
import gc
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.cells import Cell, Figures
from benchmarks.gpu.subjects import SUBJECTS, Inputs, first_rows

REPEATS_MIN = 5
REPEATS_MAX = 50
# Enough blocks, shapes and kinds of blocks for every model here; the default, 8, is not.
RECOMPILES_MAX = 64


class Bench:
    def __init__(self, name: str, *, device: torch.device, is_tiny: bool, rows_max: int, seconds_a_cell: float) -> None:
        self._subject = SUBJECTS[name]
        self._device = device
        self._is_tiny = is_tiny
        self._rows_max = rows_max
        self._seconds_a_cell = seconds_a_cell
        self._inputs: Inputs = {}
        self._alone: torch.Tensor | None = None
        self._alone_milliseconds = 0.0
        self._ceiling_teraflops = ceiling_teraflops(device)
        self.model: Any = self._subject.build(device, is_tiny=is_tiny)

    def prepare(self, mode: str) -> None:
        if mode == "compiled":
            torch._dynamo.reset()
            torch._dynamo.config.recompile_limit = RECOMPILES_MAX
            for module in self.model.modules():
                if type(module).__name__ in self._subject.blocks:
                    module.compile(fullgraph=True, dynamic=True, backend=compiler(self._device))

    def measure(self, cell: Cell) -> Figures:
        """A size's first cell is one row alone: it is what the others are compared with."""
        if cell.rows == 1:
            self._begin_size(cell.pixels)
        inputs = first_rows(self._inputs, cell.rows)
        started = time.perf_counter()
        first = self._forward(inputs)
        first_seconds = time.perf_counter() - started
        if not first.isfinite().all():
            raise RuntimeError("the output is not finite")
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        self._forward(inputs)
        seconds, last = self._repeat(inputs)
        milliseconds = statistics.median(seconds) * 1000
        if cell.rows == 1:
            self._alone, self._alone_milliseconds = first, milliseconds
        assert self._alone is not None, "a size begins with one row"
        teraflop = teraflop_a_row(cell.model, cell.pixels, is_tiny=self._is_tiny) * cell.rows
        return Figures(
            milliseconds=milliseconds,
            milliseconds_min=min(seconds) * 1000,
            milliseconds_max=max(seconds) * 1000,
            first_seconds=first_seconds,
            teraflop=teraflop,
            ceiling_teraflops=self._ceiling_teraflops,
            share=teraflop / (milliseconds / 1000) / self._ceiling_teraflops,
            gain=self._alone_milliseconds * cell.rows / milliseconds,
            are_runs_equal=torch.equal(first, last),
            is_row0_equal=torch.equal(first[:1], self._alone),
            row0_distance=_distance(first[:1], self._alone),
            peak_bytes=torch.cuda.max_memory_allocated() if self._device.type == "cuda" else None,
        )

    def _begin_size(self, pixels: int) -> None:
        self._alone = None
        self._inputs = self._subject.draw_inputs(self.model, rows=self._rows_max, side=pixels, device=self._device)

    def _repeat(self, inputs: Inputs) -> tuple[list[float], torch.Tensor]:
        seconds: list[float] = []
        while True:
            started = time.perf_counter()
            output = self._forward(inputs)
            seconds.append(time.perf_counter() - started)
            is_long_enough = sum(seconds) >= self._seconds_a_cell or len(seconds) == REPEATS_MAX
            if len(seconds) >= REPEATS_MIN and is_long_enough:
                return seconds, output

    def _forward(self, inputs: Inputs) -> torch.Tensor:
        output = self._subject.forward(self.model, inputs)
        wait_for(self._device)
        return output


def compiler(device: torch.device) -> str:
    """Without a GPU blocks are traced and run as they are: what would break on the way shows, and no time is lost."""
    return "inductor" if device.type == "cuda" else "eager"


@functools.cache
def teraflop_a_row(name: str, pixels: int, *, is_tiny: bool) -> float:
    """Counted on the meta device, where nothing is computed. Everything but the positions is each row's own."""
    meta = torch.device("meta")
    model = SUBJECTS[name].build(meta, is_tiny=is_tiny)
    inputs = SUBJECTS[name].draw_inputs(model, rows=1, side=pixels, device=meta)
    with FlopCounterMode(display=False) as counter:
        SUBJECTS[name].forward(model, inputs)
    return float(counter.get_total_flops() / 1e12)


def ceiling_teraflops(device: torch.device) -> float:
    """Of a bf16 product of random matrices, 8192 a side on a GPU: the same product as engine.md's 788 on an H200."""
    # The warm-up brings a GPU's clocks up.
    side, warm_ups = (8192, 100) if device.type == "cuda" else (512, 5)
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = [_seconds(lambda: left @ right, device) for _ in range(warm_ups + 30)]
    return float(2 * side**3 / statistics.median(seconds[warm_ups:]) / 1e12)


def wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def release_memory(device: torch.device) -> None:
    # What was compiled may hold weights. The compiler takes seconds to import, for nothing where nothing was compiled.
    if "torch._dynamo" in sys.modules:
        torch._dynamo.reset()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    work()
    wait_for(device)
    return time.perf_counter() - started


def _distance(row: torch.Tensor, alone: torch.Tensor) -> float:
    return float((row.float() - alone.float()).norm() / alone.float().norm())
