"""The example app as its visitors have it: a real browser, the app as `make` builds it, a real server with tintype.

`DOCS_PICTURES=docs/pictures` keeps the screenshots there; without it they go to the test's own folder.
"""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from next_app import CLIENTS, EXAMPLE, ROOT, NextApp
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Locator, Page, expect
from server_process import ServerProcess, until

APPLE = "a big red apple on a green background"
#: In a demo tintype paints for it, which each answer says.
STAND_IN = "black-forest-labs/FLUX.1-dev"
GREEN, BLUE, YELLOW = (70, 170, 80), (50, 110, 220), (250, 220, 70)
#: As far as a named colour of tintype's may be off, of 255.
DISTANCE_MAX = 60
MILLISECONDS_MAX = 60_000
GALLERY_PICTURES_MAX = 24
AXE = CLIENTS / "node_modules/axe-core/axe.min.js"

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def app(server: ServerProcess) -> Iterator[NextApp]:
    with NextApp(EXAMPLE, CALOTYPE_BASE_URL=f"{server.url}/v1") as started:
        yield started


@pytest.fixture
def open_page(app: NextApp, browser: Browser) -> Iterator[OpenPage]:
    """A visitor who has never been here. Whatever the browser complains of fails the test."""
    contexts, complaints = [], []

    def opened(url: str = app.url, **options: Any) -> Page:
        context = browser.new_context(reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MILLISECONDS_MAX)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    # A refusal is shown to the visitor; the browser notes it too.
    assert [text for text in complaints if "the server responded with a status of" not in text] == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page()


def prompt(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Prompt", exact=True)


def result(page: Page) -> Locator:
    return page.get_by_role("region", name="Result")


def gallery(page: Page) -> Locator:
    return page.get_by_role("list", name="Gallery").get_by_role("listitem")


def paint(page: Page, text: str) -> Image.Image:
    """What was painted, seen in the page."""
    prompt(page).fill(text)
    page.get_by_role("button", name="Paint", exact=True).click()
    return seen(finished(page, text))


def finished(page: Page, text: str) -> Locator:
    """The first picture of a painting that is done: all of it, though others of it may have been first."""
    image = result(page).get_by_role("img", name=text, exact=True).first
    image.wait_for()
    expect(page.get_by_role("progressbar")).to_have_count(0, timeout=MILLISECONDS_MAX)
    result(page).get_by_role("button", name="Same seed again").first.wait_for()
    return image


def seen(image: Locator) -> Image.Image:
    """The pixels that the browser has of a picture, as large as it is."""
    data: str = image.evaluate(
        """async image => {
          await image.decode();
          const canvas = document.createElement('canvas');
          [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
          canvas.getContext('2d').drawImage(image, 0, 0);
          return canvas.toDataURL('image/png');
        }"""
    )
    return Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGB")


def distance(picture: Image.Image, place: tuple[int, int], colour: tuple[int, int, int]) -> int:
    got = picture.getpixel(place)
    assert isinstance(got, tuple)
    return max(abs(one - other) for one, other in zip(got, colour, strict=True))


def set_steps(page: Page, steps: int) -> None:
    details = page.locator("details.more")
    if details.get_attribute("open") is None:
        page.get_by_text("More settings").click()
    page.get_by_role("slider", name="Steps").fill(str(steps))


def choose(page: Page, group: str, name: str) -> None:
    page.get_by_role("radiogroup", name=group).get_by_role("radio", name=name, exact=True).check()


def apple_file(server: ServerProcess, folder: Path) -> Path:
    """An apple on blue, painted by the server."""
    body = {"prompt": "a big red apple on a blue background", "seed": 3, "response_format": "b64_json"}
    status, answer = server.post("/v1/images/generations", body)
    assert status == 200
    path = folder / "apple.png"
    path.write_bytes(base64.b64decode(answer["data"][0]["b64_json"]))
    return path


def engine(server: ServerProcess) -> dict[str, Any]:
    state: dict[str, Any] = server.get("/v1/engine")[1]
    return state


def test_previews_are_seen_before_the_picture(page: Page) -> None:
    prompt(page).fill(APPLE)
    page.evaluate(
        """() => {
          window.seen = [];
          const keep = () => document.querySelectorAll('#result img').forEach(image => {
            const kind = image.alt.startsWith('Preview of ') ? 'preview' : 'picture';
            if (seen.at(-1)?.source !== image.src) seen.push({ kind, source: image.src });
          });
          new MutationObserver(keep).observe(document.body, { subtree: true, childList: true, attributes: true });
        }"""
    )
    page.get_by_role("button", name="Paint", exact=True).click()
    picture = seen(finished(page, APPLE))
    kinds = [each["kind"] for each in page.evaluate("seen")]
    assert kinds[:3] == ["preview"] * 3
    assert set(kinds[3:]) == {"picture"}
    assert picture.size == (128, 128)
    for corner in ((3, 3), (124, 3), (3, 124), (124, 124)):
        assert distance(picture, corner, GREEN) < DISTANCE_MAX
    red, green, _ = picture.getpixel((64, 76))  # type: ignore[misc]
    assert red > green + 60


def test_cancelling_stops_the_device(page: Page, server: ServerProcess) -> None:
    until(lambda: engine(server)["running"] == 0, "an idle engine")
    before = engine(server)["steps_done"]
    set_steps(page, 50)
    choose(page, "Pictures", "4")
    prompt(page).fill(APPLE)
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    until(lambda: engine(server)["steps_done"] > before, "the first step")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    until(lambda: engine(server)["running"] == 0, "the engine to stop")
    # The step that was under way is counted when it is done.
    page.wait_for_timeout(500)
    stopped = engine(server)["steps_done"]
    assert stopped - before < 4 * 50
    page.wait_for_timeout(1000)
    assert engine(server)["steps_done"] == stopped
    expect(page.get_by_text("Cancelled.")).to_have_count(1)


def test_a_picture_is_uploaded_and_edited(page: Page, server: ServerProcess, tmp_path: Path) -> None:
    page.get_by_label("Add a picture").set_input_files(apple_file(server, tmp_path))
    page.get_by_role("slider", name="Strength").fill("1")
    picture = paint(page, "a big red apple on a yellow background")
    assert distance(picture, (3, 3), YELLOW) < DISTANCE_MAX


def test_what_the_brush_leaves_out_stays_as_it_was(page: Page, server: ServerProcess, tmp_path: Path) -> None:
    path = apple_file(server, tmp_path)
    page.get_by_label("Add a picture").set_input_files(path)
    page.get_by_role("button", name="Paint a mask").click()
    brush = page.get_by_role("application", name="Mask brush")
    box = brush.bounding_box()
    assert box
    page.get_by_role("slider", name="Brush size").fill("30")
    for across in (0.7, 0.85, 0.97):
        page.mouse.move(box["x"] + across * box["width"], box["y"])
        page.mouse.down()
        page.mouse.move(box["x"] + across * box["width"], box["y"] + box["height"] - 1, steps=4)
        page.mouse.up()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text(re.compile("% of it is painted anew"))).to_be_visible()
    picture = paint(page, "a big yellow star on a yellow background")
    given = Image.open(path).convert("RGB")
    difference = ImageChops.difference(picture, given)
    assert difference.crop((0, 0, 48, 128)).getbbox() is None
    assert difference.crop((96, 0, 112, 128)).getbbox() is not None


def test_everything_goes_by_keyboard(page: Page, server: ServerProcess, tmp_path: Path) -> None:
    focused = focus_on(page, "Prompt")
    page.keyboard.type(APPLE)
    expect(focused).to_have_value(APPLE)
    focus_on(page, "Paint")
    page.keyboard.press("Enter")
    finished(page, APPLE)
    focus_on(page, "Use as input")
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="Pictures given").get_by_role("listitem")).to_have_count(1)
    focus_on(page, "Paint a mask")
    page.keyboard.press("Enter")
    focus_on(page, "Mask brush")
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    focus_on(page, "Done")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text(re.compile(r"^[1-9]\d* % of it is painted anew"))).to_be_visible()
    focus_on(page, "Prompt")
    page.keyboard.press("Control+Enter")
    expect(gallery(page)).to_have_count(2)


def focus_on(page: Page, name: str) -> Locator:
    """Tab until what has the focus goes by that name, and can be seen to have it."""
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count() and accessible_name(focused) == name:
            # What is painted over, or shown by its label, is framed there.
            assert focused.evaluate(
                """element => [element, element.parentElement].some(
                     shown => getComputedStyle(shown).outlineStyle !== 'none')"""
            ), f"the focus on {name} cannot be seen"
            return focused
    raise AssertionError(f"no key leads to {name}")


def accessible_name(element: Locator) -> str:
    name: str = element.evaluate(
        """element => element.getAttribute('aria-label')
             ?? (element.labels?.[0]?.innerText ?? element.innerText ?? '').trim()"""
    )
    return name


def test_the_gallery_keeps_the_last_pictures(page: Page) -> None:
    set_steps(page, 1)
    choose(page, "Pictures", "4")
    for number in range(7):
        prompt(page).fill(f"a fox, number {number}")
        page.get_by_role("button", name="Paint", exact=True).click()
        finished(page, f"a fox, number {number}")
    expect(gallery(page)).to_have_count(GALLERY_PICTURES_MAX)
    page.reload()
    expect(gallery(page)).to_have_count(GALLERY_PICTURES_MAX)
    images = gallery(page).get_by_role("img")
    expect(images).to_have_count(GALLERY_PICTURES_MAX)
    names = [image.get_attribute("alt") for image in images.all()]
    assert names[0] == "a fox, number 6"
    assert "a fox, number 0" not in names
    gallery(page).first.get_by_role("button", name="Delete").click()
    expect(gallery(page)).to_have_count(GALLERY_PICTURES_MAX - 1)


def test_the_same_seed_paints_the_same_again(page: Page) -> None:
    first = paint(page, APPLE)
    result(page).get_by_role("button", name="Same seed again").click()
    seed = page.get_by_role("textbox", name="Seed")
    expect(seed).to_have_value(re.compile(r"^\d+$"))
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(gallery(page)).to_have_count(2)
    assert ImageChops.difference(first, seen(finished(page, APPLE))).getbbox() is None
    page.get_by_role("button", name="New each time").click()
    assert ImageChops.difference(first, paint(page, APPLE)).getbbox() is not None


def test_a_picture_of_the_gallery_is_where_the_next_one_starts(page: Page) -> None:
    paint(page, APPLE)
    gallery(page).first.get_by_role("button", name="Use as input").click()
    given = page.get_by_role("list", name="Pictures given").get_by_role("listitem")
    expect(given).to_have_count(1)
    page.get_by_role("slider", name="Strength").fill("0.15")
    # So little freedom leaves the picture what it was, whatever the words.
    assert distance(paint(page, "a big star on a blue background"), (3, 3), GREEN) < DISTANCE_MAX


def test_the_shape_is_chosen(page: Page) -> None:
    choose(page, "Aspect ratio", "16:9")
    assert paint(page, APPLE).size == (176, 96)
    expect(page.get_by_role("list", name="Notes")).to_have_count(0)


def test_warnings_are_in_plain_words(page: Page) -> None:
    page.get_by_role("combobox", name="Model").select_option(STAND_IN)
    paint(page, APPLE)
    note = page.get_by_role("list", name="Notes").get_by_role("listitem")
    expect(note).to_contain_text("calotype/tintype")
    assert not re.search(r"compatibility|feature|_", note.inner_text())


def test_what_is_refused_is_said_where_it_is(page: Page) -> None:
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(prompt(page)).to_be_focused()
    expect(prompt(page)).to_have_attribute("aria-invalid", "true")
    prompt(page).fill(APPLE)
    page.get_by_role("textbox", name="Seed").fill("seven")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_role("textbox", name="Seed")).to_be_focused()


def test_a_file_that_is_no_picture_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    page.get_by_label("Add a picture").set_input_files(path)
    expect(page.get_by_role("region", name="Start from a picture").get_by_role("alert")).not_to_be_empty()


def test_an_app_without_its_server_says_so(open_page: OpenPage) -> None:
    with NextApp(EXAMPLE, CALOTYPE_BASE_URL="http://127.0.0.1:9/v1") as alone:
        page = open_page(alone.url)
        expect(page.get_by_role("alert").first).to_contain_text(re.compile("reach", re.I))
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        assert "127.0.0.1" not in page.locator("body").inner_text()


LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 360, "height": 740},
        "device_scale_factor": 2,
        "has_touch": True,
        "is_mobile": True,
    },
}


@pytest.mark.parametrize("look", LOOKS)
def test_every_state_is_for_everybody(open_page: OpenPage, server: ServerProcess, tmp_path: Path, look: str) -> None:
    page = open_page(**LOOKS[look])
    expect(prompt(page)).to_be_visible()
    check(page, "empty")
    path = apple_file(server, tmp_path)
    for text in ("a red fox on a blue background", "a big dog on a green background"):
        paint(page, text)
    page.get_by_role("combobox", name="Model").select_option(STAND_IN)
    paint(page, APPLE)
    expect(page.get_by_role("list", name="Notes")).to_be_visible()
    check(page, "painted, with a note")
    page.get_by_role("combobox", name="Model").select_option("calotype/tintype")
    page.get_by_role("textbox", name="Seed").fill("seven")
    page.get_by_role("button", name="Paint", exact=True).click()
    check(page, "refused")
    page.get_by_role("textbox", name="Seed").fill("")
    page.get_by_label("Add a picture").set_input_files(path)
    page.get_by_role("button", name="Paint a mask").click()
    brush = page.get_by_role("application", name="Mask brush")
    if look == "phone":
        brush.tap()
    else:
        brush.click()
    check(page, "masking")
    screenshot(page, f"nextjs-mask-{look}", tmp_path)
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name=re.compile("^Remove ")).click()
    set_steps(page, 50)
    prompt(page).fill("a red fox on a blue background")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_role("img", name=re.compile("^Preview of "))).to_be_visible()
    screenshot(page, f"nextjs-{look}", tmp_path)
    check(page, "painting")
    page.get_by_role("button", name="Cancel").click()
    check(page, "cancelled")


def check(page: Page, state: str) -> None:
    """No violations of what axe-core knows, and nothing that reaches out of the window."""
    # By the protocol: the page's own policy lets in no scripts but its own.
    page.evaluate(AXE.read_text())
    violations = page.evaluate("axe.run(document).then(result => result.violations)")
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in violations] == [], state
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{state}: scrolls sideways"


def screenshot(page: Page, name: str, folder: Path) -> None:
    chosen = os.environ.get("DOCS_PICTURES")
    page.screenshot(path=(ROOT / chosen if chosen else folder) / f"{name}.png")
