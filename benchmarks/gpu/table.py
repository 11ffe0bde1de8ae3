"""The table: a line for every cell as soon as it is measured, and all of them as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from benchmarks.gpu.cells import Cell, Figures
from benchmarks.gpu.subjects import SUBJECTS

_HEAD = (
    f"  {'model':<13}{'attention':<18}{'mode':<9}{'px':>5}{'rows':>5}{'ms':>9}{'spread':>7}{'ms/row':>8}"
    f"{'share':>7}{'gain':>6}  {'row 0':<9}{'peak GB':>7}{'first s':>8}  ms on paper, published"
)


class Table:
    def __init__(self, conditions: dict[str, Any], json_path: Path | None) -> None:
        self._conditions = conditions
        self._json_path = json_path
        self._rows: list[dict[str, Any]] = []
        self._left_out: list[dict[str, Any]] = []

    def begin(self) -> None:
        print(_HEAD, flush=True)
        self._write()

    def add(self, cell: Cell, figures: Figures) -> None:
        print(line(cell, figures), flush=True)
        self._rows.append({**dataclasses.asdict(cell), **dataclasses.asdict(figures)})
        self._write()

    def leave_out(self, cells: list[Cell], reason: str) -> None:
        self._left_out += [{**dataclasses.asdict(cell), "reason": reason} for cell in cells]
        self._write()

    def end(self) -> None:
        print(f"  {len(self._rows)} cells measured, {len(self._left_out)} left out")
        for reason in dict.fromkeys(cell["reason"] for cell in self._left_out):
            cells = [cell for cell in self._left_out if cell["reason"] == reason]
            print(f"    {reason}:")
            for start, batches in _by_size(cells).items():
                print(f"      {start}: rows {', '.join(map(str, batches))}")

    def _write(self) -> None:
        """At every row: what has been measured is not lost with a machine whose time is over."""
        if self._json_path is not None:
            whole = {"conditions": self._conditions, "rows": self._rows, "left_out": self._left_out}
            self._json_path.write_text(json.dumps(whole, indent=1))


def line(cell: Cell, figures: Figures) -> str:
    spread = figures.milliseconds_max / figures.milliseconds_min - 1
    peak = "-" if figures.peak_bytes is None else f"{figures.peak_bytes / 1e9:.1f}"
    written = (
        f"  {cell.model:<13}{cell.attention:<18}{cell.mode:<9}{cell.pixels:>5}{cell.rows:>5}"
        f"{figures.milliseconds:>9.2f}{spread:>7.0%}{figures.milliseconds / cell.rows:>8.2f}"
        f"{figures.share:>7.1%}{figures.gain:>6.2f}  {_row0(cell, figures):<9}{peak:>7}{figures.first_seconds:>8.1f}"
        f"  {_yardsticks(cell)}"
    )
    return written.rstrip()


def _row0(cell: Cell, figures: Figures) -> str:
    if not figures.are_runs_equal:
        return "unsteady"
    if cell.rows == 1:
        return "-"
    return "equal" if figures.is_row0_equal else f"{figures.row0_distance:.1e}"


def _yardsticks(cell: Cell) -> str:
    subject = SUBJECTS[cell.model]
    floor, published = subject.floor_ms.get(cell.pixels), subject.published_ms.get(cell.pixels)
    if cell.rows > 1 or floor is None:
        return ""
    return f"{floor:g}, {published:g}" if published is not None else f"{floor:g}"


def _by_size(cells: list[dict[str, Any]]) -> dict[str, list[int]]:
    sizes: dict[str, list[int]] = {}
    for cell in cells:
        start = f"{cell['model']} {cell['attention']} {cell['mode']} {cell['pixels']} px"
        sizes.setdefault(start, []).append(cell["rows"])
    return sizes
