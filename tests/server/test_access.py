"""The open door is open to this machine's own programs only; with keys, to whoever has one."""

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from server_process import ServerProcess, until

KEY = "sesame-0123456789"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    settings = tmp_path_factory.mktemp("locked") / "calotype.toml"
    settings.write_text(f'cors_origins = ["https://app.example"]\n[keys]\nann = "{KEY}"\n')
    environment = {"CALOTYPE_API_KEYS": "bob=open-9876543210"}
    with ServerProcess("--demo", "--config", str(settings), environment=environment) as process:
        yield process.wait_ready()


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:8000"])
def test_loopback_names_are_answered(server: ServerProcess, host: str) -> None:
    assert server.send("GET", "/health", host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "[::2]",
        "2130706433",
        "",
        "localhost@evil.example",
    ],
)
@pytest.mark.parametrize("path", ["/health", "/v1/models", "/nowhere"])
def test_another_host_is_403_so_that_rebinding_a_name_gains_nothing(
    server: ServerProcess, host: str, path: str
) -> None:
    status, body = server.send("GET", path, host=host)
    assert status == 403
    assert body["error"]["message"]


def test_a_page_of_the_same_origin_may_ask_and_another_may_not(server: ServerProcess) -> None:
    assert server.send("GET", "/v1/models", origin=server.url)[0] == 200
    for origin in ("https://evil.example", "null", server.url + "0", server.url.replace("http:", "https:")):
        status, body = server.send("GET", "/v1/models", origin=origin)
        assert status == 403
        assert "error" in body


def test_without_keys_any_authorization_is_accepted(server: ServerProcess) -> None:
    assert server.send("GET", "/v1/models", authorization="Bearer whatever")[0] == 200


def test_a_preflight_from_an_unlisted_origin_is_refused(server: ServerProcess) -> None:
    status, _ = server.send(
        "OPTIONS", "/v1/images/generations", origin="https://evil.example", access_control_request_method="POST"
    )
    assert status == 403


def test_a_listed_origin_is_answered_and_allowed(locked: ServerProcess) -> None:
    request = urllib.request.Request(
        locked.url + "/v1/images/generations",
        method="OPTIONS",
        headers={
            "origin": "https://app.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type",
        },
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 204
        assert response.headers["access-control-allow-origin"] == "https://app.example"
        assert "POST" in response.headers["access-control-allow-methods"]
        assert "authorization" in response.headers["access-control-allow-headers"].lower()
    request = urllib.request.Request(
        locked.url + "/v1/models", headers={"origin": "https://app.example", "authorization": f"Bearer {KEY}"}
    )
    with urllib.request.urlopen(request) as response:
        assert response.headers["access-control-allow-origin"] == "https://app.example"


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer ", KEY + "x", f"Basic {KEY}", "Bearer é"])
def test_without_a_known_key_it_is_401_on_every_path_that_needs_one(
    locked: ServerProcess, authorization: str | None
) -> None:
    for path in ("/v1/models", "/v1/images/generations", "/nowhere"):
        status, body = (
            locked.send("GET", path, authorization=authorization) if authorization else locked.send("GET", path)
        )
        assert status == 401
        assert body["error"]["code"] == "invalid_api_key"
        assert KEY not in str(body)


def test_probes_and_pictures_need_no_key(locked: ServerProcess) -> None:
    assert locked.get("/health")[0] == 200
    assert locked.get("/ready")[0] == 200
    _, answer = locked.post(
        "/v1/images/generations", {"prompt": "a fox", "num_inference_steps": 1}, authorization=f"Bearer {KEY}"
    )
    with urllib.request.urlopen(answer["data"][0]["url"]) as response:
        assert response.status == 200


def test_the_callers_name_travels_with_the_call_and_its_key_never(locked: ServerProcess) -> None:
    for key, name in ((KEY, "ann"), ("open-9876543210", "bob")):
        status, _ = locked.post(
            "/v1/images/generations",
            {"prompt": "a fox", "num_inference_steps": 1},
            authorization=f"Bearer {key}",
            x_request_id=f"by-{name}",
        )
        assert status == 200
        record = locked.record(f"by-{name}")
        assert record["caller"] == name
        assert key not in "".join(locked.stderr)


def test_with_keys_a_request_without_a_host_is_refused_before_any_work(locked: ServerProcess) -> None:
    body = b'{"prompt": "a fox"}'
    request = (
        b"POST /v1/images/generations HTTP/1.0\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %s\r\ncontent-length: %d\r\n\r\n%s" % (KEY.encode(), len(body), body)
    )
    parts = urlsplit(locked.url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Host" in answer


CONNECTIONS_MAX = 10


def test_one_connection_too_many_is_refused_in_our_words_and_probes_are_answered(tmp_path: Path) -> None:
    settings = tmp_path / "calotype.toml"
    settings.write_text(f"connections_max = {CONNECTIONS_MAX}\n")
    with ServerProcess("--config", str(settings)) as server, contextlib.ExitStack() as held:
        server.wait_ready()
        address = urlsplit(server.url)
        at = (address.hostname or "", address.port or 0)

        def ask(path: str) -> tuple[int, http.client.HTTPMessage, Any]:
            connection = http.client.HTTPConnection(*at, timeout=60)
            connection.request("GET", path, headers={"x-request-id": "mine"})
            with contextlib.closing(connection), connection.getresponse() as response:
                return response.status, response.headers, json.loads(response.read())

        for _ in range(CONNECTIONS_MAX - 1):
            held.enter_context(socket.create_connection(at))
        until(lambda: ask("/v1/models")[0] == 200, "the last one that may come")
        held.enter_context(socket.create_connection(at))
        until(lambda: ask("/v1/models")[0] == 503, "one too many")
        status, headers, body = ask("/v1/models")
        assert (status, body["error"]["code"]) == (503, "engine_error")
        assert (headers["x-request-id"], headers["connection"]) == ("mine", "close")
        assert 0 < int(headers["retry-after"]) < 60
        assert 0 < int(headers["retry-after-ms"]) < 60_000
        assert [ask(path)[0] for path in ("/health", "/ready")] == [200, 200]
        held.close()
        until(lambda: ask("/v1/models")[0] == 200, "room")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--host", "0.0.0.0"], "host"), (["--config", "absent.toml"], "absent.toml"), (["--port", "70000"], "port")],
)
def test_a_server_that_would_be_open_or_is_misconfigured_does_not_start(arguments: list[str], named: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "calotype_runtime", "serve", *arguments], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert re.search(rf"calotype: .*{named}", ended.stderr)
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_said(server: ServerProcess) -> None:
    port = server.url.rsplit(":", 1)[1]
    ended = subprocess.run(
        [sys.executable, "-m", "calotype_runtime", "serve", "--port", port], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
