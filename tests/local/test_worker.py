from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_requests import FLUX, is_alive, paint, until

from calotype_provider.local.messages import Cancel, Failed, WorkerReady, encode_frame
from calotype_provider.local.subprocess_engine import WORKER_COMMAND

HERE = Path(__file__).parent
END_SECONDS_MAX = 10


@contextlib.contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A worker that has said that it listens. Nothing here makes it import torch."""
    with subprocess.Popen(WORKER_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        ready = encode_frame(WorkerReady())
        assert process.stdout
        assert process.stdout.read(len(ready)) == ready
        try:
            yield process
        finally:
            process.kill()


def test_the_worker_ends_when_its_pipe_closes() -> None:
    with worker() as process:
        assert process.stdin
        process.stdin.close()
        assert process.wait(END_SECONDS_MAX) == 0


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x03abc"], ids=["oversized", "garbage"])
def test_a_bad_frame_ends_the_worker(data: bytes) -> None:
    with worker() as process:
        assert process.stdin
        process.stdin.write(data)
        assert process.wait(END_SECONDS_MAX) == 1


def test_a_torn_frame_ends_the_worker() -> None:
    with worker() as process:
        assert process.stdin
        process.stdin.write(encode_frame(Cancel("r"))[:-1])
        process.stdin.close()
        assert process.wait(END_SECONDS_MAX) == 1


def test_the_worker_answers_for_a_model_that_it_does_not_have() -> None:
    with worker() as process:
        assert process.stdin
        assert process.stdout
        request = paint(model_id="nobody/knows")
        process.stdin.write(encode_frame(Cancel("never-heard-of")) + encode_frame(request))
        expected = encode_frame(Failed(request.request_id, "not_loaded", "it is not loaded"))
        assert process.stdout.read(len(expected)) == expected


def test_what_anybody_prints_does_not_reach_the_pipe() -> None:
    script = (
        "import os; from calotype_provider.local.worker_pipes import take_pipes\n"
        "commands, events = take_pipes()\n"
        "print('noise', flush=True); os.write(1, b'more noise'); events.write(commands.read()); events.flush()"
    )
    done = subprocess.run([sys.executable, "-c", script], input=b"frame", capture_output=True, check=True)
    assert done.stdout == b"frame"
    assert done.stderr == b"noise\nmore noise"


async def test_no_worker_outlives_a_killed_server(folders: dict[str, Path]) -> None:
    command = [sys.executable, str(HERE / "server_to_kill.py"), str(folders[FLUX])]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(HERE.parent)}
    ) as server:
        assert server.stdout
        worker_pid = int(server.stdout.readline())
        assert is_alive(worker_pid)
        server.kill()
        await until(lambda: not is_alive(worker_pid))
