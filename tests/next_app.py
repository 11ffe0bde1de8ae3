"""Next.js apps, built and started as their users do it, each on a free loopback port."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from server_process import until

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "adapters/nextjs"
CLIENTS = ROOT / "tests/clients/nextjs"
SECONDS_MAX = 300

#: Of the example's folder: what is installed or built. Next.js takes the nearest folder with a lock file for the whole
#: project, and the copies' packages are above them.
NOT_SOURCE = shutil.ignore_patterns("node_modules", ".*", "*.tsbuildinfo", "next-env.d.ts", "package-lock.json")


def copy_of_example(name: str) -> Path:
    """The example's source in a folder below it, so that it finds what is installed there."""
    folder = EXAMPLE / ".builds" / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(EXAMPLE, folder, ignore=NOT_SOURCE)
    return folder


def new_app(name: str, files: dict[str, str]) -> Path:
    """An app of these files beside the clients' packages."""
    folder = CLIENTS / ".builds" / name
    shutil.rmtree(folder, ignore_errors=True)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def build(folder: Path, **environment: str) -> str:
    """What `next build` printed; a failed one is the test's."""
    done = subprocess.run(
        ["node", _next(folder), "build"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        env=os.environ | {"NEXT_TELEMETRY_DISABLED": "1"} | environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class NextApp:
    """`next start`, ready on entry; ended on exit with the child that it leaves behind."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self._environment = os.environ | {"NEXT_TELEMETRY_DISABLED": "1"} | environment

    def __enter__(self) -> NextApp:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        command = ["node", _next(self.folder), "start", "--hostname", "127.0.0.1", "--port", str(port)]
        self._log = (self.folder / "next-start.log").open("w+")
        self._process = subprocess.Popen(
            command,
            cwd=self.folder,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,
        )
        self.url = f"http://127.0.0.1:{port}"
        until(self._is_up, f"next start in {self.folder}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(SECONDS_MAX)
        finally:
            self._log.close()

    def log(self) -> str:
        return (self.folder / "next-start.log").read_text()

    def send(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and decoded JSON, whatever the status; a body is posted as JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data)
        for name, value in {"content_type": "application/json", **headers}.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS_MAX) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def _is_up(self) -> bool:
        assert self._process.poll() is None, self.log()
        port = int(self.url.rsplit(":", 1)[1])
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0


def _next(folder: Path) -> str:
    [module] = [parent for parent in (folder, *folder.parents) if (parent / "node_modules/next").is_dir()][:1]
    return str(module / "node_modules/next/dist/bin/next")
