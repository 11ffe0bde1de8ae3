"""The demo server that the apps of these tests ask, and the browser that opens them."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from server_process import ServerProcess

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    with ServerProcess("--demo") as process:
        yield process.wait_ready()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless, with a new profile. Of the module: no other loop can run in a thread while Playwright's does."""
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        assert "REQUIRE_CHROMIUM" not in os.environ, "there is no Chromium on PATH, and these tests may not be skipped"
        pytest.skip("no Chromium on PATH: what a visitor sees is not tested")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found[0], args=FLAGS.split())
        yield chromium
        chromium.close()
