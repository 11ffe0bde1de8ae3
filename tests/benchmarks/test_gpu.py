"""The GPU's table, made on a toy: what will run on a lent machine runs here first."""

import json
from pathlib import Path

import pytest
from benchmarks.gpu.__main__ import main
from benchmarks.gpu.cells import Options, cells_of


def test_the_table_has_a_line_for_every_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--tiny", "--models", "klein-4b,vae", "--sizes", "96", "--json", str(tmp_path / "table.json")])
    table = json.loads((tmp_path / "table.json").read_text())
    assert [(row["model"], row["mode"], row["pixels"], row["rows"]) for row in table["rows"]] == [
        ("klein-4b", "eager", 96, 1),
        ("klein-4b", "eager", 96, 2),
        ("klein-4b", "compiled", 96, 1),
        ("klein-4b", "compiled", 96, 2),
        ("vae", "eager", 96, 1),
    ]
    assert table["left_out"] == []
    assert all(row["milliseconds"] > 0 and row["teraflop"] > 0 and row["are_runs_equal"] for row in table["rows"])
    assert all(row["gain"] == 1 and row["is_row0_equal"] for row in table["rows"] if row["rows"] == 1)
    printed = capsys.readouterr().out
    assert printed.count("\n  klein-4b ") == 4
    assert "5 cells measured, 0 left out" in printed


def test_what_there_is_no_time_for_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--tiny", "--models", "flux.1", "--seconds-max", "0", "--json", str(tmp_path / "table.json")])
    table = json.loads((tmp_path / "table.json").read_text())
    assert table["rows"] == []
    assert len(table["left_out"]) == 8
    assert "flux.1 native compiled 160 px: rows 1, 2" in capsys.readouterr().out


def test_one_row_is_always_measured_first_and_decoders_are_not_batched() -> None:
    options = Options(
        models=("klein-4b", "vae"),
        attentions=("native", "_native_flash"),
        modes=("compiled", "eager"),
        sizes=(64,),
        batches=(4,),
    )
    assert [(cell.model, cell.attention, cell.mode, cell.rows) for cell in cells_of(options)] == [
        ("klein-4b", "native", "eager", 1),
        ("klein-4b", "native", "eager", 4),
        ("klein-4b", "native", "compiled", 1),
        ("klein-4b", "native", "compiled", 4),
        ("vae", "native", "eager", 1),
        ("klein-4b", "_native_flash", "eager", 1),
        ("klein-4b", "_native_flash", "eager", 4),
        ("klein-4b", "_native_flash", "compiled", 1),
        ("klein-4b", "_native_flash", "compiled", 4),
    ]
