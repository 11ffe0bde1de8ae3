"""How many answers of 2 MB go through the door in a second, beside the same wire in FastAPI + pydantic.

Both serve one process of uvicorn with a backend that answers at once with the same ready picture; both decode, check
and encode everything. Rounds alternate between the two, and the figure is the median of the rounds' ratios.
"""

from __future__ import annotations

import json
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.conditions import print_conditions
from benchmarks.servers import free_port, running

PICTURE_BYTES = 2_000_000
CONNECTIONS = 8
REQUESTS_PER_ROUND = 120
ROUNDS = 5
BODY = json.dumps(
    {"model": "bench/ready", "prompt": "a red fox", "n": 1, "size": "1024x1024", "response_format": "b64_json"}
)


def main() -> None:
    print("door: answers of 2 MB a second, Calotype beside FastAPI + pydantic, one process each")
    print_conditions("litestar", "msgspec", "fastapi", "pydantic", "uvicorn")
    print(f"  {CONNECTIONS} connections, {REQUESTS_PER_ROUND} requests a round, {ROUNDS} alternating rounds")
    ports = {"calotype": free_port(), "fastapi": free_port()}
    commands = {name: [sys.executable, "-m", f"benchmarks.door_{name}", str(port)] for name, port in ports.items()}
    with (
        running(commands["calotype"], url=f"http://127.0.0.1:{ports['calotype']}/health"),
        running(commands["fastapi"], url=f"http://127.0.0.1:{ports['fastapi']}/health"),
    ):
        for port in ports.values():
            requests_per_second(port, REQUESTS_PER_ROUND // 4)
        rounds = [
            {name: requests_per_second(port, REQUESTS_PER_ROUND) for name, port in ports.items()} for _ in range(ROUNDS)
        ]
    for name in ports:
        print(f"  {name:>9}: {statistics.median(each[name] for each in rounds):7.1f} requests/s (median)")
    ratios = sorted(each["calotype"] / each["fastapi"] for each in rounds)
    print(f"  ratio: {statistics.median(ratios):.2f} (rounds from {ratios[0]:.2f} to {ratios[-1]:.2f})")


def requests_per_second(port: int, requests: int) -> float:
    remaining = iter(range(requests))
    started = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for connection in [pool.submit(_ask_again_and_again, port, remaining) for _ in range(CONNECTIONS)]:
            connection.result()
    return requests / (time.perf_counter() - started)


def _ask_again_and_again(port: int, remaining: Iterator[int]) -> None:
    """One connection kept alive. Bare sockets, one buffer: a real HTTP client would cost more than the servers do."""
    request = (
        f"POST /v1/images/generations HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(BODY)}\r\n\r\n{BODY}"
    ).encode()
    buffer = memoryview(bytearray(2 * PICTURE_BYTES))
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in remaining:
            connection.sendall(request)
            received, length = 0, None
            while length is None or received < length:
                count = connection.recv_into(buffer[received:])
                assert count, "the server has closed the connection"
                received += count
                if length is None:
                    length = _answer_length(bytes(buffer[: min(received, 4096)]))
            assert length > PICTURE_BYTES * 4 // 3, bytes(buffer[:200])


def _answer_length(start: bytes) -> int | None:
    """Headers and body, in bytes, once the headers are whole."""
    head, blank_line, _ = start.partition(b"\r\n\r\n")
    if not blank_line:
        return None
    assert head.startswith(b"HTTP/1.1 200"), head
    return len(head) + 4 + int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])


if __name__ == "__main__":
    main()
