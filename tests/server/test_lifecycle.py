"""Listening before loading, dying workers, and ends that leave nothing behind."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from server_process import ServerProcess, is_alive, until

import calotype_provider
from calotype_provider.catalog import EMBEDDED

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
        assert [model["id"] for model in server.get("/v1/models")[1]["data"]] == list(EMBEDDED)


def test_a_folder_named_on_the_command_line_is_served_under_its_id() -> None:
    folder = Path(calotype_provider.__file__).parent / "tintype"
    with ServerProcess("--model", f"acme/copy={folder}", "--model", "acme/typo=/nowhere") as server:
        # A PNG would name its model.
        status, copy = server.paint(model="ACME/copy", seed=7, output_format="webp")
        assert (status, copy["model"]) == (200, "acme/copy")
        assert copy["data"][0]["b64_json"] == server.paint(seed=7, output_format="webp")[1]["data"][0]["b64_json"]
        status, body = server.paint(model="acme/typo")
        assert (status, body["error"]["code"]) == (500, "model_load_failed")
        assert "model_index.json" in body["error"]["message"]
        assert "acme/typo" not in [model["id"] for model in server.get("/v1/models")[1]["data"]]


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
        # With a user of its own each is another request, and painted anew.
        requests = [Request(server, {**body, "user": "again"}) for body in asked]
        wait_for_work(server)
        os.kill(worker, signal.SIGKILL)
        answers = [request.answer() for request in requests]
        for answer, before in zip(answers, undisturbed, strict=True):
            assert isinstance(answer, tuple)
            status, body = answer
            assert status == 200
            assert [item["b64_json"] for item in body["data"]] == [item["b64_json"] for item in before]
        assert server.worker_pids() != [worker]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_lets_the_running_picture_finish(number: signal.Signals) -> None:
    with ServerProcess("--demo") as server:
        server.wait_ready()
        [worker] = server.worker_pids()
        request = Request(server, {"prompt": "a fox", "num_inference_steps": 50, "seed": 1})
        wait_for_work(server)
        server.process.send_signal(number)
        answer = request.answer()
        assert isinstance(answer, tuple)
        assert answer[0] == 200
        server.process.wait(60)
        until(lambda: not is_alive(worker), "the worker's end")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_picture_that_takes_longer_than_may_be_is_given_up_in_good_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    settings = tmp_path / "calotype.toml"
    settings.write_text("stop_seconds_max = 1\n[queue]\nrunning_max = 2")
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
            assert isinstance(answer, tuple), answer
            status, body = answer
            assert (status, body["error"]["code"]) == (503, "engine_error")
    assert "Traceback" not in "".join(server.stderr)
    assert [record["status"] for record in server.records() if record["path"].endswith("generations")] == [503] * 4


def test_a_caller_that_leaves_stops_its_work(tmp_path: Path) -> None:
    settings = tmp_path / "calotype.toml"
    settings.write_text("[queue]\nrunning_max = 1\nwaiting_max = 0")
    with ServerProcess("--demo", "--config", str(settings)) as server:
        server.wait_ready()
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
        connection.request(
            "POST",
            "/v1/images/generations",
            json.dumps(LONG),
            {"content-type": "application/json", "x-request-id": "leaving"},
        )
        wait_for_work(server)
        status, body = server.paint()
        assert (status, body["error"]["code"]) == (429, "model_busy")
        connection.close()
        record = server.record("leaving")
        assert (record["status"], record["error"]) == (499, "CallerLeftError")
        # Its place is free again at once, and the device is soon idle.
        assert server.paint()[0] == 200
        [worker] = server.worker_pids()
        before = cpu_ticks(worker)
        time.sleep(0.5)
        assert cpu_ticks(worker) - before < 10


def test_a_busy_server_says_when_to_come_back(tmp_path: Path) -> None:
    settings = tmp_path / "calotype.toml"
    settings.write_text("[queue]\nrunning_max = 1\nwaiting_max = 0")
    with ServerProcess("--demo", "--config", str(settings)) as server:
        server.wait_ready()
        request = Request(server, LONG)
        wait_for_work(server)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(
                urllib.request.Request(
                    f"{server.url}/v1/images/generations",
                    data=b'{"prompt": "a fox"}',
                    headers={"content-type": "application/json"},
                )
            )
        with caught.value as answer:
            assert answer.code == 429
            assert 0 < int(answer.headers["retry-after-ms"]) < 60_000
            assert 0 < int(answer.headers["retry-after"]) < 60
        server.process.kill()
        request.answer()


def test_a_full_store_is_507_at_the_door_and_base64_goes_on(tmp_path: Path) -> None:
    settings = tmp_path / "calotype.toml"
    # Room for two pictures of 128x128 as they are reserved; a quarter of it is kept for those who ask for URLs.
    settings.write_text(f"[files]\nbytes_max = {2 * (128 * 128 * 4 + 65536)}")
    with ServerProcess("--demo", "--config", str(settings)) as server:
        server.wait_ready()
        started = server.paint(n=3, response_format="url")
        assert (started[0], started[1]["error"]["code"]) == (507, "storage_full")
        status, answer = server.paint(n=3)
        assert status == 200
        assert all("b64_json" in item and "url" not in item for item in answer["data"])
        assert [(warning["type"], warning["feature"]) for warning in answer["warnings"]] == [("other", "url")]
        assert server.paint(response_format="url")[0] == 200


def test_the_first_answer_to_health_takes_less_than_a_second_of_work() -> None:
    with ServerProcess() as server:
        assert server.get("/health")[0] == 200
        # The processor's time and not the clock's: the machine may be busy with other things (benchmarks/start.py).
        seconds = cpu_ticks(server.process.pid) / os.sysconf("SC_CLK_TCK")
        server.process.kill()
    assert seconds < 1.0


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
