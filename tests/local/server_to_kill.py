"""Stands in for a server: tells its worker's process id when a long picture is being painted, and waits."""

from __future__ import annotations

import asyncio
import sys

from engine_requests import FLUX, first, paint

from calotype_provider.local.engine import EngineSettings
from calotype_provider.local.messages import LoadModel, Step
from calotype_provider.local.subprocess_engine import SubprocessEngine


async def main() -> None:
    engine = SubprocessEngine(EngineSettings(threads=1))
    engine.load(LoadModel(model_id=FLUX, folder=sys.argv[1]))
    engine.start()
    await first(engine.submit(paint(steps=20_000)), Step)
    sys.stdout.write(f"{engine.stats().worker_pid}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
