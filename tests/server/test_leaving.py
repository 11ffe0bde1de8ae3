"""Callers who leave: whatever their work was at, it stops within a step, and nobody else waits for it."""

import base64
import io
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from server_process import ServerProcess, until

STEPS = 50
N = 10
PATHS = ["/v1/images/generations", "/v1/images/edits", "/v1/images/variations"]


def picture() -> str:
    data = io.BytesIO()
    Image.new("RGB", (128, 128), (200, 40, 40)).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def long_request(path: str, **more: Any) -> dict[str, Any]:
    body = {"n": N, "num_inference_steps": STEPS, "seed": 1, **more}
    if not path.endswith("variations"):
        body["prompt"] = "a red fox"
    if not path.endswith("generations"):
        body = {"image": picture(), "strength": 1.0, **body}
    return body


class Caller:
    """A connection with one request on it, that hangs up when it is told to."""

    def __init__(self, server: ServerProcess, path: str, body: dict[str, Any], request_id: str) -> None:
        data = json.dumps(body).encode()
        address = urlsplit(server.url)
        self._socket = socket.create_connection((address.hostname or "", address.port or 0), timeout=60)
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-type: application/json\r\n"
            f"x-request-id: {request_id}\r\ncontent-length: {len(data)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + data)

    def read(self, count: int) -> bytes:
        return self._socket.recv(count)

    def read_until(self, text: bytes) -> None:
        seen = b""
        while text not in seen:
            seen += (came := self._socket.recv(65536))
            assert came, seen[-200:]

    def leave(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One picture's call at a time, and pictures may be fetched from this machine."""
    settings = tmp_path_factory.mktemp("narrow") / "calotype.toml"
    settings.write_text('[queue]\nrunning_max = 1\nwaiting_max = 1\n[pictures]\nprivate_hosts = ["127.0.0.1"]')
    with ServerProcess("--config", str(settings)) as process:
        yield process.wait_ready()


def steps_done(server: ServerProcess) -> int:
    done: int = server.get("/v1/engine")[1]["steps_done"]
    return done


def wait_until_idle(server: ServerProcess) -> None:
    def idle() -> bool:
        engine = server.get("/v1/engine")[1]
        return (engine["waiting"], engine["running"]) == (0, 0)

    until(idle, "an idle engine")


def steps_after_leaving(server: ServerProcess, leave: Callable[[], None]) -> int:
    """How many steps were done for the caller after it had left."""
    before = steps_done(server)
    leave()
    assert server.paint(num_inference_steps=2)[0] == 200
    after = steps_done(server)
    assert server.paint(num_inference_steps=2)[0] == 200
    assert steps_done(server) == after + 2
    return after - 2 - before


# A step of all ten pictures may be under way when the caller leaves, and one more before the news has come through.
STEPS_AFTER_MAX = 3 * N


@pytest.mark.parametrize("path", PATHS)
def test_a_caller_who_leaves_stops_the_work(narrow: ServerProcess, path: str) -> None:
    name = path.rpartition("/")[2]
    before = steps_done(narrow)
    caller = Caller(narrow, path, long_request(path), f"leaves-{name}")
    until(lambda: steps_done(narrow) > before + N, "steps")
    assert steps_after_leaving(narrow, caller.leave) <= STEPS_AFTER_MAX
    record = narrow.record(f"leaves-{name}")
    assert (record["status"], record["error"]) == (499, "CallerLeftError")


@pytest.mark.parametrize("path", PATHS)
def test_a_caller_who_leaves_a_stream_stops_the_work(narrow: ServerProcess, path: str) -> None:
    name = path.rpartition("/")[2]
    caller = Caller(narrow, path, long_request(path, stream=True, partial_images=3), f"leaves-stream-{name}")
    caller.read_until(b"partial_image")
    assert steps_after_leaving(narrow, caller.leave) <= STEPS_AFTER_MAX
    record = narrow.record(f"leaves-stream-{name}")
    assert (record["status"], record["error"]) == (200, "CallerLeftError")


def test_a_caller_who_leaves_a_stream_before_its_first_event_stops_the_work(narrow: ServerProcess) -> None:
    before = steps_done(narrow)
    caller = Caller(narrow, PATHS[0], long_request(PATHS[0], stream=True), "leaves-early")
    until(lambda: steps_done(narrow) > before + N, "steps")
    assert steps_after_leaving(narrow, caller.leave) <= STEPS_AFTER_MAX
    assert narrow.record("leaves-early")["error"] == "CallerLeftError"


def test_a_reader_who_reads_nothing_holds_no_place(narrow: ServerProcess) -> None:
    body = long_request(PATHS[0], stream=True, partial_images=3, num_inference_steps=8)
    caller = Caller(narrow, PATHS[0], body, "reads-nothing")
    until(lambda: narrow.paint()[0] == 200, "a turn for another")
    caller.leave()


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_leaves_the_queue_is_never_painted_for(narrow: ServerProcess, stream: bool) -> None:
    wait_until_idle(narrow)
    before = steps_done(narrow)
    # A seed of its own: what was painted before would be given again.
    running = Caller(narrow, PATHS[0], long_request(PATHS[0], n=4, seed=50 + stream), f"runs-{stream}")
    until(lambda: steps_done(narrow) > before, "steps")
    waiting = Caller(narrow, PATHS[0], long_request(PATHS[0], stream=stream, seed=99), f"waits-{stream}")
    until(lambda: narrow.paint()[0] == 429, "a full queue")
    waiting.leave()
    record = narrow.record(f"waits-{stream}")
    assert (record["status"], record["error"]) == (499, "CallerLeftError")
    # Its place in the queue is free again, and the one before it is not disturbed.
    assert narrow.paint(num_inference_steps=2)[0] == 200
    running.read_until(b"200 OK")
    running.leave()
    wait_until_idle(narrow)
    assert steps_done(narrow) - before == 4 * STEPS + 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_leaves_while_a_picture_is_fetched_ends_the_fetch(narrow: ServerProcess, stream: bool) -> None:
    wait_until_idle(narrow)
    before = steps_done(narrow)
    with socket.create_server(("127.0.0.1", 0)) as host:
        url = f"http://127.0.0.1:{host.getsockname()[1]}/fox.png"
        body = long_request(PATHS[1], image=url, stream=stream)
        caller = Caller(narrow, PATHS[1], body, f"fetches-{stream}")
        fetching, _ = host.accept()
        with fetching:
            assert b"GET /fox.png" in fetching.recv(4096)
            # Nobody is kept waiting by a picture that does not come.
            assert narrow.paint(num_inference_steps=2)[0] == 200
            caller.leave()
            fetching.settimeout(5)
            assert fetching.recv(4096) == b""
    assert narrow.record(f"fetches-{stream}")["error"] == "CallerLeftError"
    assert steps_done(narrow) - before == 2


def test_those_who_stay_get_their_pictures_while_others_leave(narrow: ServerProcess) -> None:
    expected = narrow.paint(seed=5, num_inference_steps=8)[1]["data"][0]["b64_json"]
    answers: list[Any] = []
    for number in range(3):
        leaver = Caller(narrow, PATHS[0], long_request(PATHS[0]), f"goes-{number}")
        # With a user of its own it is another request, and painted anew.
        body = {"seed": 5, "num_inference_steps": 8, "user": f"stays-{number}"}
        stayer = threading.Thread(target=lambda body=body: answers.append(narrow.paint(**body)))
        stayer.start()
        leaver.leave()
        stayer.join(60)
    painted = [answer["data"][0]["b64_json"] for status, answer in answers if status == 200]
    assert painted == [expected] * 3


def test_a_server_that_stops_ends_its_streams_in_good_order(tmp_path: Path) -> None:
    settings = tmp_path / "calotype.toml"
    settings.write_text("stop_seconds_max = 1")
    with ServerProcess("--config", str(settings)) as server:
        server.wait_ready()
        caller = Caller(server, PATHS[0], long_request(PATHS[0], stream=True, partial_images=3), "outlives")
        caller.read_until(b"partial_image")
        server.process.send_signal(signal.SIGTERM)
        caller.read_until(b'event: error\ndata: {"error":{"message":"the server is stopping"')
        server.process.wait(60)
        caller.leave()
    assert "Traceback" not in "".join(server.stderr)


def test_nothing_went_wrong_on_the_way(narrow: ServerProcess) -> None:
    assert not [line for line in narrow.stderr if "Traceback" in line or "never retrieved" in line]
