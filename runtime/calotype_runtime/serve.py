"""calotype serve: listen first, then start the engine, say when it is ready, and leave nothing running behind."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import sys
import time
from pathlib import Path

import msgspec
import uvicorn

from calotype_provider.errors import CalotypeError, ConfigError
from calotype_runtime.app import create_app
from calotype_runtime.assembly import Assembly
from calotype_runtime.config import Settings, bracketed
from calotype_runtime.jobs.state_directory import state_directory
from calotype_runtime.memory import keep_freed_memory

CONNECTIONS_BEYOND = 1000
"""Above `connections_max`, where the door refuses in our words: what comes past these too is refused without any."""

logger = logging.getLogger("calotype.serve")

EXAMPLE_PROMPT = "a red fox on a blue background"


def serve(settings: Settings) -> int:
    """Serve until told to stop. 0 after an orderly end, 1 when the server could not start."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    # It tells of its own start and end; ours are told by us.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # It warns of every write to a caller who is gone.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    keep_freed_memory()
    try:
        return asyncio.run(_serve(settings))
    except KeyboardInterrupt:
        # Ctrl-C has stopped the server in good order by now; uvicorn raises it once more at its end.
        return 0


async def _serve(settings: Settings) -> int:
    # The address first: the jobs of the one who has it are not opened by another.
    with _bound_socket(settings) as listener:
        assembly = await _assembly(settings)
        _warn_of_what_ends_with_the_server(settings, assembly)
        server = CalotypeServer(settings, assembly)
        await server.serve(sockets=[listener])
        return 0 if server.started else 1


async def _assembly(settings: Settings) -> Assembly:
    """With its jobs open, before anything listens: a configured directory that cannot be used is told in one line."""
    own = None if settings.jobs.directory or not settings.jobs.lasting else state_directory(settings, os.environ)
    if own is not None:
        assembly = Assembly(_with_jobs_in(own, settings))
        try:
            await assembly.runtime.jobs.open()
            return assembly
        except ConfigError as error:
            # Nobody has asked for this one: the server is of use without it.
            logger.warning("jobs are not kept: %s", error)
    assembly = Assembly(settings)
    await assembly.runtime.jobs.open()
    return assembly


def _with_jobs_in(directory: Path, settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, jobs=msgspec.structs.replace(settings.jobs, directory=str(directory)))


def _warn_of_what_ends_with_the_server(settings: Settings, assembly: Assembly) -> None:
    if not assembly.runtime.jobs.lasts:
        logger.warning("jobs.directory is not set: jobs, and their results, are lost when this server ends")
    elif not settings.files.lasts:
        logger.warning(
            "files.directory is not set: URLs of pictures end with this server; jobs give such pictures in base64 then"
        )


class CalotypeServer(uvicorn.Server):
    """Starts the engine only once it listens, so that `/health` answers while the model is still loading."""

    def __init__(self, settings: Settings, assembly: Assembly) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(assembly.runtime, connections=lambda: len(self.server_state.connections)),
                log_config=None,
                access_log=False,
                lifespan="on",
                timeout_graceful_shutdown=math.ceil(settings.stop_seconds_max),
                server_header=False,
                # Whose word is believed is said by our own setting `proxies`, and obeyed by the door.
                proxy_headers=False,
                limit_concurrency=settings.connections_max + CONNECTIONS_BEYOND,
            )
        )
        self._settings = settings
        self._assembly = assembly
        self._announcement: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        self._assembly.engine.start()
        assert sockets, "serve() is given a socket"
        self._announcement = asyncio.create_task(self._announce(sockets[0].getsockname()[1]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._announcement:
            self._announcement.cancel()
        await super().shutdown(sockets)

    async def _announce(self, port: int) -> None:
        base_url = f"http://{bracketed(self._settings.host)}:{port}"
        model_id = self._assembly.default_model_id
        started = time.monotonic()
        _say(f"Calotype listens on {base_url}; {model_id} is loading.")
        try:
            await self._assembly.default_ready()
        except CalotypeError as error:
            _say(f"{model_id} cannot paint: {error}")
            return
        _say(f"{model_id} is ready after {time.monotonic() - started:.1f} s. Paste this into another terminal:\n")
        _say(example_curl(base_url, with_key=bool(self._settings.keys)) + "\n")


def example_curl(base_url: str, *, with_key: bool) -> str:
    """A command that leaves a picture in fox.png."""
    key = " -H 'Authorization: Bearer YOUR_KEY'" if with_key else ""
    return (
        f"curl -s {base_url}/v1/images/generations{key} -H 'Content-Type: application/json' \\\n"
        f"""  -d '{{"prompt": "{EXAMPLE_PROMPT}", "response_format": "url"}}' \\\n"""
        """  | grep -o 'http[^"]*' | xargs curl -s -o fox.png"""
    )


def _bound_socket(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from error
    return listener


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
