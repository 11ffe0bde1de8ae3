"""A real server in a process of its own: `calotype serve` on a free loopback port."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

SECONDS_MAX = 120.0


class ServerProcess:
    """Started on entry and ended on exit; `stderr` holds what it logged."""

    def __init__(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self._command = [sys.executable, "-m", "calotype_runtime", "serve", "--port", "0", *arguments]
        # A server at a port that a test names would keep its jobs in the home of whoever runs the tests.
        state = Path(tempfile.gettempdir()) / f"calotype-tests-{os.getpid()}"
        own = {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", "XDG_STATE_HOME": str(state)}
        self._environment = os.environ | own | (environment or {})
        self.stdout: list[str] = []
        self.stderr: list[str] = []

    def __enter__(self) -> ServerProcess:
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self._environment
        )
        lines: queue.Queue[str] = queue.Queue()
        self._readers = [
            threading.Thread(target=_read, args=(self.process.stdout, [self.stdout.append, lines.put])),
            threading.Thread(target=_read, args=(self.process.stderr, [self.stderr.append])),
        ]
        for reader in self._readers:
            reader.start()
        try:
            first = lines.get(timeout=SECONDS_MAX)
        except queue.Empty:
            self.process.kill()
            raise AssertionError(f"the server said nothing: {''.join(self.stderr)}") from None
        self.url = first.split()[3].removesuffix(";")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            for reader in self._readers:
                reader.join()

    def wait_ready(self) -> ServerProcess:
        until(lambda: self.get("/ready")[0] == 200, f"{self.url}/ready")
        return self

    def get(self, path: str) -> tuple[int, Any]:
        return self.send("GET", path)

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", path, data, **{"content_type": "application/json", **headers})

    def paint(self, **body: Any) -> tuple[int, Any]:
        return self.post("/v1/images/generations", {"prompt": "a red fox", "num_inference_steps": 2, **body})

    def send(self, method: str, path: str, data: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """Status and decoded JSON, whatever the status."""
        request = urllib.request.Request(self.url + path, data=data, method=method)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS_MAX) as response:
                return response.status, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def records(self) -> list[dict[str, Any]]:
        """The structured log so far."""
        return [json.loads(line) for line in self.stderr if line.startswith('{"request_id"')]

    def record(self, request_id: str) -> dict[str, Any]:
        """The one record of a request; it is written just after the answer."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = [record for record in self.records() if record["request_id"] == request_id]
            return bool(found)

        until(look, f"the record of {request_id}")
        [record] = found
        return record

    def worker_pids(self) -> list[int]:
        """The processes whose parent is the server."""
        parent = self.process.pid
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _parent(path) == parent]


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not in {SECONDS_MAX:g} s"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended but is not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _parent(path: Path) -> int | None:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _read(stream: Any, sinks: list[Callable[[str], object]]) -> None:
    with stream:
        for line in stream:
            for sink in sinks:
                sink(line)
