"""The attack list: URLs that must reach nothing, and files that must cost nothing. Each is a 400 in under two seconds.

A real listener waits on the loopback under every address that the URLs could mean; nobody may come.
"""

from __future__ import annotations

import asyncio
import base64
import struct
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest
from picture_files import (
    END,
    JPEG,
    PNG,
    PNG_SIGNATURE,
    WEBP,
    canvas,
    chunk,
    header,
    noise,
    opened,
    pixels,
    png,
    riff,
    saved,
    segment,
    zeros,
)
from picture_server import PictureServer, answer, redirect

from calotype_provider.errors import InvalidCallError
from calotype_provider.types import ImageFile, ImageModelCall, ImageSource
from calotype_runtime.image_inputs import PictureReader, PictureSettings

SECONDS_MAX = 2.0
GROWTH_BYTES_MAX = 300 * 2**20
TRUSTED = "redirecting.test"
"""Allowed to be on the loopback, so that what it redirects to is what is tested."""

ADDRESSES = {
    TRUSTED: ["127.0.0.1"],
    "public-and-private.test": ["93.184.216.34", "127.0.0.1"],
    "private-and-public.test": ["10.0.0.1", "93.184.216.34"],
    "ten.test": ["10.0.0.1"],
    "carrier.test": ["100.64.0.1"],
    "link-local.test": ["169.254.169.254"],
    "zone.test": ["fe80::1%lo"],
    "six.test": ["::1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "compatible.test": ["::127.0.0.1"],
    "nat64.test": ["64:ff9b::7f00:1"],
    "six-to-four.test": ["2002:7f00:1::"],
    "teredo.test": ["2001:0:7f00:1::80ff:fffe"],
    "unique.test": ["fd00:ec2::254"],
    "any.test": ["0.0.0.0"],
    "any-six.test": ["::"],
    "multicast.test": ["224.0.0.1"],
    "broadcast.test": ["255.255.255.255"],
    "azure.test": ["168.63.129.16"],
    "words.test": ["localhost"],
    "nowhere.test": [],
}


async def resolver(host: str, port: int) -> Sequence[str]:
    """The worst there can be: all other names, and whatever else it is asked, are this machine."""
    return ADDRESSES.get(host, ["127.0.0.1"])


HOSTS = [
    *(name for name in ADDRESSES if name != TRUSTED),
    # Names.
    *(
        "localhost",
        "LOCALHOST",
        "localhost.",
        "localhost.localdomain",
        "a.localhost",
        "ip6-localhost",
        "127.0.0.1.nip.io",
    ),
    *("metadata", "metadata.google.internal", "metadata.google.internal.", "instance-data", "kubernetes.default.svc"),
    *("host.docker.internal", "router.local", "xn--localhost-", "_", "0x", "localhost%00.example.com"),
    # The loopback in every notation.
    *("127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.127.127.127", "2130706433", "017700000001", "0x7f000001"),
    *("0x7F.0x0.0x0.0x1", "0177.0.0.1", "0177.0.0.01", "00000177.0.0.1", "127.0.0.0x1", "127.0x1", "0x7f.1"),
    *("127.00.00.01", "127.0.0.1.0", "4294967296.127", "18446744071562067969", "-1", "127.0.0.256", "1e3"),
    *("0", "0.0.0.0", "00", "0.0", "0x0", "0000", "[::]", "[::0]"),
    *("[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::1%lo]", "[::1%25lo]", "[fe80::1%25lo]", "[fe80::1]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]"),
    *("[64:ff9b::127.0.0.1]", "[64:ff9b:1::127.0.0.1]", "[2002:7f00:1::]", "[2001:0:7f00:1::80ff:fffe]"),
    *("[fd00:ec2::254]", "[fc00::1]", "[fec0::1]", "[ff02::1]", "[100::1]", "[2606:4700::5efe:7f00:1]"),
    *("[::1", "::1", "[::1]]", "[[::1]]", "[127.0.0.1]", "[localhost]", "[v1.127.0.0.1]", "[:::1]", "[]"),
    # Other networks, and metadata.
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "192.0.0.192", "198.18.0.1", "240.0.0.1", "224.0.0.1"),
    *("169.254.169.254", "169.254.169.254.", "2852039166", "0xA9FEA9FE", "0251.0376.0251.0376", "169.254.43518"),
    *("[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "100.100.100.200", "168.63.129.16"),
    # Letters that are folded to others.
    *("①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1", "127．0．0．1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "ｌocalhost", "١٢٧.٠.٠.١"),  # noqa: RUF001
    *("loc\u00adalhost", "local\u200bhost", "127.0.0.\u200b1", "\u202e1.0.0.721"),
    # What some read as a user, and some as a host.
    *(
        "example.com@127.0.0.1",
        "example.com:80@127.0.0.1",
        "127.0.0.1@example.com",
        "a:b@localhost",
        "@",
        ":@127.0.0.1",
    ),
    *("127.0.0.1\\@example.com", "example.com\\@127.0.0.1", "127.0.0.1%23@example.com", "127.0.0.1 @example.com"),
    *(
        "127%2e0%2e0%2e1",
        "%31%32%37.0.0.1",
        "127.0.0.1%00",
        "127.0.0.1\t",
        "127.0.0.1\n",
        "\n127.0.0.1",
        "exa mple.com",
    ),
    *(
        "127.0.0.1,example.com",
        "127.0.0.1;example.com",
        "$(hostname)",
        "*",
        "..",
        ".",
        "-",
        "a..b",
        "a" * 64,
        "a." * 200,
    ),
]

URLS = [
    *(f"http://{host}:{{port}}/fox.png" for host in HOSTS),
    # Everything but a host.
    *("http://127.0.0.1:{port}#@example.com/", "http://127.0.0.1:{port}?@example.com/", "http://localhost:{port}"),
    *("HTTP://127.0.0.1:{port}/", "  http://127.0.0.1:{port}/", "\thttp://127.0.0.1:{port}/\n"),
    *("http:127.0.0.1:{port}/", "http:/127.0.0.1:{port}/", "http:///127.0.0.1:{port}/", "http:\\\\127.0.0.1:{port}\\"),
    *(
        "//127.0.0.1:{port}/",
        "127.0.0.1:{port}/fox.png",
        "localhost:{port}/fox.png",
        "http://",
        "https://",
        "http://:{port}/",
    ),
    *("https://127.0.0.1:{port}/", "https://localhost:{port}/", "https://169.254.169.254/latest/meta-data/"),
    *("http://127.0.0.1:0/", "http://127.0.0.1:-1/", "http://127.0.0.1:65536/", "http://127.0.0.1:{port}x/"),
    *("http://127.0.0.1:{port}/\r\nhost: example.com", "http://localhost:{port}/" + "x" * 100_000),
    # Other schemes.
    *("file:///etc/passwd", "file://localhost/etc/passwd", "FILE:///etc/passwd", "file:/etc/passwd", "file:etc/passwd"),
    *(
        "ftp://127.0.0.1:{port}/",
        "gopher://127.0.0.1:{port}/_GET",
        "dict://127.0.0.1:{port}/",
        "ldap://127.0.0.1:{port}/",
    ),
    *(
        "ws://127.0.0.1:{port}/",
        "unix:///var/run/docker.sock",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
        "jar:http://x!/",
    ),
    *("javascript:alert(1)", "about:blank", "blob:http://127.0.0.1:{port}/", "view-source:http://127.0.0.1:{port}/"),
    *("url:http://127.0.0.1:{port}/", "http://127.0.0.1:{port}/,http://127.0.0.1:{port}/", "smb://127.0.0.1/share"),
    *(
        "/etc/passwd",
        "../../../etc/passwd",
        "~/.ssh/id_rsa",
        "/proc/self/environ",
        "\\\\127.0.0.1\\share",
        "C:\\boot.ini",
    ),
    *("data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>", "data:text/html,<img src=http://127.0.0.1/>"),
    "data:image/svg+xml;base64," + base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode(),
    "data:image/png;base64,http://127.0.0.1:{port}/",
]

REDIRECTS = [
    *("http://127.0.0.1:{port}/", "http://localhost:{port}/", "//127.0.0.1:{port}/", "http://[::1]:{port}/"),
    *("http://2130706433:{port}/", "http://0x7f.1:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://0:{port}/"),
    *("http://169.254.169.254/latest/meta-data/", "http://metadata.google.internal/", "http://ten.test/", "https://six.test/"),
    *("http://user:password@redirecting.test:{port}/fox.png", "http://①②⑦.0.0.1:{port}/", "\\\\127.0.0.1:{port}\\"),
    *("file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "data:image/png;base64,aGk=", "/again", ""),
]  # fmt: skip


@asynccontextmanager
async def reading() -> AsyncIterator[PictureReader]:
    pictures = PictureSettings(fetch_seconds_max=1.0, private_hosts=(TRUSTED,))
    with ThreadPoolExecutor(2) as executor:
        reader = PictureReader(pictures, executor=executor, resolver=resolver)
        try:
            yield reader
        finally:
            await reader.aclose()


async def refused(reader: PictureReader, image: ImageFile | ImageSource) -> None:
    began = time.monotonic()
    with pytest.raises(InvalidCallError) as caught:
        await reader.resolve(ImageModelCall(prompt="a fox", images=(image,)))
    assert caught.value.parameter == "images"
    assert len(str(caught.value)) < 300
    assert time.monotonic() - began < SECONDS_MAX


@pytest.mark.parametrize("url", URLS, ids=lambda url: ascii(url)[:60])
async def test_a_hostile_url_reaches_nobody(url: str) -> None:
    async with PictureServer({"/fox.png": answer(PNG), "/": answer(PNG)}) as listener, reading() as reader:
        await refused(reader, ImageSource(url.replace("{port}", str(listener.port)), "images"))
    assert listener.connections == 0


@pytest.mark.parametrize("location", REDIRECTS, ids=ascii)
async def test_a_hostile_redirect_reaches_nobody(location: str) -> None:
    async with PictureServer({"/": answer(PNG)}) as listener, PictureServer() as server, reading() as reader:
        to = location.replace("{port}", str(listener.port)).encode().decode("latin-1")
        server.answers = {"/start": redirect(to), "/again": redirect("/again")}
        await refused(reader, ImageSource(server.url("/start", host=TRUSTED), "images"))
    assert listener.connections == 0


def _animated(kind: str, count: int = 2) -> bytes:
    frames = [noise(8, 8).rotate(90 * turn) for turn in range(count)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


def _interlaced(rows: bytes) -> bytes:
    return png(chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 5, 8, 0, 0, 0, 1)), pixels(rows), END)


def _wrong(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def _jpeg_of(width: int, height: int) -> bytes:
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:at] + struct.pack(">HH", height, width) + JPEG[at + 4 :]


def _jpeg_with_scans(count: int) -> bytes:
    data = saved(noise(), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + b"\xff\xd9"


def _lossless_of(width: int, height: int) -> bytes:
    return b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(20)


def _lossy_of(width: int, height: int) -> bytes:
    return WEBP[20:26] + struct.pack("<HH", width, height) + WEBP[30:]


VP8 = (b"VP8 ", WEBP[20:])

FILES: dict[str, Callable[[], bytes]] = {
    "PNG of 50000x50000": lambda: png(header(50_000, 50_000), chunk(b"IDAT", zeros(2**24)), END),
    "PNG of 4 billion a side": lambda: png(header(2**32 - 1, 2**32 - 1), pixels(b""), END),
    "PNG of a little too many pixels": lambda: png(header(6000, 4195), pixels(b""), END),
    "PNG of one long row": lambda: png(header(24_000_000, 1), pixels(b""), END),
    "PNG without width": lambda: png(header(0, 5), pixels(b""), END),
    "PNG without height": lambda: png(header(5, 0), pixels(b""), END),
    "PNG whose header has a wrong checksum": lambda: _wrong(PNG, 30),
    "PNG whose pixels have a wrong checksum": lambda: _wrong(PNG, len(PNG) - 14),
    "PNG with pixels that were changed": lambda: _wrong(PNG, 200),
    "PNG cut off": lambda: PNG[: len(PNG) // 2],
    "PNG without its end": lambda: PNG[:-12],
    "PNG of a signature": lambda: PNG_SIGNATURE,
    "PNG with too few pixels": lambda: png(header(100, 100), pixels(bytes(301)), END),
    "PNG with one row too few": lambda: png(header(100, 100), pixels(bytes(99 * 301)), END),
    "PNG with one byte too few, interlaced": lambda: _interlaced(bytes(20 + 46)),
    "PNG with one byte too many": lambda: png(header(100, 100), pixels(bytes(100 * 301 + 1)), END),
    "PNG of two gigabytes": lambda: png(header(100, 100), chunk(b"IDAT", zeros(2**31)), END),
    "PNG without pixels": lambda: png(header(1, 1), END),
    "PNG that begins with pixels": lambda: png(pixels(bytes(4)), header(1, 1), END),
    "PNG of two headers": lambda: png(header(1, 1), header(9000, 9000), pixels(bytes(4)), END),
    "PNG of a palette without one": lambda: png(header(1, 1, colours=3), pixels(bytes(2)), END),
    "PNG of a palette too large": lambda: png(
        header(1, 1, colours=3), chunk(b"PLTE", bytes(99_999)), pixels(b"\0\0"), END
    ),
    "PNG of 7 bits": lambda: png(header(1, 1, bits=7), pixels(bytes(4)), END),
    "PNG of no colours": lambda: png(header(1, 1, colours=5), pixels(bytes(4)), END),
    "PNG that is deflated wrongly": lambda: png(header(9, 9), chunk(b"IDAT", b"\xff" * 99), END),
    "PNG of Apple's own": lambda: png(chunk(b"CgBI", b"\x50\0\x20\2"), PNG[8:]),
    "PNG of 100,000 pieces": lambda: png(header(1, 1), *[chunk(b"tEXt", b"a\0b")] * 100_000, pixels(bytes(4)), END),
    "PNG of a piece of 4 billion bytes": lambda: png(header(1, 1), b"\xff\xff\xff\xffIDAT"),
    "APNG": lambda: _animated("PNG"),
    "APNG of one frame": lambda: png(
        header(1, 1), chunk(b"acTL", bytes([0, 0, 0, 1] + 4 * [0])), pixels(bytes(4)), END
    ),
    "JPEG of 65535x65535": lambda: _jpeg_of(65_535, 65_535),
    "JPEG of a little too many pixels": lambda: _jpeg_of(6000, 4195),
    "JPEG without height": lambda: _jpeg_of(60, 0),
    "JPEG without width": lambda: _jpeg_of(0, 40),
    "JPEG of more than there is": lambda: _jpeg_of(4000, 4000)[:-2],
    "JPEG cut off": lambda: JPEG[: len(JPEG) // 2],
    "JPEG without its end": lambda: JPEG[:-2],
    "JPEG of three bytes": lambda: b"\xff\xd8\xff",
    "JPEG of two frames": lambda: JPEG[:2] + JPEG[JPEG.index(b"\xff\xc0") :][:19] + JPEG[2:],
    "JPEG of 100,000 scans": lambda: _jpeg_with_scans(100_000),
    "JPEG of 33 scans": lambda: _jpeg_with_scans(23),
    "JPEG of a million segments": lambda: JPEG[:2] + segment(0xFE, b"") * 1_000_000 + JPEG[2:],
    "JPEG of filling": lambda: b"\xff\xd8" + b"\xff" * 9_000_000,
    "JPEG of filling in a scan": lambda: JPEG[:-2] + b"\xff" * 9_000_000,
    "JPEG of a segment without length": lambda: JPEG[:2] + b"\xff\xe1\0\0" + JPEG[2:],
    "JPEG of 12 bits": lambda: JPEG.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"),
    "animated WebP": lambda: _animated("WEBP"),
    "animated WebP that hides it": lambda: riff(canvas(60, 40), (b"ANIM", bytes(6)), VP8),
    "WebP that says it is animated": lambda: riff(canvas(60, 40, flags=2), VP8),
    "WebP cut off": lambda: WEBP[: len(WEBP) // 2],
    "WebP cut off, whose length was set right": lambda: riff((b"VP8 ", WEBP[20 : len(WEBP) // 2])),
    "WebP that says it is longer": lambda: riff(VP8, length=2**32 - 1),
    "WebP that says it is shorter": lambda: riff(VP8, length=40),
    "WebP of a small canvas and a large picture": lambda: riff(canvas(10, 10), (b"VP8L", _lossless_of(16_384, 16_384))),
    "WebP of a large canvas and a small picture": lambda: riff(canvas(16_384, 16_384), VP8),
    "WebP of 16384x16384": lambda: riff((b"VP8L", _lossless_of(16_384, 16_384))),
    "WebP of 16383x16383": lambda: riff((b"VP8 ", _lossy_of(16_383, 16_383))),
    "WebP of more than there is": lambda: riff((b"VP8 ", _lossy_of(4000, 4000))),
    "WebP without width": lambda: riff((b"VP8 ", _lossy_of(0, 40))),
    "WebP of two pictures": lambda: riff(VP8, VP8),
    "WebP of both kinds": lambda: riff(VP8, (b"VP8L", _lossless_of(60, 40))),
    "WebP of nothing": lambda: riff(),
    "WebP of a canvas": lambda: riff(canvas(60, 40)),
    "WebP of a picture that is no first one": lambda: riff((b"VP8 ", b"\x01" + WEBP[21:])),
    "WebP of a million pieces": lambda: riff(*[(b"XXXX", b"")] * 1_000_000, VP8),
    "WAV": lambda: b"RIFF\x24\0\0\0WAVEfmt " + bytes(28),
    "SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "SVG behind white space": lambda: b"\xef\xbb\xbf \n<?xml version='1.0'?><svg/>",
    "XML of a billion laughs": lambda: b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><svg>&b;</svg>',
    "gzipped SVG": lambda: b"\x1f\x8b\x08\0" + bytes(20),
    "GIF": lambda: saved(noise(mode="P"), "GIF"),
    "animated GIF": lambda: _animated("GIF"),
    "BMP": lambda: saved(noise(), "BMP"),
    "TIFF": lambda: saved(noise(), "TIFF"),
    "ICO": lambda: saved(noise(), "ICO"),
    "JPEG 2000": lambda: saved(noise(), "JPEG2000"),
    "AVIF": lambda: b"\0\0\0\x20ftypavif" + bytes(100),
    "HEIC": lambda: b"\0\0\0\x20ftypheic" + bytes(100),
    "JPEG XL": lambda: b"\xff\x0a" + bytes(100),
    "PDF": lambda: b"%PDF-1.7\n" + JPEG,
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
    "HTML": lambda: b"<!DOCTYPE html><img src=http://127.0.0.1/>",
    "HTML before a PNG": lambda: b"<script>" + PNG,
    "ZIP": lambda: b"PK\x03\x04" + bytes(100),
    "executable": lambda: b"\x7fELF" + bytes(100),
    "nothing": lambda: b"",
    "zeros": lambda: bytes(1000),
}


@cache
def bomb_beside(name: bytes) -> bytes:
    """A PNG of a few pixels, and two gigabytes of zeros that somebody might unpack."""
    return png(PNG[8:33], chunk(name, b"x\0\0" + zeros(2**31)), PNG[33:])


HARMLESS: dict[str, Callable[[], bytes]] = {
    "a colour profile of two gigabytes": lambda: bomb_beside(b"iCCP"),
    "a text of two gigabytes": lambda: bomb_beside(b"zTXt"),
    "pixels of two gigabytes in a private piece": lambda: bomb_beside(b"idAT"),
    "eight megabytes of text": lambda: png(PNG[8:33], chunk(b"tEXt", bytes(8 * 2**20)), PNG[33:]),
    "eight megabytes of EXIF": lambda: JPEG[:2] + segment(0xE1, b"Exif\0\0MM\0*" + b"\xff" * 65_000) * 128 + JPEG[2:],
    "colour profiles of eight megabytes": lambda: (
        JPEG[:2]
        + b"".join(segment(0xE2, b"ICC_PROFILE\0" + bytes([at, 128]) + bytes(65_000)) for at in range(128))
        + JPEG[2:]
    ),
    "a film behind a JPEG": lambda: JPEG + b"\xff\xda" * 4_000_000,
    "a ZIP behind a PNG": lambda: PNG + b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("make", FILES.values(), ids=FILES.keys())
async def test_a_hostile_file_is_refused(make: Callable[[], bytes]) -> None:
    async with reading() as reader:
        await refused(reader, ImageFile(make(), "image/png"))


@pytest.mark.parametrize("make", HARMLESS.values(), ids=HARMLESS.keys())
async def test_what_is_beside_the_pixels_is_not_unpacked(make: Callable[[], bytes]) -> None:
    data = make()
    async with reading() as reader:
        began = time.monotonic()
        image = (await reader.resolve(ImageModelCall(prompt="a fox", images=(ImageFile(data, ""),)))).images[0]
        assert time.monotonic() - began < SECONDS_MAX
    assert isinstance(image, ImageFile)
    assert opened(image.data).info == {}
    assert len(image.data) < 20_000


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the process's memory from Linux")
async def test_the_whole_list_takes_little_memory() -> None:
    files = [make() for make in (*FILES.values(), *HARMLESS.values())]
    async with reading() as reader:
        # What the first picture loads, stays.
        await reader.resolve(ImageModelCall(prompt="a fox", images=(ImageFile(PNG, ""),)))
        Path("/proc/self/clear_refs").write_text("5")
        before = _memory("VmRSS")
        for data in files:
            await asyncio.gather(
                reader.resolve(ImageModelCall(prompt="a fox", images=(ImageFile(data, ""),))), return_exceptions=True
            )
        for url in URLS:
            await refused(reader, ImageSource(url.replace("{port}", "9"), "images"))
    assert _memory("VmHWM") - before < GROWTH_BYTES_MAX


def test_the_lists_are_long_enough() -> None:
    assert len(URLS) + len(REDIRECTS) >= 40
    assert len(FILES) >= 20


def _memory(name: str) -> int:
    """VmRSS, what the process has now, or VmHWM, the most it had; in bytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
