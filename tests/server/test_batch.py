"""calotype batch, as somebody at a terminal runs it: a file of requests into a folder, however often it is stopped."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import acme_pictures
import pytest
from PIL import Image
from server_process import ServerProcess, until

from calotype_provider.errors import APICallError
from calotype_runtime.batch_lines import read_lines
from calotype_runtime.batch_painters import TRIES_MAX, ServerPainter

STEPS = 2
SLOW = {"num_inference_steps": 12, "n": 2}
LINES = 10


class Batch:
    """A run of the command."""

    def __init__(
        self, folder: Path, *arguments: str, out: str = "out", environment: dict[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "calotype_runtime", "batch", "requests.jsonl", "-o", out, *arguments],
            cwd=folder, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"} | (environment or {}),
        )  # fmt: skip

    def end(self) -> tuple[int, str]:
        """The status, and what was said."""
        _, said = self.process.communicate(timeout=120)
        return self.process.returncode, said


def write(folder: Path, *lines: dict[str, Any] | str) -> None:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "requests.jsonl").write_text("\n".join(texts) + "\n")


def run(folder: Path, *arguments: str, out: str = "out", environment: dict[str, str] | None = None) -> tuple[int, str]:
    return Batch(folder, *arguments, out=out, environment=environment).end()


def wish(prompt: str, **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "num_inference_steps": STEPS, **more}


def manifest(folder: Path, out: str = "out") -> list[dict[str, Any]]:
    """Its rows, which must be true: a picture that it has is whole, and one that it has not is not there."""
    rows = [json.loads(line) for line in (folder / out / "manifest.jsonl").read_text().splitlines()]
    for row in rows:
        path = folder / out / row["file"]
        if "sha256" in row:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        else:
            assert not path.exists()
    return rows


def pictures(folder: Path, out: str = "out") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / out).iterdir() if path.suffix != ".jsonl"}


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return acme_pictures.install(tmp_path_factory.mktemp("acme"))


def test_a_batch_paints_here_what_a_server_paints(server: ServerProcess, tmp_path: Path) -> None:
    write(
        tmp_path,
        wish("a red fox", id="fox", seed=7),
        "",
        wish("a big dog", name="dog.1", seed=8, size="1792x1024", style="vivid"),
        wish("a ring", n=2, seed=9, output_format="jpeg"),
    )
    assert run(tmp_path)[0] == 0
    assert run(tmp_path, "--server", server.url, out="there")[0] == 0
    assert set(pictures(tmp_path)) == {"fox.png", "dog.1.png", "000004-1.jpg", "000004-2.jpg"}
    assert pictures(tmp_path) == pictures(tmp_path, "there")
    rows = manifest(tmp_path)
    there = manifest(tmp_path, "there")
    # Which model paints when none is named is the server's affair, and not part of what the line says.
    assert [{**row, "request": ""} for row in rows] == [{**row, "request": ""} for row in there]
    assert [(row["line"], row["id"], row["seed"]) for row in rows] == [
        (1, "fox", 7), (3, "dog.1", 8), (4, "000004", 9), (4, "000004", 10),
    ]  # fmt: skip
    assert {warning["feature"] for warning in rows[1]["warnings"]} == {"size", "style"}
    assert rows[0]["model"] == "calotype/tintype"
    assert rows[0]["size"] == "128x128"
    with Image.open(tmp_path / "out/000004-2.jpg") as image:
        assert image.format == "JPEG"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (["{", wish("a", size="banana"), wish("b")], ["line 1", "line 2", "banana"]),
        ([wish("a", id="../evil")], ["line 1", "id"]),
        ([wish("a", id=".hidden")], ["line 1", "id"]),
        ([wish("a", id="A"), wish("b", id="a")], ["line 2", "line 1"]),
        ([wish("a", id="a", n=2), wish("b", id="a-2")], ["line 2", "a-2.png"]),
        ([wish("a", id="a", name="b")], ["line 1", "name"]),
        ([wish("a", id=["a"])], ["line 1", "id"]),
        ([wish("a", num_inference_steps=51)], ["line 1", "num_inference_steps"]),
        ([wish("a", model="acme/none")], ["line 1", "acme/none"]),
        ([wish("a", strict=True, style="vivid")], ["line 1", "style"]),
        ([wish("")], ["line 1", "prompt"]),
        ([{"size": "128x128"}], ["line 1", "prompt"]),
        (["", ""], ["no requests"]),
    ],
)
def test_nothing_is_painted_when_a_line_is_wrong(tmp_path: Path, bad: list[Any], said: list[str]) -> None:
    write(tmp_path, *bad)
    status, told = run(tmp_path)
    assert status == 1
    assert told.startswith("calotype: ")
    assert "Traceback" not in told
    assert all(word in told for word in said), told
    assert not list(tmp_path.glob("out/*.*"))


def test_ctrl_c_stops_cleanly_and_another_run_ends_with_the_same_pictures(tmp_path: Path) -> None:
    write(tmp_path, *({"prompt": f"a fox {k}", **SLOW} for k in range(LINES)))
    stopped = Batch(tmp_path)
    until(lambda: any("sha256" in row for row in _rows_so_far(tmp_path)), "a first picture")
    stopped.process.send_signal(signal.SIGINT)
    status, said = stopped.end()
    assert status == 130, said
    assert "Traceback" not in said
    rows = manifest(tmp_path)
    seeds = [row["seed"] for row in rows]
    assert len(set(seeds)) == 2 * LINES
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    assert 0 < len(before) < 2 * LINES
    assert run(tmp_path)[0] == 0
    rows = manifest(tmp_path)
    assert [row["seed"] for row in rows] == seeds
    assert all("sha256" in row for row in rows)
    done = {row["file"] for row in rows} & {name for name in before if _line_was_whole(name, before)}
    assert done
    assert all((tmp_path / "out" / name).stat().st_mtime_ns == before[name] for name in done)
    # Undisturbed, with the seeds that were drawn.
    (tmp_path / "whole").mkdir()
    write(tmp_path / "whole", *({"prompt": f"a fox {k}", **SLOW, "seed": seeds[2 * k]} for k in range(LINES)))
    assert run(tmp_path / "whole")[0] == 0
    assert pictures(tmp_path) == pictures(tmp_path / "whole")


def test_a_killed_run_loses_nothing_that_was_painted(tmp_path: Path) -> None:
    write(tmp_path, *({"prompt": f"a fox {k}", **SLOW} for k in range(LINES)))
    killed = Batch(tmp_path)
    until(lambda: any("sha256" in row for row in _rows_so_far(tmp_path)), "a first picture")
    killed.process.kill()
    killed.end()
    rows = _rows_so_far(tmp_path)
    drawn = {row["file"]: row["seed"] for row in rows}
    done = {row["file"]: row["sha256"] for row in rows if "sha256" in row}
    assert len(drawn) == 2 * LINES
    # As a run that is killed in the middle of a line leaves it.
    with (tmp_path / "out/manifest.jsonl").open("a") as file:
        file.write('{"line":1,"id":"0000')
    assert run(tmp_path)[0] == 0
    rows = manifest(tmp_path)
    assert {row["file"]: row["seed"] for row in rows} == drawn
    assert done.items() <= {row["file"]: row["sha256"] for row in rows}.items()
    assert not list((tmp_path / "out").glob("*.part"))


def test_only_what_is_missing_damaged_or_changed_is_painted_again(tmp_path: Path) -> None:
    write(tmp_path, *(wish(f"a fox {k}", id=f"fox{k}") for k in range(4)))
    assert run(tmp_path)[0] == 0
    before, rows = pictures(tmp_path), manifest(tmp_path)
    (tmp_path / "out/fox0.png").unlink()
    (tmp_path / "out/fox1.png").write_bytes(before["fox1.png"][:-1])
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    write(
        tmp_path,
        wish("a dog", id="dog"),
        *(wish(f"a {'cat' if k == 2 else 'fox'} {k}", id=f"fox{k}") for k in range(4)),
    )
    assert run(tmp_path)[0] == 0
    after = pictures(tmp_path)
    assert [after[f"fox{k}.png"] == before[f"fox{k}.png"] for k in range(4)] == [True, True, False, True]
    assert (tmp_path / "out/fox3.png").stat().st_mtime_ns == times["fox3.png"]
    assert (tmp_path / "out/fox1.png").stat().st_mtime_ns != times["fox1.png"]
    assert [(row["line"], row["id"]) for row in manifest(tmp_path)] == [
        (1, "dog"), (2, "fox0"), (3, "fox1"), (4, "fox2"), (5, "fox3"),
    ]  # fmt: skip
    assert manifest(tmp_path)[4]["seed"] == rows[3]["seed"]
    assert run(tmp_path) == (0, "5 pictures in out (5 lines were done before); their seeds, sizes and warnings in "
                                "manifest.jsonl\n")  # fmt: skip


@pytest.mark.parametrize("where", ["here", "server"])
def test_a_line_that_fails_stops_no_other(server: ServerProcess, tmp_path: Path, where: str) -> None:
    write(tmp_path, wish("a", id="broken", image="data:image/png;base64,AAAA"), wish("b", id="whole"))
    status, said = run(tmp_path, *(("--server", f"{server.url}/v1") if where == "server" else ()))
    assert status == 1
    assert said.startswith("line 1, broken.png: ")
    broken, whole = manifest(tmp_path)
    assert "PNG" in broken["error"]["message"]
    assert "sha256" not in broken
    assert whole["model"] == "calotype/tintype"
    assert set(pictures(tmp_path)) == {"whole.png"}


def test_a_server_that_is_not_there_ends_the_run_and_what_is_left_is_left_for_the_next(
    server: ServerProcess, tmp_path: Path
) -> None:
    write(tmp_path, *(wish(f"a fox {k}") for k in range(3)))
    status, said = run(tmp_path, "--server", "http://127.0.0.1:1")
    assert status == 1
    assert said.startswith("calotype: ")
    assert "127.0.0.1:1" in said
    rows = manifest(tmp_path)
    assert all("error" not in row and "sha256" not in row for row in rows)
    assert run(tmp_path, "--server", server.url)[0] == 0
    assert [row["seed"] for row in manifest(tmp_path)] == [row["seed"] for row in rows]


class Busy(BaseHTTPRequestHandler):
    """Has no time for as many requests as are told, then paints."""

    def __init__(self, *connection: Any, asked: list[float], refusals: int, advice: dict[str, str]) -> None:
        self.asked = asked
        """When they came."""
        self.refusals = refusals
        self.advice = advice
        super().__init__(*connection)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.asked.append(time.monotonic())
        busy = len(self.asked) <= self.refusals
        picture = base64.b64encode(acme_pictures.PICTURE).decode()
        body = json.dumps({"error": {"message": "many wait"}} if busy else {"data": [{"b64_json": picture}]}).encode()
        self.send_response(429 if busy else 200)
        for name, value in {**(self.advice if busy else {}), "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """The test looks at what was asked."""


@contextlib.contextmanager
def busy_server(refusals: int, advice: dict[str, str]) -> Iterator[tuple[str, list[float]]]:
    """Its URL, and when it was asked."""
    asked: list[float] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Busy, asked=asked, refusals=refusals, advice=advice))
    threading.Thread(target=server.serve_forever).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("busy_seconds_max", "asked_times"), [(0.3, 4), (0.31, 5)])
async def test_a_line_waits_for_a_busy_server_only_so_long(
    tmp_path: Path, busy_seconds_max: float, asked_times: int
) -> None:
    write(tmp_path, wish("a", seed=1))
    [line] = read_lines(tmp_path / "requests.jsonl", model_id=None, line_bytes_max=1000)
    told: list[str] = []
    with busy_server(10, {"retry-after-ms": "0"}) as (url, asked):
        painter = ServerPainter(url, busy_seconds_max=busy_seconds_max)
        await painter.begin()
        with pytest.raises(APICallError, match="many wait"):
            await painter.paint(line, tell=told.append)
        await painter.aclose()
    # A tenth of a second each time, whatever the server says.
    assert len(asked) == asked_times
    assert told == ["the server is busy: waiting 0.1 s", ""] * (asked_times - 1)


@pytest.mark.parametrize(
    ("advice", "refusals", "pause"),
    [({"retry-after": "60", "retry-after-ms": "150"}, 3 * TRIES_MAX, 0.15), ({"retry-after": "2"}, 1, 2.0)],
)
def test_a_busy_server_is_waited_for_as_long_as_it_says_and_however_often(
    tmp_path: Path, advice: dict[str, str], refusals: int, pause: float
) -> None:
    write(tmp_path, wish("a"))
    with busy_server(refusals, advice) as (url, asked):
        status, said = run(tmp_path, "--server", url)
    assert status == 0, said
    assert said.count("the server is busy") == 1
    assert set(pictures(tmp_path)) == {"000001.png"}
    assert len(asked) == refusals + 1
    assert all(pause <= later - earlier < pause + 1 for earlier, later in pairwise(asked))


def test_two_runs_do_not_paint_into_one_folder(tmp_path: Path) -> None:
    write(tmp_path, *({"prompt": f"a fox {k}", **SLOW} for k in range(LINES)))
    first = Batch(tmp_path)
    until(lambda: bool(_rows_so_far(tmp_path)), "a manifest")
    status, said = run(tmp_path)
    assert (status, "another batch" in said) == (1, True)
    first.process.send_signal(signal.SIGINT)
    assert first.end()[0] == 130


def test_what_no_line_names_is_what_the_command_names(tmp_path: Path, acme: dict[str, str]) -> None:
    models = ("gpt-image-1", "calotype/tintype", "black-forest-labs/FLUX.1-kontext-pro")
    write(tmp_path, {"prompt": "a"}, *(wish(model, model=model) for model in models))
    status, said = run(tmp_path, "--model", "acme/brush", "--demo", environment=acme)
    assert status == 0, said
    painters = ["acme/brush", "calotype/tintype", "calotype/tintype", "calotype/tintype-kontext"]
    assert [row["model"] for row in manifest(tmp_path)] == painters


def _rows_so_far(folder: Path) -> list[dict[str, Any]]:
    path = folder / "out/manifest.jsonl"
    *lines, _ = path.read_text().split("\n") if path.exists() else [""]
    return [json.loads(line) for line in lines]


def _line_was_whole(name: str, names: dict[str, int]) -> bool:
    return all(f"{name.split('-')[0]}-{k + 1}.png" in names for k in range(2))


def test_somebody_at_a_terminal_sees_how_far_it_is(server: ServerProcess, tmp_path: Path) -> None:
    write(tmp_path, wish("a cat"), wish("a dog"), wish("a fox"))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "calotype_runtime", "batch", "requests.jsonl", "-o", "out", "--server", server.url]
    environment = os.environ | {"COLUMNS": "120", "TERM": "xterm-256color"}
    with subprocess.Popen(command, cwd=tmp_path, stderr=theirs, env=environment) as batch:
        os.close(theirs)
        said = b""
        # A terminal whose other end is gone cannot be read.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 4096):
                said += piece
    os.close(ours)
    assert batch.returncode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
    assert "painting" in text
    assert re.search(r"[━╸╺]", text)
    done = [int(count) for count in re.findall(r"\b([0-3])/3\b", text)]
    assert done == sorted(done)
    assert {0, 3} <= set(done)
