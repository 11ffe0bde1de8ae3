"""docs/nextjs.md: every snippet is a file of an app that is built, started and asked, as it stands."""

from __future__ import annotations

import base64
import io
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from next_app import ROOT, NextApp, build, new_app
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from server_process import ServerProcess

from calotype_runtime.config import load_settings

DOCUMENT = (ROOT / "docs/nextjs.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", DOCUMENT, re.M | re.S)
#: Of those with a name in their first line, in order; two have the same.
FILES = [(found[1], code) for _, code in BLOCKS if (found := re.match(r"// (\S+)\n", code))]
ROUTES = {"of OpenAI's format": "/api/generate-image", "of calotype-ai-provider": "/ours/api/generate-image"}

LAYOUT = (
    "export default ({ children }: { children: React.ReactNode }) => <html lang='en'><body>{children}</body></html>;\n"
)
CONFIG = "export default { turbopack: { root: new URL('../..', import.meta.url).pathname } };\n"
SECONDS_MAX = 60


def files_of_the_document() -> dict[str, str]:
    files = {"app/layout.tsx": LAYOUT, "next.config.mjs": CONFIG}
    for path, code in FILES:
        files[path if path not in files else path.replace("app/", "app/ours/")] = code
    return files


@pytest.fixture(scope="module")
def app(server: ServerProcess) -> Iterator[NextApp]:
    folder = new_app("docs", files_of_the_document())
    build(folder)
    with NextApp(folder, CALOTYPE_BASE_URL=f"{server.url}/v1") as started:
        yield started


def test_every_block_is_run_by_a_test() -> None:
    assert len(FILES) == 5
    assert {language for language, _ in BLOCKS} == {"ts", "tsx", "sh", "toml"}
    assert len([language for language, _ in BLOCKS if language in ("ts", "tsx")]) == len(FILES)


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
@pytest.mark.parametrize(("aspect_ratio", "size"), [("16:9", (176, 96)), ("1:1", (128, 128))])
def test_the_classic_route_paints(app: NextApp, route: str, aspect_ratio: str, size: tuple[int, int]) -> None:
    status, answer = app.send(route, {"prompt": "a red fox on a blue background", "aspectRatio": aspect_ratio})
    assert status == 200
    assert set(answer) == {"image"}
    with Image.open(io.BytesIO(base64.b64decode(answer["image"]))) as image:
        assert (image.format, image.size) == ("PNG", size)


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_the_classic_page_shows_the_picture(app: NextApp, browser: Browser, route: str) -> None:
    page = browser.new_page()
    # In an app of its own either has the same address.
    page.route("**/api/generate-image", lambda asked: asked.continue_(url=app.url + route))
    page.goto(app.url)
    page.get_by_role("textbox", name="Prompt").fill("a big red apple on a green background")
    page.get_by_role("combobox", name="Aspect ratio").select_option("16:9")
    page.get_by_role("button", name="Generate").click()
    image = page.get_by_role("img", name="What was painted")
    expect(image).to_be_visible(timeout=1000 * SECONDS_MAX)
    size = image.evaluate("async image => { await image.decode(); return [image.naturalWidth, image.naturalHeight] }")
    assert size == [176, 96]
    page.close()


def test_the_guarded_route_asks_who_paints_and_how_much(app: NextApp) -> None:
    body = {"prompt": "a red fox"}
    assert app.send("/api/paint", body)[0] == 401
    assert app.send("/api/paint")[0] == 401
    status, answer = app.send("/api/paint", {"prompt": "x" * 501}, cookie="visitor=ada")
    assert (status, "500" in answer["error"]) == (400, True)
    assert app.send("/api/paint", {**body, "n": 3}, cookie="visitor=ada")[0] == 400
    status, answer = app.send("/api/paint", {**body, "n": 2, "seed": 5}, cookie="visitor=ada")
    assert (status, answer["seed"], [image["seed"] for image in answer["images"]]) == (200, 5, [5, 6])
    status, answer = app.send("/api/paint", cookie="visitor=ada")
    assert (status, [model["id"] for model in answer["models"]]) == (200, ["calotype/tintype"])


def test_the_streaming_page_shows_previews_and_says_where_it_is(app: NextApp, browser: Browser) -> None:
    page = browser.new_page()
    page.context.add_cookies([{"name": "visitor", "value": "ada", "url": app.url}])
    page.goto(f"{app.url}/paint")
    keep_sources(page)
    page.get_by_role("textbox", name="Prompt").fill("a big red apple on a green background")
    page.get_by_role("button", name="Paint").click()
    # 16:9 is 11:6 here, and said.
    expect(page.get_by_role("status")).to_have_text("not exactly as asked", timeout=1000 * SECONDS_MAX)
    kinds = [source.split(";")[0] for source in page.evaluate("sources")]
    assert kinds == ["data:image/jpeg"] * 3 + ["data:image/png"]
    page.close()


def keep_sources(page: Page) -> None:
    """Every address that a picture of the page ever has, in `sources`."""
    page.evaluate(
        """() => {
          window.sources = [];
          const keep = () => document.querySelectorAll('img').forEach(image => {
            if (sources.at(-1) !== image.src) sources.push(image.src);
          });
          new MutationObserver(keep).observe(document.body, { subtree: true, childList: true, attributes: true });
        }"""
    )


def test_the_settings_of_the_gpus_side_are_taken(tmp_path: Path) -> None:
    [toml] = [code for language, code in BLOCKS if language == "toml"]
    assert 'cors_origins = ["https://shop.example"]' in DOCUMENT
    path = tmp_path / "calotype.toml"
    path.write_text('cors_origins = ["https://shop.example"]\n' + toml)
    settings = load_settings(path, {})
    assert (settings.public_url, settings.cors_origins) == ("https://pictures.example", ("https://shop.example",))
    with ServerProcess("--config", str(path), "--host", "127.0.0.1", "--demo") as server:
        request = urllib.request.Request(f"{server.url}/v1/images/generations", method="OPTIONS")
        for name, value in {
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }.items():
            request.add_header(name, value)
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:
            assert answer.headers["access-control-allow-origin"] == "https://shop.example"


def test_the_app_reads_its_two_variables_when_it_is_asked(app: NextApp, tmp_path: Path) -> None:
    [variables] = [code for language, code in BLOCKS if language == "sh"]
    assert re.findall(r"^(\w+)=", variables, re.M) == ["CALOTYPE_BASE_URL", "CALOTYPE_API_KEY"]
    key = re.findall(r"^CALOTYPE_API_KEY=(.*)$", variables, re.M)[0]
    settings = tmp_path / "calotype.toml"
    settings.write_text(f'[keys]\nshop = "{key}"\n')
    body = {"prompt": "a red fox"}
    with ServerProcess("--demo", "--config", str(settings)) as guarded:
        guarded.wait_ready()
        environment = {"CALOTYPE_BASE_URL": f"{guarded.url}/v1", "CALOTYPE_API_KEY": key}
        with NextApp(app.folder, **environment) as started:
            assert started.send("/ours/api/generate-image", body)[0] == 200
            assert started.send("/api/paint", body, cookie="visitor=ada")[0] == 200
        with NextApp(app.folder, **environment | {"CALOTYPE_API_KEY": "mistaken"}) as started:
            status, answer = started.send("/api/paint", body, cookie="visitor=ada")
            assert (status, "mistaken" in answer["error"]) == (500, False)
            assert "mistaken" not in started.log()


def test_the_documents_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", DOCUMENT)
    assert len(pictures) == 4
    assert all((ROOT / "docs" / picture).is_file() for picture in pictures)
