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

import pytest
from server_process import ServerProcess, until

CALLERS = ("ada", "bob", "eve", "greedy")
MODEST, GREEDY = 20, 140


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    settings = tmp_path_factory.mktemp("settings") / "calotype.toml"
    keys = "\n".join(f'{name} = "key-of-{name}"' for name in CALLERS)
    settings.write_text(f"[queue]\nrunning_max = 2\n[keys]\n{keys}\n")
    with ServerProcess("--config", str(settings)) as process:
        yield process.wait_ready()


def test_the_shares_of_four_callers_are_fair_though_one_is_greedy(fair: ServerProcess) -> None:
    asked = [name for name in CALLERS for _ in range(GREEDY if name == "greedy" else MODEST)]
    random.Random(7).shuffle(asked)

    def ask(name: str) -> int:
        body = json.dumps({"prompt": "a red fox", "num_inference_steps": 1}).encode()
        headers = {"content_type": "application/json", "authorization": f"Bearer key-of-{name}"}
        return fair.send("POST", "/v1/images/generations", body, **headers)[0]

    with ThreadPoolExecutor(len(asked)) as pool:
        statuses = list(pool.map(ask, asked))
    assert statuses == [200] * len(asked)
    painted = [record for record in fair.records() if record["path"] == "/v1/images/generations"]
    order = [record["caller"] for record in painted]
    # While all four have somebody who waits. The modest ones' last few come when others have no more.
    shares = Counter(order[: len(CALLERS) * MODEST * 3 // 4])
    fair_share = MODEST * 3 / 4
    assert all(abs(shares[name] - fair_share) <= 0.2 * fair_share + 1 for name in CALLERS), shares


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
