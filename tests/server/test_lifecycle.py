"""Listening before loading, dying workers, and ends that leave nothing behind."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from server_process import ServerProcess, is_alive, until

LONG = {"prompt": "a red fox", "num_inference_steps": 50, "n": 10, "seed": 1}


class Request(threading.Thread):
    """A request that is under way; `answer()` waits for it."""

    def __init__(self, server: ServerProcess, body: dict[str, Any]) -> None:
        super().__init__()
        self._server, self._body = server, body
        self._answer: tuple[int, Any] | Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self._answer = self._server.post("/v1/images/generations", self._body)
        except Exception as error:  # noqa: BLE001  # whatever happened is the answer
            self._answer = error

    def answer(self) -> tuple[int, Any] | Exception | None:
        self.join(120)
        assert not self.is_alive()
        return self._answer


def test_it_listens_first_and_is_ready_later() -> None:
    with ServerProcess() as server:
        assert server.get("/health") == (200, {"status": "ok"})
        status, readiness = server.get("/ready")
        assert status == 503
        assert readiness["state"] in ("starting", "loading")
        assert readiness["model"] == "calotype/tintype"
        assert 0 <= readiness["progress"] < 1
        # A picture that is asked for already now waits for the model.
        assert server.paint()[0] == 200
        assert server.get("/ready") == (200, {"state": "ready", "model": "calotype/tintype", "progress": 1.0})
        assert any("curl" in line for line in server.stdout)


def test_without_the_demo_a_known_but_absent_model_names_the_command_that_fetches_it() -> None:
    with ServerProcess() as server:
        status, body = server.paint(model="black-forest-labs/FLUX.1-dev")
        assert status == 404
        assert "hf download black-forest-labs/FLUX.1-dev" in body["error"]["message"]
        assert [model["id"] for model in server.get("/v1/models")[1]["data"]] == ["calotype/tintype"]


def test_the_http_process_never_loads_torch(server: ServerProcess) -> None:
    assert server.paint()[0] == 200
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "libtorch" not in maps
    code = (
        "import sys, calotype_runtime.serve, calotype_runtime.terminal\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'numpy', 'PIL'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_killed_worker_is_replaced_and_the_pictures_are_the_same() -> None:
    with ServerProcess("--demo") as server:
        server.wait_ready()
        asked = [{"prompt": f"a fox {k}", "num_inference_steps": 20, "seed": 100 * k} for k in range(3)]
        undisturbed = [server.post("/v1/images/generations", body)[1]["data"] for body in asked]
        [worker] = server.worker_pids()
        requests = [Request(server, body) for body in asked]
        wait_for_work(server)
        os.kill(worker, signal.SIGKILL)
        answers = [request.answer() for request in requests]
        for answer, before in zip(answers, undisturbed, strict=True):
            assert isinstance(answer, tuple)
            status, body = answer
            assert status == 200
            assert [item["b64_json"] for item in body["data"]] == [item["b64_json"] for item in before]
        assert server.worker_pids() != [worker]


def test_sigterm_lets_the_running_picture_finish() -> None:
    with ServerProcess("--demo") as server:
        server.wait_ready()
        [worker] = server.worker_pids()
        request = Request(server, {"prompt": "a fox", "num_inference_steps": 50, "seed": 1})
        wait_for_work(server)
        server.process.send_signal(signal.SIGTERM)
        answer = request.answer()
        assert isinstance(answer, tuple)
        assert answer[0] == 200
        server.process.wait(60)
        until(lambda: not is_alive(worker), "the worker's end")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_picture_that_takes_longer_than_may_be_is_given_up(tmp_path: Path, number: signal.Signals) -> None:
    settings = tmp_path / "calotype.toml"
    settings.write_text("stop_seconds_max = 1")
    with ServerProcess("--demo", "--config", str(settings)) as server:
        server.wait_ready()
        [worker] = server.worker_pids()
        requests = [Request(server, LONG) for _ in range(4)]
        wait_for_work(server)
        server.process.send_signal(number)
        server.process.wait(60)
        until(lambda: not is_alive(worker), "the worker's end")
        for request in requests:
            answer = request.answer()
            assert answer
            assert isinstance(answer, Exception) or answer[0] >= 500


def test_a_killed_server_leaves_no_process() -> None:
    with ServerProcess("--demo") as server:
        server.wait_ready()
        [worker] = server.worker_pids()
        request = Request(server, LONG)
        wait_for_work(server)
        server.process.kill()
        server.process.wait(60)
        until(lambda: not is_alive(worker), "the worker's end")
        assert isinstance(request.answer(), Exception)


def wait_for_work(server: ServerProcess) -> None:
    """Until the worker has spent some time on the request: there is no other sign of it from outside yet."""
    [worker] = server.worker_pids()
    before = cpu_ticks(worker)
    until(lambda: cpu_ticks(worker) > before + 5, "the worker's work")


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
