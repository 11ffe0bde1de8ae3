"""Starts a command that serves HTTP on a loopback port, waits until it answers, and ends it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

START_SECONDS_MAX = 120.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(command: Sequence[str], *, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command, once `url` answers 200."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as process:
        try:
            seconds_until_answer(url, process)
            yield process
        finally:
            process.terminate()


def seconds_until_answer(url: str, process: subprocess.Popen[bytes]) -> float:
    """Ask every few milliseconds until the answer is 200."""
    started = time.perf_counter()
    while time.perf_counter() - started < START_SECONDS_MAX:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                if response.status == 200:
                    return time.perf_counter() - started
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.005)
    raise TimeoutError(f"{url} did not answer in {START_SECONDS_MAX:g} s")
