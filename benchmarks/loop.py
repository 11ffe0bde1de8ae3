"""How long does one answer of ten 2 MB pictures keep the event loop from everybody else?

Beside it the same for joining base64 and JSON on the loop, as servers do that answer with a dict.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import uvicorn

from benchmarks.conditions import print_conditions
from calotype_provider.image_model import ImageModel
from calotype_provider.local.engine import Readiness
from calotype_provider.local.subprocess_engine import SubprocessEngine
from calotype_provider.model_card import ModelCard
from calotype_provider.registry import ProviderRegistry
from calotype_provider.types import GeneratedImage, ImageModelCall, ImageModelResult, Size
from calotype_runtime.app import create_app
from calotype_runtime.config import Settings
from calotype_runtime.image_runtime import ImageRuntime
from calotype_runtime.memory import keep_freed_memory

PICTURES = 10
PICTURE_BYTES = 2_000_000
ROUNDS = 9
SIZE = Size(1024, 1024)
PICTURE = os.urandom(PICTURE_BYTES)


def main() -> None:
    print(f"How long one answer of {PICTURES} pictures of {PICTURE_BYTES / 1e6:g} MB holds the event loop")
    print_conditions("litestar", "msgspec", "uvicorn", "pybase64")
    asyncio.run(measure())


async def measure() -> None:
    keep_freed_memory()
    runtime = ImageRuntime(
        settings=Settings(default_model="bench/ready"),
        registry=ProviderRegistry({"bench": ReadyProvider}),
        readiness=lambda: Readiness("ready", "bench/ready", 1.0),
        engine_stats=SubprocessEngine().stats,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(create_app(runtime), log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        held: dict[str, list[float]] = {"nothing": [], "ours": [], "a dict on the loop": []}
        for _ in range(ROUNDS):
            held["nothing"].append(await worst_pause(lambda: asyncio.sleep(0.2)))
            held["ours"].append(await worst_pause(lambda: asyncio.to_thread(ask, port)))
            held["a dict on the loop"].append(await worst_pause(answer_with_dict))
        server.should_exit = True
        await serving
    for name, pauses in held.items():
        print(f"{name:>20}: median {statistics.median(pauses):6.1f} ms, worst {max(pauses):6.1f} ms")


class ReadyModel:
    card = ModelCard(model_id="bench/ready", default_size=SIZE, sizes=(SIZE,))

    async def do_generate(self, call: ImageModelCall) -> ImageModelResult:
        images = tuple(GeneratedImage(PICTURE, "image/png", seed, SIZE) for seed in range(call.n))
        return ImageModelResult(images=images, model_id="bench/ready")


class ReadyProvider:
    def image_model(self, model_id: str) -> ImageModel:
        return ReadyModel()


async def worst_pause(work: Callable[[], Awaitable[object]]) -> float:
    """The longest time in milliseconds that a task which wants to run at once had to wait, while `work` was done."""
    pauses: list[float] = []

    async def look() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            pauses.append(time.perf_counter() - before)

    looking = asyncio.create_task(look())
    await asyncio.sleep(0)
    await work()
    # One more turn, in which the last pause is seen.
    await asyncio.sleep(0)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    return max(pauses) * 1000


def ask(port: int) -> None:
    """From a process of its own, which does not share our interpreter."""
    subprocess.run([sys.executable, "-c", CLIENT, str(port), str(PICTURES)], check=True)


CLIENT = """
import json, sys, urllib.request
body = json.dumps({"prompt": "a", "n": int(sys.argv[2]), "response_format": "b64_json"}).encode()
url = f"http://127.0.0.1:{sys.argv[1]}/v1/images/generations"
request = urllib.request.Request(url, body, {"content-type": "application/json"})
with urllib.request.urlopen(request) as response:
    assert len(json.load(response)["data"]) == int(sys.argv[2])
"""


async def answer_with_dict() -> None:
    data = [{"b64_json": base64.b64encode(PICTURE).decode()} for _ in range(PICTURES)]
    json.dumps({"data": data}).encode()


if __name__ == "__main__":
    main()
