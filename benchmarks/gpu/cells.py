"""The table's cells in the order in which they are measured, what came out of them, and the time there is for them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator

from benchmarks.gpu.attention import NATIVE
from benchmarks.gpu.subjects import SUBJECTS

MODES = ("eager", "compiled")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    model: str
    attention: str
    mode: str
    pixels: int
    rows: int

    def __str__(self) -> str:
        return f"{self.model} {self.attention} {self.mode} {self.pixels} px x {self.rows}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figures:
    milliseconds: float
    """Of one forward: the median."""
    milliseconds_min: float
    milliseconds_max: float
    first_seconds: float
    """Of the first forward at this shape, compilation and all."""
    teraflop: float
    ceiling_teraflops: float
    """Of a large bf16 product, measured just before this model."""
    share: float
    gain: float
    """Pictures a second, over those of one row at a time."""
    are_runs_equal: bool
    """Whether the first forward and the last came to the same bits."""
    is_row0_equal: bool
    """Whether the first row came to the same bits as alone."""
    row0_distance: float
    """Of the first row from itself alone, over its length."""
    peak_bytes: int | None
    """With the weights; unknown on the CPU."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    models: tuple[str, ...]
    attentions: tuple[str, ...]
    modes: tuple[str, ...]
    sizes: tuple[int, ...]
    batches: tuple[int, ...]


def cells_of(options: Options) -> Iterator[Cell]:
    """Torch's own attention first, for every model: if time runs out, the table's main part is whole."""
    # One row always: the others are compared with it. Eager first: what is compiled stays so.
    batches = sorted({1, *options.batches})
    for attention in options.attentions:
        for model in options.models:
            is_denoiser = bool(SUBJECTS[model].blocks)
            if not is_denoiser and attention != NATIVE:
                continue
            for mode in (mode for mode in MODES if mode in options.modes and (is_denoiser or mode == "eager")):
                for pixels in options.sizes:
                    for rows in batches if is_denoiser else [1]:
                        yield Cell(model=model, attention=attention, mode=mode, pixels=pixels, rows=rows)


class Deadline:
    """A cell is not begun if the longest of its model and mode so far would end too late."""

    def __init__(self, seconds_max: float) -> None:
        self._end = time.monotonic() + seconds_max
        self._longest: dict[tuple[str, str], float] = {}

    def leaves_room(self, cells: Iterable[Cell]) -> bool:
        expected = min(self._longest.get((cell.model, cell.mode), 0.0) for cell in cells)
        return time.monotonic() + expected < self._end

    def took(self, cell: Cell, seconds: float) -> None:
        key = (cell.model, cell.mode)
        self._longest[key] = max(seconds, self._longest.get(key, 0.0))
