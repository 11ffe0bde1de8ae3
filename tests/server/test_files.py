"""Answers by URL through the door: what they open, for whom, how long, and after a restart."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from s3_process import ACCESS_KEY, SECRET_KEY, S3Process
from server_process import ServerProcess, until

SECRET = "a-secret-of-more-than-thirty-two-characters"


def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, Message, bytes]:
    """Whatever the status."""
    request = urllib.request.Request(url, method=method)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def code_of(body: bytes) -> str:
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return str(error["code"])


def paint_url(server: ServerProcess, **body: Any) -> str:
    status, answer = server.paint(response_format="url", **body)
    assert status == 200, answer
    return str(answer["data"][0]["url"])


def on(server: ServerProcess, url: str) -> str:
    """The same path and signature, asked of that server."""
    parts = urlsplit(url)
    return f"{server.url}{parts.path}?{parts.query}"


def settings(folder: Path, text: str) -> Path:
    path = folder / "calotype.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def painted(server: ServerProcess) -> tuple[str, bytes]:
    """A URL and the bytes behind it."""
    [item] = server.paint(seed=3)[1]["data"]
    return item["url"], base64.b64decode(item["b64_json"])


def test_a_picture_is_served_whole_with_all_that_describes_it(painted: tuple[str, bytes]) -> None:
    url, data = painted
    status, headers, body = fetch(url)
    assert (status, body) == (200, data)
    assert headers["content-type"] == "image/png"
    assert headers["content-length"] == str(len(data))
    assert headers["etag"] == f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    assert headers["accept-ranges"] == "bytes"
    assert headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch(r'inline; filename="calotype-[0-9a-f]{8}\.png"', headers["content-disposition"])
    age = re.fullmatch(r"private, max-age=([0-9]+), immutable", headers["cache-control"])
    assert age
    expires = re.search(r"expires=([0-9]+)", url)
    assert expires
    assert abs(int(expires[1]) - time.time() - int(age[1])) < 5


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_a_picture_is_served_as_the_kind_that_it_is(server: ServerProcess, kind: str) -> None:
    status, headers, body = fetch(paint_url(server, output_format=kind))
    assert (status, headers["content-type"]) == (200, f"image/{kind}")
    assert body[8:12] == b"WEBP" if kind == "webp" else body.startswith(b"\xff\xd8\xff")


def test_head_is_get_without_the_body(painted: tuple[str, bytes]) -> None:
    url, data = painted
    status, headers, body = fetch(url, "HEAD")
    assert (status, body, headers["content-length"]) == (200, b"", str(len(data)))
    names = ("content-type", "etag", "accept-ranges", "content-disposition", "x-content-type-options")
    assert [headers[name] for name in names] == [fetch(url)[1][name] for name in names]


def test_a_download_can_be_taken_up_where_it_broke(painted: tuple[str, bytes]) -> None:
    url, data = painted
    etag = fetch(url)[1]["etag"]
    status, headers, first = fetch(url, range="bytes=0-99")
    assert (status, headers["content-range"]) == (206, f"bytes 0-99/{len(data)}")
    status, _, rest = fetch(url, range="bytes=100-", if_range=etag)
    assert (status, first + rest) == (206, data)
    assert fetch(url, range="bytes=100-", if_range='"another"')[::2] == (200, data)
    assert fetch(url, range="bytes=-7")[::2] == (206, data[-7:])
    assert fetch(url, range="bytes=0-1,5-6")[::2] == (200, data)
    status, headers, body = fetch(url, range=f"bytes={len(data)}-")
    assert (status, headers["content-range"], code_of(body)) == (416, f"bytes */{len(data)}", "range_not_satisfiable")


def test_who_has_it_already_is_not_sent_it_again(painted: tuple[str, bytes]) -> None:
    url, _ = painted
    etag = fetch(url)[1]["etag"]
    for method in ("GET", "HEAD"):
        status, headers, body = fetch(url, method, if_none_match=f'"another", W/{etag}')
        assert (status, body, headers["etag"]) == (304, b"", etag)
        assert headers["cache-control"].startswith("private, max-age=")
    assert fetch(url, if_none_match='"another"')[0] == 200


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r"signature=..", "signature=zz"),
        (r"signature=.*", "signature="),
        (r"&signature=.*", ""),
        (r"\?.*", ""),
        (r"expires=\d", "expires=9"),
        (r"expires=", "expires=0"),
        (r"files/..", "files/zz"),
        (r"\.png", ".webp"),
    ],
)
def test_an_altered_url_is_403(painted: tuple[str, bytes], pattern: str, replacement: str) -> None:
    url, _ = painted
    altered = re.sub(pattern, replacement, url)
    assert altered != url
    status, _, body = fetch(altered)
    assert (status, code_of(body)) == (403, "forbidden")


@pytest.mark.parametrize(
    "path",
    [
        "/files/",
        "/files/..",
        "/files/../lock",
        "/files/%2e%2e",
        "/files/%2e%2e%2flock",
        "/files/..%5clock",
        "/files/lock",
        "/files/%2fetc%2fpasswd",
        "/files//etc/passwd",
        "/files/a%00.png",
        "/files/" + "a" * 4000,
    ],
)
@pytest.mark.parametrize("signed", [True, False])
def test_what_names_no_picture_is_404(
    server: ServerProcess, painted: tuple[str, bytes], path: str, signed: bool
) -> None:
    query = "?" + painted[0].partition("?")[2] if signed else ""
    parts = urlsplit(server.url)
    # As it is: other clients would tidy the path.
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request("GET", path + query)
    answer = connection.getresponse()
    assert (answer.status, bool(code_of(answer.read()))) == (404, True)
    connection.close()


def test_a_name_of_nothing_is_404_and_a_forgery_with_a_signature(server: ServerProcess) -> None:
    assert server.get("/files/fox.png")[0] == 404
    assert server.get("/files/fox.png?expires=9999999999&signature=" + "0" * 64)[0] == 403


def test_a_picture_lives_its_time_and_is_410_after_it(tmp_path: Path) -> None:
    directory = tmp_path / "pictures"
    path = settings(tmp_path, '[files]\nttl_seconds = 3\ndirectory = "pictures"')
    with ServerProcess("--demo", "--config", str(path)) as server:
        server.wait_ready()
        url = paint_url(server)
        assert fetch(url)[0] == 200
        until(lambda: fetch(url)[0] != 200, "the end of the picture's time")
        expires = re.search(r"expires=([0-9]+)", url)
        assert expires
        assert time.time() >= int(expires[1])
        status, _, body = fetch(url)
        assert (status, code_of(body)) == (410, "file_expired")
        # By itself: nobody asks for anything meanwhile.
        until(lambda: not list(directory.glob("*.png")), "the picture's deletion")
        assert fetch(url.replace("signature=", "signature=0"))[0] == 403


def test_urls_outlive_a_server_that_is_killed_and_the_directory_is_swept(tmp_path: Path) -> None:
    directory = tmp_path / "pictures"
    path = settings(tmp_path, '[files]\ndirectory = "pictures"')
    with ServerProcess("--demo", "--config", str(path)) as server:
        server.wait_ready()
        urls = [paint_url(server, seed=seed) for seed in range(3)]
        before = [fetch(url)[1:] for url in urls]
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(60)
    secret = directory / "secret"
    assert secret.stat().st_mode & 0o077 == 0
    half = directory / f"{'a' * 32}-9999999999-{'b' * 32}.png.part"
    expired = directory / f"{'c' * 32}-1000000-{'d' * 32}.png"
    others = directory / "fox.png"
    for file in (half, expired, others):
        file.write_bytes(b"half a picture")
    with ServerProcess("--demo", "--config", str(path)) as server:
        until(lambda: not half.exists() and not expired.exists(), "the sweep")
        assert others.exists()
        for url, (headers, data) in zip(urls, before, strict=True):
            status, again, body = fetch(on(server, url))
            assert (status, body, again["etag"]) == (200, data, headers["etag"])
        assert secret.read_bytes().hex() not in "".join(server.stderr)
        # A second server would sweep away what the first one writes.
        command = [sys.executable, "-m", "calotype_runtime", "serve", "--port", "0", "--config", str(path)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 1
        assert re.search(r"calotype: files\.directory .* is used by another server", ended.stderr)
        assert "Traceback" not in ended.stderr
    assert len(list(directory.glob("*.png"))) == 4


def test_without_a_directory_pictures_go_with_the_server(tmp_path: Path) -> None:
    environment = {"TMPDIR": str(tmp_path)}
    with ServerProcess("--demo", environment=environment) as server:
        server.wait_ready()
        paint_url(server)
        [kept] = tmp_path.glob("calotype-pictures-*/*.png")
        assert kept.parent.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob("calotype-pictures-*"))


def test_a_configured_secret_and_a_public_url_hold_for_every_server_and_the_secret_shows_nowhere(
    tmp_path: Path,
) -> None:
    path = settings(
        tmp_path,
        f'public_url = "https://pictures.example"\n[files]\nsecret = "{SECRET}"\ndirectory = "pictures"',
    )
    with ServerProcess("--demo", "--config", str(path)) as server:
        server.wait_ready()
        url = paint_url(server)
        assert url.startswith("https://pictures.example/files/")
    assert not (tmp_path / "pictures" / "secret").exists()
    with ServerProcess("--demo", "--config", str(path)) as server:
        assert fetch(on(server, url))[0] == 200
        assert fetch(on(server, url) + "0")[0] == 403
    assert SECRET not in "".join(server.stderr + server.stdout)


def test_a_disk_that_fails_costs_the_url_alone(tmp_path: Path) -> None:
    path = settings(tmp_path, '[files]\ndirectory = "pictures"')
    directory = tmp_path / "pictures"
    with ServerProcess("--demo", "--config", str(path)) as server:
        server.wait_ready()
        paint_url(server)
        directory.rename(tmp_path / "elsewhere")
        status, answer = server.paint()
        assert (status, [warning["feature"] for warning in answer["warnings"]]) == (200, ["url"])
        assert "b64_json" in answer["data"][0]
        status, answer = server.paint(response_format="url")
        assert (status, answer["error"]["code"]) == (500, "storage_failed")
        assert str(tmp_path) not in answer["error"]["message"]
        assert server.get("/health")[0] == 200


def test_pictures_are_sent_in_pieces_to_whoever_reads_slowly(tmp_path: Path) -> None:
    path = settings(tmp_path, '[files]\ndirectory = "pictures"\n')
    with ServerProcess("--demo", "--config", str(path)) as server:
        server.wait_ready()
        url = paint_url(server)
        [kept] = (tmp_path / "pictures").glob("*.png")
    # A picture of 64 MiB in its place: ten readers of it who do not read take no memory of the server's.
    data = os.urandom(2**20) * 64
    large = kept.with_name(re.sub(r"-[0-9a-f]{32}\.", f"-{hashlib.sha256(data).hexdigest()[:32]}.", kept.name))
    kept.unlink()
    large.write_bytes(data)
    with ServerProcess("--demo", "--config", str(path)) as server:
        server.wait_ready()
        url = on(server, url)
        before = resident_bytes(server)
        parts = urlsplit(url)
        connections = [http.client.HTTPConnection(parts.netloc) for _ in range(10)]
        for connection in connections:
            connection.request("GET", f"{parts.path}?{parts.query}")
        answers = [connection.getresponse() for connection in connections]
        assert [answer.status for answer in answers] == [200] * 10
        assert server.get("/health")[0] == 200
        assert resident_bytes(server) - before < 32 * 2**20
        assert hashlib.sha256(answers[0].read()).digest() == hashlib.sha256(data).digest()
        for connection in connections:
            connection.close()
        assert fetch(url, range="bytes=67108860-")[::2] == (206, data[-4:])


def resident_bytes(server: ServerProcess) -> int:
    text = Path(f"/proc/{server.process.pid}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    path = settings(tmp_path_factory.mktemp("proxied"), 'proxies = ["127.0.0.1"]\nhosts = ["pictures.example"]')
    with ServerProcess("--demo", "--config", str(path)) as server:
        yield server.wait_ready()


def test_urls_have_the_origin_that_a_configured_proxy_shows(proxied: ServerProcess) -> None:
    def asked(**headers: str) -> str:
        body = {"prompt": "a fox", "num_inference_steps": 1, "response_format": "url"}
        status, answer = proxied.post("/v1/images/generations", body, **headers)
        assert status == 200, answer
        return str(answer["data"][0]["url"])

    seen = "https://pictures.example/files/"
    assert asked(x_forwarded_proto="https", x_forwarded_host="pictures.example").startswith(seen)
    assert asked(forwarded='for=192.0.2.1;proto=https;host="pictures.example"').startswith(seen)
    assert asked(x_forwarded_proto="https").startswith(proxied.url.replace("http:", "https:"))
    # A page of that origin is the server's own.
    own = {"x_forwarded_proto": "https", "x_forwarded_host": "pictures.example", "origin": "https://pictures.example"}
    assert asked(**own).startswith(seen)
    assert proxied.send("GET", "/v1/models", x_forwarded_host="evil.example")[0] == 403


def test_nobody_else_is_believed(server: ServerProcess) -> None:
    body = {"prompt": "a fox", "num_inference_steps": 1, "response_format": "url"}
    spoofed = {
        "x_forwarded_proto": "https",
        "x_forwarded_host": "evil.example",
        "forwarded": "proto=https;host=evil.example",
    }
    status, answer = server.post("/v1/images/generations", body, **spoofed)
    assert status == 200
    assert answer["data"][0]["url"].startswith(f"{server.url}/files/")


def test_a_bucket_gives_its_pictures_out_itself_and_gets_rid_of_them(tmp_path: Path) -> None:
    path = settings(tmp_path, '[files]\nbucket = "s3://pictures/calotype"\nttl_seconds = 4')
    with S3Process() as s3:

        def kept() -> bytes:
            with urllib.request.urlopen(f"{s3.url}/pictures?list-type=2") as response:
                return bytes(response.read())

        with ServerProcess("--demo", "--config", str(path), environment=s3.environment) as server:
            server.wait_ready()
            [item] = server.paint()[1]["data"]
            assert item["url"].startswith(f"{s3.url}/pictures/calotype/")
            assert "X-Amz-Signature=" in item["url"]
            status, headers, body = fetch(item["url"])
            assert (status, headers["content-type"]) == (200, "image/png")
            assert body == base64.b64decode(item["b64_json"])
            until(lambda: b"<Key>" not in kept(), "the picture's deletion")
            paint_url(server)
            server.process.send_signal(signal.SIGKILL)
            server.process.wait(60)
            assert b"<Key>" in kept()
        with ServerProcess("--demo", "--config", str(path), environment=s3.environment) as server:
            until(lambda: b"<Key>" not in kept(), "the deletion of what another server has left")
        logged = "".join(server.stderr + server.stdout)
        assert SECRET_KEY not in logged
        assert ACCESS_KEY not in logged


def test_a_bucket_that_is_not_there_costs_the_url_alone_and_is_said_at_the_door(tmp_path: Path) -> None:
    path = settings(tmp_path, '[files]\nbucket = "s3://absent/calotype"')
    with S3Process() as s3, ServerProcess("--demo", "--config", str(path), environment=s3.environment) as server:
        server.wait_ready()
        status, answer = server.paint(response_format="url")
        assert (status, answer["error"]["code"]) == (503, "storage_failed")
        status, answer = server.paint()
        assert (status, [warning["feature"] for warning in answer["warnings"]]) == (200, ["url"])
        assert any("NoSuchBucket" in line for line in server.stderr)
        assert SECRET_KEY not in "".join(server.stderr)


def test_many_readers_at_once_get_the_same_bytes(painted: tuple[str, bytes]) -> None:
    url, data = painted
    answers: list[tuple[int, bytes]] = []
    readers = [threading.Thread(target=lambda: answers.append(fetch(url)[::2])) for _ in range(32)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert answers == [(200, data)] * 32
