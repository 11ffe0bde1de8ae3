"""How near one forward of a full-size denoiser comes to what the device can do, and what sharing it gains and changes.

    python -m benchmarks.gpu [--tiny] [--models flux.1,klein-4b] [--sizes 512,1024] [--batches 1,2,4,8]
        [--modes eager,compiled] [--attention native,_native_cudnn] [--seconds-max 480] [--json FILE]

Nothing is downloaded: weights are random, drawn on the device, which is fair to the time of dense bf16 work and to
nothing else. Without a GPU the same code runs on toys. Where commands are cut off, --seconds-max is what to set.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import diffusers
import torch

from benchmarks.conditions import print_conditions
from benchmarks.gpu.attention import NATIVE, attention, available_attention, why_not
from benchmarks.gpu.bench import Bench, compiler, release_memory
from benchmarks.gpu.cells import MODES, Cell, Deadline, Options, cells_of
from benchmarks.gpu.subjects import SUBJECTS, SUBJECTS_BY_DEFAULT, TOYS_BY_DEFAULT
from benchmarks.gpu.table import Table

SECONDS_MAX = 480.0
NO_TIME = "no time was left"
# Half a second a cell: the shortest forwards, of a few milliseconds, are then medians of fifty.
SECONDS_A_CELL = 0.5


@torch.no_grad()
def main(arguments: Sequence[str] | None = None) -> None:
    wanted = _parse(arguments)
    is_tiny = wanted.tiny or not torch.cuda.is_available()
    device = torch.device("cpu" if is_tiny else "cuda")
    diffusers.utils.logging.set_verbosity_error()
    options = _options(wanted, device)
    print(f"gpu: one forward of {'toy' if is_tiny else 'full-size'} denoisers with random weights, bf16")
    _print_conditions(device)
    deadline = Deadline(wanted.seconds_max)
    table = Table(_conditions(device), wanted.json)
    table.begin()
    groups = itertools.groupby(cells_of(options), key=lambda cell: (cell.model, cell.attention))
    for (name, _), cells in groups:
        _measure_model(name, list(cells), deadline, table, device)
        release_memory(device)
    table.end()


def _measure_model(name: str, cells: list[Cell], deadline: Deadline, table: Table, device: torch.device) -> None:
    if not deadline.leaves_room(cells):
        table.leave_out(cells, NO_TIME)
        return
    is_tiny = device.type == "cpu"
    try:
        bench = Bench(
            name,
            device=device,
            is_tiny=is_tiny,
            rows_max=max(cell.rows for cell in cells),
            seconds_a_cell=0.0 if is_tiny else SECONDS_A_CELL,
        )
    except torch.OutOfMemoryError as error:
        table.leave_out(cells, _first_line(error))
        return
    for mode, of_mode in itertools.groupby(cells, key=lambda cell: cell.mode):
        bench.prepare(mode)
        for _, of_size in itertools.groupby(of_mode, key=lambda cell: cell.pixels):
            _measure_size(bench, list(of_size), deadline, table)


def _measure_size(bench: Bench, cells: list[Cell], deadline: Deadline, table: Table) -> None:
    for index, cell in enumerate(cells):
        reason = why_not(cell.attention, bench.model, cell.mode)
        if reason is None and not deadline.leaves_room([cell]):
            reason = NO_TIME
        if reason is None:
            started = time.monotonic()
            try:
                with attention(cell.attention, bench.model):
                    table.add(cell, bench.measure(cell))
            except Exception as error:  # noqa: BLE001  # Kernels fail in all ways; time is for the other sizes.
                reason = _first_line(error)
                print(f"  {cell}: {reason}", flush=True)
            deadline.took(cell, time.monotonic() - started)
        if reason is not None:
            # Larger batches would fare no better, and need the first for comparison.
            table.leave_out(cells[index:], reason)
            return


def _first_line(error: BaseException) -> str:
    """Of what lies at the bottom: a compiler's own error says only where it was."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:160]}"


def _print_conditions(device: torch.device) -> None:
    print_conditions("torch", "diffusers")
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory / 1e9
        print(f"  {torch.cuda.get_device_name()}, {memory:.0f} GB, CUDA {torch.version.cuda}")
    else:
        print("  no GPU: toys in its place, to see that everything runs; the figures say nothing")
    print(f"  attention here: {', '.join(available_attention(device))}")
    print(f"  compiled: the repeated blocks, whole graphs, shapes left open, backend {compiler(device)}")
    print("  share: of a bf16 product's rate, measured before each model; gain: pictures a second over one row's")
    print("  row 0: the same bits as alone, or its distance from them; peak GB: weights and all")
    print("  SD3.5 with guidance takes two rows a step, the others here one")
    print("  on paper: at 790 TFLOP/s, an H200's product; published: bf16, one H100-class GPU")


def _conditions(device: torch.device) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "python": sys.version.partition(" ")[0],
        "compiler": compiler(device),
        "attention": available_attention(device),
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="toys on the CPU, as without a GPU")
    parser.add_argument("--models", type=_words, help=f"of {', '.join(SUBJECTS)}; all but flux.2-dev")
    parser.add_argument("--sizes", type=_numbers, help="sides in pixels; 512,1024, and 96,160 of toys")
    parser.add_argument(
        "--batches", type=_numbers, help="rows of a forward; 1,2,4,8, and 1,2 of toys; 1 is always there"
    )
    parser.add_argument("--modes", type=_words, default=MODES, help=f"of {', '.join(MODES)}")
    parser.add_argument("--attention", type=_words, help="diffusers' names; all there are, and native of toys")
    parser.add_argument("--seconds-max", type=float, default=SECONDS_MAX, help=f"{SECONDS_MAX:g}")
    parser.add_argument("--json", type=Path, help="a file for the table")
    wanted = parser.parse_args(arguments)
    for option, known in (("models", SUBJECTS), ("modes", MODES)):
        if unknown := set(getattr(wanted, option) or ()) - set(known):
            parser.error(f"--{option} must be of {', '.join(known)}, got {', '.join(sorted(unknown))}")
    return wanted


def _options(wanted: argparse.Namespace, device: torch.device) -> Options:
    is_tiny = device.type == "cpu"
    return Options(
        models=wanted.models or (TOYS_BY_DEFAULT if is_tiny else SUBJECTS_BY_DEFAULT),
        attentions=wanted.attention or ((NATIVE,) if is_tiny else available_attention(device)),
        modes=wanted.modes,
        sizes=wanted.sizes or ((96, 160) if is_tiny else (512, 1024)),
        batches=wanted.batches or ((1, 2) if is_tiny else (1, 2, 4, 8)),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


if __name__ == "__main__":
    main()
