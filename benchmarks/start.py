"""How long from the command to the first /health, to /ready, and to the first picture. Medians of several starts."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from benchmarks.conditions import print_conditions
from benchmarks.servers import free_port, seconds_until_answer

STARTS = 5


def main() -> None:
    print("start: seconds from the command `calotype serve --demo`")
    print_conditions("torch", "diffusers", "transformers", "litestar", "uvicorn")
    starts = [_start() for _ in range(STARTS)]
    for what in starts[0]:
        times = sorted(start[what] for start in starts)
        print(
            f"  {what:>13}: {statistics.median(times):5.2f} s (from {times[0]:.2f} to {times[-1]:.2f}, {STARTS} starts)"
        )


def _start() -> dict[str, float]:
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "calotype_runtime", "serve", "--demo", "--port", str(port)]
    # Not the user's own directory of jobs.
    with tempfile.TemporaryDirectory() as state:
        return _times(command, base_url, environment=os.environ | {"XDG_STATE_HOME": state})


def _times(command: list[str], base_url: str, *, environment: dict[str, str]) -> dict[str, float]:
    started = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            times = {}
            for path in ("health", "ready"):
                seconds_until_answer(f"{base_url}/{path}", process)
                times[f"first /{path}"] = time.perf_counter() - started
            _paint(base_url)
            times["first picture"] = time.perf_counter() - started
            return times
        finally:
            process.terminate()


def _paint(base_url: str) -> None:
    request = urllib.request.Request(
        f"{base_url}/v1/images/generations",
        data=json.dumps({"prompt": "a red fox on a blue background"}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        assert json.load(response)["data"][0]["b64_json"]


if __name__ == "__main__":
    main()
