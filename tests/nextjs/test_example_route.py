"""The example app's route, built the three ways that Next.js has, against a real server with tintype."""

from __future__ import annotations

import base64
import http.client
import io
import json
import re
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from next_app import EXAMPLE, NextApp, build, copy_of_example
from PIL import Image
from server_process import ServerProcess, until

ROUTE = "/api/generate-image"
ROUTE_FILE = "app/api/generate-image/route.ts"
FOX = {"prompt": "a red fox on a blue background", "numInferenceSteps": 4}
SECONDS_MAX = 120


def plain() -> Path:
    """`make` builds it, as a newcomer would."""
    return EXAMPLE


def edge() -> Path:
    folder = copy_of_example("edge")
    route = folder / ROUTE_FILE
    route.write_text(route.read_text() + "\nexport const runtime = 'edge';\n")
    assert "Edge Runtime is deprecated" in build(folder)
    return folder


def cache_components() -> Path:
    folder = copy_of_example("cache-components")
    config = folder / "next.config.ts"
    text = config.read_text()
    config.write_text(
        text.replace("const nextConfig: NextConfig = {", "const nextConfig: NextConfig = {\n  cacheComponents: true,")
    )
    assert config.read_text() != text
    build(folder)
    return folder


@pytest.fixture(scope="module", params=[plain, edge, cache_components], ids=lambda make: make.__name__)
def app(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[NextApp]:
    with NextApp(request.param(), CALOTYPE_BASE_URL=f"{server.url}/v1") as started:
        yield started


def steps_done(server: ServerProcess) -> int:
    done: int = server.get("/v1/engine")[1]["steps_done"]
    return done


def opened(image: dict[str, Any]) -> Image.Image:
    picture = Image.open(io.BytesIO(base64.b64decode(image["base64"])))
    assert Image.MIME[picture.format or ""] == image["mediaType"]
    return picture.convert("RGB")


def background(picture: Image.Image) -> tuple[int, ...]:
    colour = picture.getpixel((2, 2))
    assert isinstance(colour, tuple)
    return colour


def test_pictures_come_with_their_seeds(app: NextApp) -> None:
    status, answer = app.send(ROUTE, {**FOX, "n": 2, "seed": 7, "numInferenceSteps": 20})
    assert status == 200
    assert set(answer) == {"image", "images", "seed", "warnings"}
    assert (answer["seed"], [image["seed"] for image in answer["images"]]) == (7, [7, 8])
    assert answer["image"] == answer["images"][0]["base64"]
    assert answer["warnings"] == []
    for image in answer["images"]:
        red, green, blue = background(opened(image))
        assert blue > red + 60, (red, green, blue)


def test_what_was_not_done_as_asked_is_said(app: NextApp) -> None:
    status, answer = app.send(ROUTE, {**FOX, "aspectRatio": "16:9"})
    assert (status, opened(answer["images"][0]).size) == (200, (176, 96))
    assert [warning["feature"] for warning in answer["warnings"]] == ["aspectRatio"]


def test_the_models_are_told_with_their_cards_and_not_those_of_build_time(app: NextApp, server: ServerProcess) -> None:
    before = len(server.records())
    status, answer = app.send(ROUTE)
    assert status == 200
    [tintype] = [model for model in answer["models"] if model["id"] == "calotype/tintype"]
    assert tintype["card"]["defaultSize"] == "128x128"
    until(lambda: len(server.records()) > before, "the server's record of being asked")


@pytest.mark.parametrize(
    ("body", "status", "parameter"),
    [
        ({}, 400, "prompt"),
        ({"prompt": 7}, 400, "prompt"),
        ({**FOX, "size": "enormous"}, 400, "size"),
        ({**FOX, "n": 1000}, 400, "n"),
        ({**FOX, "style": "vivid"}, 400, "style"),
        ({**FOX, "numInferenceSteps": 5000}, 400, "numInferenceSteps"),
        ({**FOX, "image": "http://127.0.0.1/fox.png"}, 400, "image"),
        ({**FOX, "model": "nobody/nothing"}, 404, "model"),
    ],
)
def test_what_is_wrong_is_named(app: NextApp, body: dict[str, Any], status: int, parameter: str) -> None:
    got, answer = app.send(ROUTE, body)
    assert (got, answer.get("parameter")) == (status, parameter), answer
    assert re.search(rf"\b{parameter}\b", answer["error"])


def test_a_form_of_another_site_is_refused(app: NextApp) -> None:
    assert app.send(ROUTE, FOX, content_type="text/plain")[0] == 415


def test_a_picture_is_told_of_while_it_is_painted(app: NextApp) -> None:
    parts = [
        json.loads(line.removeprefix("data: "))
        for line in stream(app, {**FOX, "prompt": f"a fox of {app.folder.name}", "seed": 11, "previews": 2})
    ]
    kinds = [part["type"] for part in parts]
    assert kinds.count("progress") == 4
    assert kinds.count("preview") == 2
    assert kinds[-2:] == ["image", "finish"]
    assert opened(parts[-2]["image"]).size == (128, 128)
    assert parts[-2]["metadata"]["seed"] == 11


def test_what_fails_before_the_first_part_has_its_status(app: NextApp) -> None:
    status, answer = app.send(ROUTE, {**FOX, "size": "enormous"}, accept="text/event-stream")
    assert (status, answer["parameter"]) == (400, "size")


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_who_leaves_stops_the_device(app: NextApp, server: ServerProcess, accept: str) -> None:
    until(lambda: server.get("/v1/engine")[1]["running"] == 0, "an idle engine")
    connection, _ = ask(app, {"prompt": "a red fox", "numInferenceSteps": 50, "n": 4}, accept)
    before = steps_done(server)
    until(lambda: steps_done(server) > before, "the first steps")
    connection.close()
    until(lambda: server.get("/v1/engine")[1]["running"] == 0, "the engine to stop")
    assert steps_done(server) - before < 4 * 50


def test_an_app_whose_server_is_gone_says_so_and_names_no_host(server: ServerProcess) -> None:
    with NextApp(EXAMPLE, CALOTYPE_BASE_URL="http://127.0.0.1:9/v1") as started:
        for status, answer in (started.send(ROUTE, FOX), started.send(ROUTE)):
            assert status == 502
            assert "127.0.0.1" not in answer["error"]


def ask(app: NextApp, body: dict[str, Any], accept: str) -> tuple[http.client.HTTPConnection, bytes]:
    address = urllib.parse.urlsplit(app.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=SECONDS_MAX)
    data = json.dumps(body).encode()
    connection.request("POST", ROUTE, data, {"content-type": "application/json", "accept": accept})
    return connection, data


def stream(app: NextApp, body: dict[str, Any]) -> list[str]:
    connection, _ = ask(app, body, "text/event-stream")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    lines = answer.read().decode().split("\n\n")
    connection.close()
    return [line for line in lines if line.startswith("data: ")]


def test_the_apps_own_tests_pass() -> None:
    vitest = EXAMPLE / "node_modules/vitest/vitest.mjs"
    done = subprocess.run(["node", vitest, "run"], cwd=EXAMPLE, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == 0, done.stdout + done.stderr
