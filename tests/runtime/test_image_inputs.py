"""What callers send as a picture: base64 in every spelling, URLs, uploads, and their bounds together."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import END, JPEG, PNG, WEBP, chunk, header, noise, opened, pixels, png, saved
from picture_server import Answer, PictureServer, answer

from calotype_provider.errors import ConfigError, InvalidCallError
from calotype_provider.types import ImageFile, ImageModelCall, ImageSource, Size
from calotype_runtime.config import Settings, load_settings
from calotype_runtime.image_inputs import PictureReader, PictureSettings

LOOPBACK = PictureSettings(private_hosts=("127.0.0.1",), fetch_seconds_max=5.0)


@asynccontextmanager
async def reading(picture_settings: PictureSettings = LOOPBACK) -> AsyncIterator[PictureReader]:
    with ThreadPoolExecutor(2) as executor:
        reader = PictureReader(picture_settings, executor=executor)
        try:
            yield reader
        finally:
            await reader.aclose()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def source(words: str) -> ImageSource:
    return ImageSource(words, "mask")


def call(*images: ImageFile | ImageSource) -> ImageModelCall:
    return ImageModelCall(prompt="a fox", images=images)


async def resolved(words: str, picture_settings: PictureSettings = LOOPBACK) -> ImageFile:
    async with reading(picture_settings) as reader:
        image = (await reader.resolve(call(source(words)))).images[0]
    assert isinstance(image, ImageFile)
    return image


# Bytes that make every character of both alphabets likely, and a length that needs padding.
SPELLED = png(header(8, 1), chunk(b"prIv", bytes(range(256)) + b"\xfb\xff\xfe"), pixels(b"\0" + bytes(range(24))), END)

SPELLINGS = {
    "plain": text(SPELLED),
    "without padding": text(SPELLED).rstrip("="),
    "too much padding": text(SPELLED) + "===",
    "for URLs": base64.urlsafe_b64encode(SPELLED).decode(),
    "for URLs, without padding": base64.urlsafe_b64encode(SPELLED).decode().rstrip("="),
    "in lines": base64.encodebytes(SPELLED).decode(),
    "in Windows lines": base64.encodebytes(SPELLED).decode().replace("\n", "\r\n"),
    "with spaces around": f"  {text(SPELLED)}\n",
    "data URI": f"data:image/png;base64,{text(SPELLED)}",
    "data URI, mislabelled": f"data:text/html;base64,{text(SPELLED)}",
    "data URI, without a type": f"data:;base64,{text(SPELLED)}",
    "data URI, with parameters": f"data:image/png;name=fox.png;charset=utf-8;base64,{text(SPELLED)}",
    "data URI, shouted": f"DATA:IMAGE/PNG;BASE64,{text(SPELLED)}",
    "data URI, percent-encoded": f"data:image/png;base64,{quote(text(SPELLED), safe='')}",
    "data URI, percent-encoded in lower case": f"data:;base64,{quote(text(SPELLED), safe='').replace('%2B', '%2b')}",
    "data URI, in lines, after a space": f" data:image/png;base64,\n{base64.encodebytes(SPELLED).decode()}",
}


def test_the_spelled_picture_needs_every_character() -> None:
    assert len(SPELLED) % 3
    assert {"+", "/", "="} < set(text(SPELLED))


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
async def test_base64_in_every_spelling(spelling: str) -> None:
    image = await resolved(spelling)
    assert (image.media_type, image.size) == ("image/png", Size(8, 1))
    assert opened(image.data).tobytes() == bytes(range(24))


@pytest.mark.parametrize("data", [PNG, JPEG, WEBP], ids=["PNG", "JPEG", "WebP"])
async def test_the_kind_is_decided_by_the_bytes(data: bytes) -> None:
    assert (await resolved(f"data:image/gif;base64,{text(data)}")).size == Size(60, 40)
    async with reading() as reader:
        assert (await reader.resolve(call(ImageFile(data, "image/bmp")))).images == ((await resolved(text(data))),)


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
        ("data:image/svg+xml;base64," + text(b"<svg/>"), "PNG, JPEG or WebP"),
        (text(b"GIF89a" + b"\x00" * 20), "PNG, JPEG or WebP"),
        (text(b"RIFF\x00\x00\x00\x00WAVE"), "PNG, JPEG or WebP"),
        (text(PNG[:7]), "PNG, JPEG or WebP"),
        ("ftp://example.com/fox.png", "https"),
        ("gopher://example.com/fox.png", "https"),
        ("http:/fox.png", "https"),
        ("https:", "https"),
        ("file:///etc/passwd", "not opened"),
        ("file:fox.png", "not opened"),
        ("./fox.png", "not opened"),
        ("../../etc/passwd", "not opened"),
        ("~/fox.png", "not opened"),
        ("C:\\fox.png", "not opened"),
        ("\\\\server\\fox.png", "not opened"),
        ("/etc/passwd", "a picture must be"),
        ("/dev/stdin", "a picture must be"),
        ("//127.0.0.1/fox", "a picture must be"),
    ],
)
async def test_what_is_no_picture_is_refused_by_name(words: str, complaint: str) -> None:
    with pytest.raises(InvalidCallError, match=complaint) as caught:
        await resolved(words)
    assert caught.value.parameter == "mask"


async def test_no_file_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    await resolved(text(PNG))
    monkeypatch.setattr("builtins.open", lambda *args, **options: pytest.fail("a file was opened"))
    for words in ("/etc/passwd", "file:///etc/passwd", "fox.png", "~/fox.png"):
        with pytest.raises(InvalidCallError):
            await resolved(words)


async def test_a_picture_at_the_bound_is_taken_and_one_byte_more_is_not() -> None:
    bounded = PictureSettings(bytes_max=len(PNG))
    assert (await resolved(text(PNG), bounded)).size == Size(60, 40)
    with pytest.raises(InvalidCallError, match=f"at most {len(PNG)} bytes"):
        await resolved(text(PNG + b"\0"), bounded)
    async with reading(bounded) as reader:
        with pytest.raises(InvalidCallError, match=f"at most {len(PNG)} bytes"):
            await reader.resolve(call(ImageFile(PNG + b"\0", "image/png")))


async def test_a_text_beyond_its_bound_is_not_even_decoded() -> None:
    bounded = PictureSettings(bytes_max=len(PNG))
    padded = " " * (3 * len(PNG) - len(text(PNG))) + text(PNG)
    assert (await resolved(padded, bounded)).size == Size(60, 40)
    with pytest.raises(InvalidCallError, match="at most"):
        await resolved(" " + padded, bounded)


async def test_the_bytes_of_all_pictures_are_bounded_together() -> None:
    bounded = PictureSettings(request_bytes_max=2 * len(PNG))
    async with reading(bounded) as reader:
        assert len((await reader.resolve(call(*[ImageFile(PNG, "")] * 2))).images) == 2
        with pytest.raises(InvalidCallError, match=f"at most {2 * len(PNG)} bytes together"):
            await reader.resolve(call(*[ImageFile(PNG, "")] * 3))


async def test_the_pixels_of_all_pictures_are_bounded_together_before_any_is_decoded() -> None:
    megapixel = png(header(1000, 1000), pixels(bytes(1000 * 3001)), END)
    broken = png(header(1000, 1000), pixels(b""), END)
    bounded = PictureSettings(request_megapixels_max=2)
    async with reading(bounded) as reader:
        assert len((await reader.resolve(call(*[ImageFile(megapixel, "")] * 2))).images) == 2
        for images in ([megapixel] * 3, [broken] * 3):
            with pytest.raises(InvalidCallError, match="at most 2 megapixels together"):
                await reader.resolve(call(*(ImageFile(image, "") for image in images)))


async def test_every_picture_of_a_call_is_resolved() -> None:
    mask = saved(noise(mode="L"), "PNG")
    asked = ImageModelCall(
        prompt="a fox",
        images=(ImageSource(text(PNG), "images"), ImageFile(JPEG, "application/octet-stream")),
        mask=ImageSource(text(mask), "mask"),
        control_image=ImageFile(WEBP, ""),
    )
    async with reading() as reader:
        answered = await reader.resolve(asked)
        assert answered.images == (await resolved(text(PNG)), await resolved(text(JPEG)))
        assert answered.control_image == await resolved(text(WEBP))
    assert isinstance(answered.mask, ImageFile)
    assert opened(answered.mask.data).mode == "RGBA"
    assert answered.prompt == "a fox"


async def test_a_call_without_pictures_is_left_alone() -> None:
    async with reading() as reader:
        asked = ImageModelCall(prompt="a fox")
        assert await reader.resolve(asked) is asked


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        (ImageModelCall(prompt="a", images=(ImageFile(b"", "image/png"),)), "images"),
        (ImageModelCall(prompt="a", mask=ImageFile(b"GIF89a", "image/png")), "mask"),
        (ImageModelCall(prompt="a", control_image=ImageFile(b"x", "image/png")), "control_image"),
        (ImageModelCall(prompt="a", images=(ImageSource("!", "input_images"),)), "input_images"),
        (ImageModelCall(prompt="a", images=(ImageSource("http://127.0.0.1:1/", "input_images"),)), "input_images"),
        (ImageModelCall(prompt="a", images=(ImageFile(PNG, ""), ImageSource(text(PNG[:99]), "second"))), "second"),
    ],
)
async def test_a_bad_picture_names_its_parameter(asked: ImageModelCall, parameter: str) -> None:
    async with reading() as reader:
        with pytest.raises(InvalidCallError) as caught:
            await reader.resolve(asked)
    assert caught.value.parameter == parameter


async def test_pictures_are_fetched_and_keep_their_order() -> None:
    small = [saved(noise(width, 3), "PNG") for width in range(1, 9)]
    answers: dict[str, Answer] = {f"/{width}": answer(data) for width, data in enumerate(small, 1)}
    async with PictureServer(answers) as server, reading() as reader:
        asked = call(*(ImageSource(f" {server.url(f'/{width}')}\n", "images") for width in range(1, 9)))
        images = (await reader.resolve(asked)).images
        assert [image.size for image in images if isinstance(image, ImageFile)] == [Size(w, 3) for w in range(1, 9)]
        assert await reader.resolve(asked) == msgspec.structs.replace(asked, images=images)
    assert server.connections == 16


async def test_only_some_pictures_of_a_call_are_fetched_at_once() -> None:
    arrived, go = asyncio.Semaphore(0), asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        arrived.release()
        await go.wait()
        writer.write(answer(PNG))

    async with PictureServer({"/": wait}) as server, reading() as reader:
        task = asyncio.create_task(reader.resolve(call(*[source(server.url())] * 6)))
        for _ in range(4):
            await arrived.acquire()
        go.set()
        await task
    assert server.open_most == 4


async def test_what_is_too_large_together_is_not_fetched_to_the_end() -> None:
    async with (
        PictureServer({"/": answer(PNG)}) as server,
        reading(msgspec.structs.replace(LOOPBACK, request_bytes_max=len(PNG) + 1)) as reader,
    ):
        with pytest.raises(InvalidCallError, match="together"):
            await reader.resolve(call(*[source(server.url())] * 16))
    assert server.connections < 16


async def test_with_one_that_fails_the_others_are_cancelled() -> None:
    reached = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        reached.set()
        await asyncio.Event().wait()

    async def fail(writer: asyncio.StreamWriter) -> None:
        await reached.wait()
        writer.write(answer(b"", status="404 Not Found"))

    async with PictureServer({"/hang": hang, "/fail": fail}) as server, reading() as reader:
        asked = call(source(server.url("/hang")), ImageSource(server.url("/fail"), "second"))
        async with asyncio.timeout(2):
            with pytest.raises(InvalidCallError) as caught:
                await reader.resolve(asked)
            assert caught.value.parameter == "second"
            await server.all_gone.wait()


async def test_cancelling_a_call_stops_its_fetches() -> None:
    arrived = asyncio.Semaphore(0)

    async def hang(writer: asyncio.StreamWriter) -> None:
        arrived.release()
        await asyncio.Event().wait()

    async with PictureServer({"/": hang}) as server, reading() as reader:
        task = asyncio.create_task(reader.resolve(call(*[source(server.url())] * 3)))
        for _ in range(3):
            await arrived.acquire()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.all_gone.wait(), 2)


async def test_urls_can_be_refused() -> None:
    async with PictureServer({"/": answer(PNG)}) as server:
        with pytest.raises(InvalidCallError, match="fetches nothing"):
            await resolved(server.url(), msgspec.structs.replace(LOOPBACK, fetch=False))
    assert server.connections == 0


async def test_by_default_this_machine_is_not_fetched_from() -> None:
    async with PictureServer({"/": answer(PNG)}) as server:
        with pytest.raises(InvalidCallError, match="not a public host"):
            await resolved(server.url(), PictureSettings())
    assert server.connections == 0


def test_the_settings_take_private_hosts_as_names() -> None:
    assert load_settings(None, {}, pictures=PictureSettings(private_hosts=("files.lan", "::1"))).pictures.private_hosts
    for host in ("", "http://files.lan", "10.0.0.0/8"):
        with pytest.raises(ConfigError, match="private_hosts"):
            load_settings(None, {}, pictures=PictureSettings(private_hosts=(host,)))
    with pytest.raises(msgspec.ValidationError, match="private_host"):
        msgspec.toml.decode(b"[pictures]\nprivate_host = ['files.lan']", type=Settings)


@settings(max_examples=50, deadline=None)
@given(st.text() | st.text(alphabet="ABCabc019+/-_= \ndata:;base64,%2"))
async def test_any_text_is_a_picture_or_refused(words: str) -> None:
    with pytest.raises(InvalidCallError):
        await resolved(words)


@settings(max_examples=50, deadline=None)
@given(
    st.binary(max_size=60),
    st.sampled_from([base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes]),
    st.booleans(),
    st.sampled_from(["", "data:;base64,", "data:image/webp;base64,", "DATA:;BASE64,"]),
)
async def test_what_was_encoded_comes_back(rest: bytes, encode: object, padded: bool, head: str) -> None:
    assert callable(encode)
    data = png(header(1, 1), chunk(b"prIv", rest), pixels(b"\0\1\2\3"), END)
    words = encode(data).decode()
    image = await resolved(head + (words if padded else words.replace("=", "")))
    assert opened(image.data).tobytes() == b"\1\2\3"
