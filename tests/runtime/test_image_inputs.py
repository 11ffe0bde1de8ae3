"""What callers send as a picture: base64 in every spelling, and nothing that has to be fetched or opened."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_provider.errors import InvalidCallError
from calotype_provider.types import ImageFile, ImageModelCall, ImageSource
from calotype_runtime.image_inputs import IMAGE_BYTES_MAX, TEXT_CHARACTERS_MAX, resolve, to_image_file

# Bytes that make every character of both alphabets likely, and need padding.
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b"\xfb\xff\xfe"
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(255, 0, -1))
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(range(100))


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def source(words: str) -> ImageSource:
    return ImageSource(words, "mask")


SPELLINGS = {
    "plain": text(PNG),
    "without padding": text(PNG).rstrip("="),
    "too much padding": text(PNG) + "===",
    "for URLs": base64.urlsafe_b64encode(PNG).decode(),
    "for URLs, without padding": base64.urlsafe_b64encode(PNG).decode().rstrip("="),
    "in lines": base64.encodebytes(PNG).decode(),
    "in Windows lines": base64.encodebytes(PNG).decode().replace("\n", "\r\n"),
    "with spaces around": f"  {text(PNG)}\n",
    "data URI": f"data:image/png;base64,{text(PNG)}",
    "data URI, mislabelled": f"data:text/html;base64,{text(PNG)}",
    "data URI, without a type": f"data:;base64,{text(PNG)}",
    "data URI, with parameters": f"data:image/png;name=fox.png;charset=utf-8;base64,{text(PNG)}",
    "data URI, shouted": f"DATA:IMAGE/PNG;BASE64,{text(PNG)}",
    "data URI, percent-encoded": f"data:image/png;base64,{quote(text(PNG), safe='')}",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_base64_in_every_spelling(spelling: str) -> None:
    assert to_image_file(source(spelling), parameter="mask") == ImageFile(PNG, "image/png")


@pytest.mark.parametrize(("data", "media_type"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")])
def test_the_kind_is_decided_by_the_bytes(data: bytes, media_type: str) -> None:
    assert to_image_file(source(text(data)), parameter="mask").media_type == media_type
    assert to_image_file(ImageFile(data, "image/bmp"), parameter="mask").media_type == media_type


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("", "base64"),
        ("  ", "base64"),
        ("====", "base64"),
        ("a fox!", "base64"),
        ("A", "base64"),
        ("äöü", "base64"),
        ("aGk=aGk=", "base64"),
        ("data:", "base64"),
        ("data:image/png;base64,", "base64"),
        ("data:image/png;base64," + text(PNG)[:-1] + "!", "base64"),
        ("data:image/png;base64,%FF%FF", "base64"),
        ("data:image/svg+xml,<svg/>", "base64"),
        (text(b"GIF89a" + b"\x00" * 20), "PNG, JPEG or WebP"),
        (text(b"RIFF\x00\x00\x00\x00WAVE"), "PNG, JPEG or WebP"),
        (text(b"<svg/>"), "PNG, JPEG or WebP"),
        (text(PNG[:7]), "PNG, JPEG or WebP"),
        ("http://localhost/fox.png", "not fetched"),
        ("HTTPS://169.254.169.254/latest", "not fetched"),
        (" https://example.com/fox.png", "not fetched"),
        ("ftp://example.com/fox.png", "base64"),
        ("file:///etc/passwd", "not opened"),
        ("./fox.png", "not opened"),
        ("C:\\fox.png", "not opened"),
        ("/etc/passwd", "a picture must be"),
        ("/dev/stdin", "a picture must be"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(words: str, complaint: str) -> None:
    with pytest.raises(InvalidCallError, match=complaint) as caught:
        to_image_file(source(words), parameter="images")
    assert caught.value.parameter == "mask"


def test_no_file_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.open", lambda *args, **options: pytest.fail("a file was opened"))
    for words in ("/etc/passwd", "file:///etc/passwd", "fox.png", "~/fox.png"):
        with pytest.raises(InvalidCallError):
            to_image_file(source(words), parameter="mask")


def test_a_picture_at_the_bound_is_taken_and_one_byte_more_is_not() -> None:
    largest = PNG + b"\x00" * (IMAGE_BYTES_MAX - len(PNG))
    assert len(to_image_file(source(text(largest)), parameter="mask").data) == IMAGE_BYTES_MAX
    assert len(to_image_file(ImageFile(largest, ""), parameter="mask").data) == IMAGE_BYTES_MAX
    for too_large in (source(text(largest + b"\x00")), ImageFile(largest + b"\x00", "")):
        with pytest.raises(InvalidCallError, match="at most 10485760 bytes"):
            to_image_file(too_large, parameter="mask")


def test_a_text_beyond_its_bound_is_not_even_decoded() -> None:
    padded = " " * (TEXT_CHARACTERS_MAX - len(text(PNG))) + text(PNG)
    assert to_image_file(source(padded), parameter="mask").data == PNG
    with pytest.raises(InvalidCallError, match="at most"):
        to_image_file(source(" " + padded), parameter="mask")


async def test_every_picture_of_a_call_is_resolved(executor: ThreadPoolExecutor) -> None:
    call = ImageModelCall(
        prompt="a fox",
        images=(ImageSource(text(PNG), "images"), ImageFile(JPEG, "application/octet-stream")),
        mask=ImageSource(text(WEBP), "mask"),
        control_image=ImageFile(PNG, ""),
    )
    resolved = await resolve(call, executor=executor)
    assert resolved.images == (ImageFile(PNG, "image/png"), ImageFile(JPEG, "image/jpeg"))
    assert resolved.mask == ImageFile(WEBP, "image/webp")
    assert resolved.control_image == ImageFile(PNG, "image/png")
    assert resolved.prompt == "a fox"


async def test_a_call_without_pictures_is_left_alone(executor: ThreadPoolExecutor) -> None:
    call = ImageModelCall(prompt="a fox")
    assert await resolve(call, executor=executor) is call


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        (ImageModelCall(prompt="a", images=(ImageFile(b"", "image/png"),)), "images"),
        (ImageModelCall(prompt="a", mask=ImageFile(b"GIF89a", "image/png")), "mask"),
        (ImageModelCall(prompt="a", control_image=ImageFile(b"x", "image/png")), "control_image"),
        (ImageModelCall(prompt="a", images=(ImageSource("!", "input_images"),)), "input_images"),
    ],
)
async def test_a_bad_picture_names_its_parameter(
    executor: ThreadPoolExecutor, call: ImageModelCall, parameter: str
) -> None:
    with pytest.raises(InvalidCallError) as caught:
        await resolve(call, executor=executor)
    assert caught.value.parameter == parameter


@given(st.text() | st.text(alphabet="ABCabc019+/-_= \ndata:;base64,%2"))
def test_any_text_is_a_picture_or_refused(words: str) -> None:
    with pytest.raises(InvalidCallError):
        to_image_file(source(words), parameter="mask")


@given(st.binary(max_size=60), st.sampled_from(["standard", "for URLs"]), st.booleans())
def test_what_was_encoded_comes_back(rest: bytes, alphabet: str, padded: bool) -> None:
    data = b"\xff\xd8\xff" + rest
    words = (base64.b64encode if alphabet == "standard" else base64.urlsafe_b64encode)(data).decode()
    assert to_image_file(source(words if padded else words.rstrip("=")), parameter="mask").data == data
