"""Many callers at once: fair shares, and nothing left of those who go."""

from __future__ import annotations

import json
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import acme_pictures
import pytest
from server_process import ServerProcess, until

CALLERS = ("ada", "bob", "eve", "greedy")
MODEST, GREEDY = 20, 140
FAIR_SHARE = MODEST * 3 // 4
WAITING_MAX = 12


GENERATIONS = "/v1/images/generations"
HOLDER = "holder"
KEYS = "\n".join(f'{name} = "key-of-{name}"' for name in (*CALLERS, HOLDER))


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    settings = tmp_path_factory.mktemp("settings") / "calotype.toml"
    settings.write_text(f"[queue]\nrunning_max = 2\n[keys]\n{KEYS}\n")
    with ServerProcess("--config", str(settings), environment=acme_pictures.install(settings.parent)) as process:
        yield process.wait_ready()


def ask(server: ServerProcess, name: str, **body: Any) -> tuple[int, Any]:
    data = json.dumps({"prompt": "a red fox", "num_inference_steps": 1, **body}).encode()
    headers = {"content_type": "application/json", "authorization": f"Bearer key-of-{name}"}
    return server.send("POST", GENERATIONS, data, **headers)


def test_the_shares_of_four_callers_are_fair_though_one_is_greedy(fair: ServerProcess) -> None:
    asked = [name for name in CALLERS for _ in range(GREEDY if name == "greedy" else MODEST)]
    random.Random(7).shuffle(asked)

    with ThreadPoolExecutor(len(asked) + 2) as pool:
        # Both places are taken for eight seconds, in which all two hundred come.
        holders = [pool.submit(ask, fair, HOLDER, model="acme/slower") for _ in range(2)]
        time.sleep(0.5)
        statuses = [status for status, _ in pool.map(lambda name: ask(fair, name), asked)]
    assert [holder.result()[0] for holder in holders] == [200, 200]
    assert statuses == [200] * len(asked)
    records = [record for record in fair.records() if record["path"] == GENERATIONS]
    order = [record["caller"] for record in records if record["caller"] != HOLDER]
    # While all four have somebody who waits. The modest ones' last few come when others have no more.
    shares = Counter(order[: len(CALLERS) * FAIR_SHARE])
    assert all(abs(shares[name] - FAIR_SHARE) <= 0.2 * FAIR_SHARE for name in CALLERS), shares


def test_a_greedy_caller_does_not_keep_others_out(tmp_path: Path) -> None:
    settings = tmp_path / "calotype.toml"
    settings.write_text(f"[queue]\nrunning_max = 1\nwaiting_max = {WAITING_MAX}\n[keys]\n{KEYS}\n")
    environment = acme_pictures.install(tmp_path)
    with ServerProcess("--config", str(settings), environment=environment) as server:
        with ThreadPoolExecutor(WAITING_MAX + 2) as pool:
            holder = pool.submit(ask, server, HOLDER, model="acme/slower")
            time.sleep(0.5)
            greedy = [pool.submit(ask, server, "greedy", model="acme/brush") for _ in range(WAITING_MAX + 1)]
            until(lambda: any(answer.done() for answer in greedy), "a full queue")
            assert not holder.done()
            assert ask(server, "ada", model="acme/brush")[0] == 200
            answers = [answer.result() for answer in greedy]
        # One found the queue full of its own, and one made way.
        assert sorted(status for status, _ in answers) == [200] * (WAITING_MAX - 1) + [429] * 2
        told = [body["error"] for status, body in answers if status == 429]
        assert [each["code"] for each in told] == ["model_busy"] * 2
        assert ["most of them are yours" in each["message"] for each in told].count(True) == 1


LEAVERS, WARM_UP = 1000, 200


def test_nothing_is_left_of_a_thousand_callers_who_leave(server: ServerProcess) -> None:
    choices = random.Random(7)

    def leave(_: int) -> None:
        body: dict[str, Any] = {"prompt": "a red fox", "num_inference_steps": 50, "stream": choices.random() < 0.5}
        if body["stream"]:
            body["partial_images"] = 3
        data = json.dumps(body).encode()
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as connection:
            head = (
                f"POST /v1/images/generations HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-type: application/json\r\n"
            )
            connection.sendall(f"{head}content-length: {len(data)}\r\n\r\n".encode() + data)
            # Some are gone before they are read, some in the queue, some in the middle of their picture.
            time.sleep(choices.choice((0.0, 0.01, 0.1, 0.4)))

    def idle() -> bool:
        engine = server.get("/v1/engine")[1]
        return (engine["waiting"], engine["running"]) == (0, 0)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(leave, range(WARM_UP)))
        until(idle, "an idle engine")
        before = resident_bytes(server)
        list(pool.map(leave, range(LEAVERS)))
    until(idle, "an idle engine")
    # The last step of the last who left may still be under way: behind a whole picture it is not.
    assert server.paint(num_inference_steps=2)[0] == 200
    done = server.get("/v1/engine")[1]["steps_done"]
    assert server.paint(num_inference_steps=2)[0] == 200
    assert server.get("/v1/engine")[1]["steps_done"] == done + 2
    assert resident_bytes(server) < 1.1 * before


def resident_bytes(server: ServerProcess) -> int:
    """Of the server and its worker."""
    total = 0
    for pid in (server.process.pid, *server.worker_pids()):
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(status.split("VmRSS:")[1].split()[0]) * 1024
    return total
