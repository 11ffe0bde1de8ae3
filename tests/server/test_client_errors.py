"""Every kind of failure, as OpenAI's clients for Python and Node meet it: what they raise, and how often they ask."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import acme_pictures
import openai
import pytest
from server_process import ServerProcess

NODE = ("node", str(Path(__file__).parent.parent / "clients/openai-images.mjs"))
KEY = "secret-of-ada"
BODY_BYTES_MAX = 20_000


@pytest.fixture(scope="module")
def strained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Nobody may wait, little is read, next to nothing is kept, a key is needed."""
    settings = tmp_path_factory.mktemp("settings") / "calotype.toml"
    settings.write_text(
        f"body_bytes_max = {BODY_BYTES_MAX}\n[queue]\nrunning_max = 1\nwaiting_max = 0\n"
        f'[files]\nbytes_max = 1000\n[keys]\nada = "{KEY}"\n'
    )
    environment = acme_pictures.install(tmp_path_factory.mktemp("acme"))
    with ServerProcess("--config", str(settings), environment=environment) as process:
        yield process


class Failure(NamedTuple):
    body: dict[str, Any]
    error: str
    """The name of the class, in both clients."""
    status: int
    code: str
    asked: int = 1
    """How often the client asks before it gives up."""
    headers: Mapping[str, str] = MappingProxyType({})
    key: str = KEY
    node_error: str | None = None


FAILURES = {
    "a bad field": Failure({"size": "enormous"}, "BadRequestError", 400, "invalid_parameter"),
    "strict": Failure({"strict": True, "style": "vivid"}, "BadRequestError", 400, "invalid_parameter"),
    "before a stream": Failure({"stream": True, "size": "enormous"}, "BadRequestError", 400, "invalid_parameter"),
    "a wrong key": Failure({}, "AuthenticationError", 401, "invalid_api_key", key="wrong"),
    "another origin": Failure(
        {}, "PermissionDeniedError", 403, "forbidden", headers={"origin": "https://elsewhere.example"}
    ),
    "no such model": Failure({"model": "nobody/paints"}, "NotFoundError", 404, "model_not_found"),
    "a large body": Failure(
        {"negative_prompt": "x" * BODY_BYTES_MAX}, "APIStatusError", 413, "request_too_large", node_error="APIError"
    ),
    "another kind of body": Failure(
        {},
        "APIStatusError",
        415,
        "unsupported_media_type",
        headers={"content-type": "text/plain"},
        node_error="APIError",
    ),
    "a key with another body": Failure(
        {"n": 2}, "UnprocessableEntityError", 422, "idempotency_key_reused", headers={"idempotency-key": "used"}
    ),
    "a full queue": Failure({}, "RateLimitError", 429, "model_busy", asked=3),
    "an engine that fails for good": Failure(
        {"model": "acme/breaks-late", "stream": True}, "InternalServerError", 500, "engine_error"
    ),
    "an engine that may do better": Failure(
        {"model": "acme/breaks-early", "stream": True}, "InternalServerError", 503, "engine_error", asked=3
    ),
    "a full store": Failure({"response_format": "url"}, "InternalServerError", 507, "storage_full"),
}


def by_python(server: ServerProcess, body: dict[str, Any], failure: Failure) -> tuple[str, int, str | None, str]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=failure.key) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            client.post("/images/generations", body=body, options={"headers": failure.headers}, cast_to=object)
        error = caught.value
        return type(error).__name__, error.status_code, error.code, error.request_id or ""


def by_node(server: ServerProcess, body: dict[str, Any], failure: Failure) -> tuple[str, int, str | None, str]:
    text = json.dumps({**body, "_headers": dict(failure.headers)})
    command = (*NODE, f"{server.url}/v1", failure.key, "generate", text)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    error = json.loads(done.stdout)["error"]
    return error["class"], error["status"], error["code"], error["requestID"]


@pytest.mark.parametrize("ask", [by_python, by_node])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_client_raises_the_right_class_and_asks_as_often_as_it_helps(
    strained: ServerProcess,
    failure: Failure,
    ask: Callable[[ServerProcess, dict[str, Any], Failure], tuple[str, int, str | None, str]],
) -> None:
    body = {"prompt": "a red fox", "model": "acme/brush", **failure.body}
    holder = None
    if failure.code == "model_busy":
        holder = threading.Thread(target=hold, args=(strained,))
        holder.start()
        wait_until_busy(strained)
    if failure.code == "idempotency_key_reused":
        assert paint(strained, idempotency_key="used")[0] == 200
    before = answered(strained, failure.status)
    name, status, code, request_id = ask(strained, body, failure)
    wanted = failure.node_error if ask is by_node and failure.node_error else failure.error
    assert (name, status, code) == (wanted, failure.status, failure.code)
    strained.record(request_id)
    assert answered(strained, failure.status) - before == failure.asked
    if holder:
        holder.join()


def paint(server: ServerProcess, **fields: Any) -> tuple[int, Any]:
    headers = {name: fields.pop(name) for name in tuple(fields) if name.startswith(("idempotency", "x_"))}
    body = {"prompt": "a red fox", "model": "acme/brush", **fields}
    return server.post("/v1/images/generations", body, authorization=f"Bearer {KEY}", **headers)


def hold(server: ServerProcess) -> None:
    """The one place, for some seconds; whoever looks whether it is taken may have it for a moment."""
    while paint(server, model="acme/slower")[0] == 429:
        pass


def wait_until_busy(server: ServerProcess) -> None:
    for number in itertools.count():
        request_id = f"looks-{time.monotonic_ns()}-{number}"
        status, _ = paint(server, x_request_id=request_id)
        # Written before anybody counts.
        server.record(request_id)
        if status == 429:
            return


def answered(server: ServerProcess, status: int) -> int:
    """How often it has answered a request for pictures so."""
    return sum(record["status"] == status and record["path"].startswith("/v1/images") for record in server.records())
