"""How many answers of 2 MB go through the door in a second, beside the same wire in FastAPI + pydantic.

Both serve one process of uvicorn with a backend that answers at once with the same ready picture; both decode, check
and encode everything. Rounds alternate between the two, and the figure is the median of the rounds' ratios.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator

from benchmarks.conditions import print_conditions
from benchmarks.servers import free_port, running

PICTURE_BYTES = 2_000_000
CONNECTIONS = 8
REQUESTS_PER_ROUND = 120
ROUNDS = 7
BODY = json.dumps({"model": "bench/ready", "prompt": "a red fox", "n": 1, "size": "1024x1024", "response_format": "b64_json"})


def main() -> None:
    print("door: answers of 2 MB a second, Calotype beside FastAPI + pydantic, one process each")
    print_conditions("litestar", "msgspec", "fastapi", "pydantic", "uvicorn")
    print(f"  {CONNECTIONS} connections, {REQUESTS_PER_ROUND} requests a round, {ROUNDS} alternating rounds")
    ports = {"calotype": free_port(), "fastapi": free_port()}
    commands = {
        name: [sys.executable, "-m", f"benchmarks.door_{name}", str(port)] for name, port in ports.items()
    }
    with (
        running(commands["calotype"], url=f"http://127.0.0.1:{ports['calotype']}/health"),
        running(commands["fastapi"], url=f"http://127.0.0.1:{ports['fastapi']}/health"),
    ):
        for port in ports.values():
            asyncio.run(requests_per_second(port, REQUESTS_PER_ROUND // 4))
        rounds = [
            {name: asyncio.run(requests_per_second(port, REQUESTS_PER_ROUND)) for name, port in ports.items()}
            for _ in range(ROUNDS)
        ]
    for name in ports:
        print(f"  {name:>9}: {statistics.median(each[name] for each in rounds):7.1f} requests/s (median)")
    ratios = sorted(each["calotype"] / each["fastapi"] for each in rounds)
    print(f"  ratio: {statistics.median(ratios):.2f} (rounds from {ratios[0]:.2f} to {ratios[-1]:.2f})")


async def requests_per_second(port: int, requests: int) -> float:
    remaining = iter(range(requests))
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_ask_again_and_again(port, remaining))
    return requests / (time.perf_counter() - started)


async def _ask_again_and_again(port: int, remaining: Iterator[int]) -> None:
    """One connection kept alive. Bare sockets: a real HTTP client would cost more than the servers do."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    request = (
        f"POST /v1/images/generations HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(BODY)}\r\n\r\n{BODY}"
    ).encode()
    for _ in remaining:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        assert length > PICTURE_BYTES * 4 // 3, body[:200]
    writer.close()
    await writer.wait_closed()


if __name__ == "__main__":
    main()
