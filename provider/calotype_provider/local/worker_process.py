"""The worker's process, as long as somebody holds it."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence

END_SECONDS_MAX = 2.0
READ_AHEAD_BYTES = 1024 * 1024


@contextlib.asynccontextmanager
async def worker_process(command: Sequence[str]) -> AsyncIterator[Process]:
    """Start the worker with a pipe to each side; when the block ends, so does the process. Its stderr is ours."""
    # A session of its own: a terminal's Ctrl-C is for the server, which lets running pictures finish.
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, limit=READ_AHEAD_BYTES, start_new_session=True
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    assert process.stdin, "the worker's stdin is a pipe"
    process.stdin.close()
    try:
        async with asyncio.timeout(END_SECONDS_MAX):
            await _ended(process)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await _ended(process)


async def _ended(process: Process) -> None:
    assert process.stdout, "the worker's stdout is a pipe"
    # Unread output keeps asyncio from seeing the pipe's end, and so the process's.
    while await process.stdout.read(READ_AHEAD_BYTES):
        pass
    await process.wait()
