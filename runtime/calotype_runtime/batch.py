"""calotype batch: a file of requests -> a folder of pictures and its manifest. What is there already is not painted."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from calotype_adapters.openai.errors import to_error
from calotype_provider.errors import CalotypeError, InvalidCallError, NoImageGeneratedError
from calotype_runtime.batch_lines import BatchLine, read_lines, refuse
from calotype_runtime.batch_manifest import MANIFEST_NAME, Manifest, ManifestRow
from calotype_runtime.batch_painters import (
    BatchStoppedError,
    LocalPainter,
    Painted,
    Painter,
    ServerPainter,
    Tell,
    with_seed,
)
from calotype_runtime.config import Settings


def batch(settings: Settings, options: argparse.Namespace) -> int:
    """Paint `options.file` into `options.output`. 0 when every picture is there, 1 when some line failed.

    Raises CalotypeError, nothing painted, when a line is wrong.
    """
    model_id, folder = options.models[-1] if options.models else (None, None)
    if options.server and folder:
        raise InvalidCallError("--model ID=FOLDER loads a model here; --server takes --model ID", parameter="model")
    if model_id is None and not options.server:
        model_id = settings.default_model
    lines = read_lines(options.file, model_id=model_id, line_bytes_max=settings.body_bytes_max)
    painter: Painter
    if options.server:
        painter = ServerPainter(options.server)
    else:
        painter = LocalPainter(settings, {line.model_id for line in lines if line.model_id is not None})
    with Manifest(options.output) as manifest:
        lines = _fitted(options.file, lines, painter, manifest)
        left = _begin(lines, manifest)
        try:
            if left:
                asyncio.run(_paint_all(left, painter, manifest, at_once=settings.queue.running_max))
        finally:
            # Also after Ctrl-C: whatever was being written is written by now.
            manifest.put_in_order()
        return _say(manifest, options.output, painted_before=len(lines) - len(left))


def _fitted(path: Path, lines: Sequence[BatchLine], painter: Painter, manifest: Manifest) -> list[BatchLine]:
    """All with their seeds: those that an earlier run has drawn, where it has."""
    fitted, bad = [], []
    for line in lines:
        known = _rows_of(line, manifest)
        try:
            fitted.append(painter.fit(with_seed(line, known[0].seed) if known else line))
        except CalotypeError as error:
            bad.append(f"line {line.number}: {error}")
    if bad:
        refuse(path, bad)
    return fitted


def _rows_of(line: BatchLine, manifest: Manifest) -> list[ManifestRow]:
    """What the manifest has of this very line; nothing unless it has all."""
    rows = [manifest.row(file) for file in line.files]
    known = [row for row in rows if row is not None and row.request == line.digest]
    return known if len(known) == len(rows) else []


def _begin(lines: Sequence[BatchLine], manifest: Manifest) -> list[BatchLine]:
    """Write down what there is to do, seeds and all; gives what is not done."""
    rows, left = list[ManifestRow](), list[BatchLine]()
    for line in lines:
        known = _rows_of(line, manifest)
        if known and all(map(manifest.is_whole, known)):
            rows += [msgspec.structs.replace(row, line=line.number) for row in known]
        else:
            rows += _new_rows(line)
            left.append(line)
    manifest.begin(rows)
    return left


def _new_rows(line: BatchLine) -> Iterator[ManifestRow]:
    for index, file in enumerate(line.files):
        seed = None if line.call.seed is None else line.call.seed + index
        yield ManifestRow(line=line.number, id=line.name, file=file, request=line.digest, seed=seed)


async def _paint_all(lines: Sequence[BatchLine], painter: Painter, manifest: Manifest, *, at_once: int) -> None:
    """Several lines at a time, so that the engine has steps to merge."""
    waiting = iter(lines)
    console = Console(stderr=True)
    with Progress(
        TextColumn("painting"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}", style="red"), TextColumn("{task.fields[waiting]}"),
        console=console, transient=True, disable=not console.is_terminal,
    ) as progress:  # fmt: skip
        bar = progress.add_task("", total=len(lines), failed="", waiting="")
        failed = 0
        has_told = console.is_terminal

        def tell(waiting: str) -> None:
            nonlocal has_told
            progress.update(bar, waiting=waiting)
            if not has_told:
                # Into a log once: there it would be a line for each wait of each line.
                console.print(waiting, markup=False, highlight=False)
                has_told = True

        async def paint_some() -> None:
            nonlocal failed
            for line in waiting:
                failed += not await _paint_line(line, painter, manifest, tell)
                progress.update(bar, advance=1, failed=f"{failed} failed" if failed else "")

        await painter.begin()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(at_once, len(lines))):
                    group.create_task(paint_some())
        except BaseExceptionGroup as failures:
            # Whoever runs the command wants one error, not a group.
            raise failures.exceptions[0] from failures.exceptions[0].__cause__
        finally:
            await painter.aclose()


async def _paint_line(line: BatchLine, painter: Painter, manifest: Manifest, tell: Tell) -> bool:
    """Whether all of its pictures came. What fails is noted, and stops no other line."""
    try:
        painted = await painter.paint(line, tell=tell)
    except BatchStoppedError:
        raise
    except CalotypeError as error:
        await asyncio.to_thread(_note_failure, _new_rows(line), error, manifest)
        return False
    await asyncio.to_thread(_keep, line, painted, manifest)
    return len(painted) >= line.call.n


def _keep(line: BatchLine, painted: Sequence[Painted], manifest: Manifest) -> None:
    rows = _new_rows(line)
    # The pictures first: a row too many would be lost to zip otherwise.
    for picture, row in zip(painted, rows, strict=False):
        made = msgspec.structs.replace(
            row, seed=picture.seed, size=picture.size, model=picture.model, warnings=picture.warnings
        )
        manifest.keep(made, picture.data)
    _note_failure(rows, NoImageGeneratedError("fewer pictures came than were asked for"), manifest)


def _note_failure(rows: Iterable[ManifestRow], error: CalotypeError, manifest: Manifest) -> None:
    for row in rows:
        manifest.note(msgspec.structs.replace(row, error=to_error(error).body.error))


def _say(manifest: Manifest, folder: Path, *, painted_before: int) -> int:
    console = Console(stderr=True)
    painted = sum(row.sha256 is not None for row in manifest.rows)
    failed = [row for row in manifest.rows if row.error is not None]
    for row in failed:
        assert row.error is not None, "those that failed"
        console.print(f"line {row.line}, {row.file}: {row.error.message}", style="red", markup=False, soft_wrap=True)
    before = f" ({painted_before} lines were done before)" if painted_before else ""
    told = f"{painted} pictures in {folder}{before}; their seeds, sizes and warnings in {MANIFEST_NAME}"
    console.print(told, markup=False, highlight=False, soft_wrap=True)
    return 1 if failed else 0
