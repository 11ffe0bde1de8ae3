"""Fetching over a real connection to the loopback, which these tests allow, and what is refused on the way there."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import PNG
from picture_server import Answer, PictureServer, answer, redirect

from calotype_provider.errors import InvalidCallError
from calotype_runtime.addresses import is_public, literal_address, to_address
from calotype_runtime.image_fetch import URL_CHARACTERS_MAX, PictureFetcher, Resolver, SystemResolver

LOOPBACK = ("127.0.0.1",)


class Names:
    """A resolver that knows some names, and counts what it was asked."""

    def __init__(self, **addresses: Sequence[str]) -> None:
        self._addresses = {name.replace("_", "."): known for name, known in addresses.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._addresses:
            raise OSError("no such name")
        return self._addresses[host]


def fetcher(
    *,
    private_hosts: Sequence[str] = LOOPBACK,
    resolver: Resolver | None = None,
    bytes_max: int = 100_000,
    seconds_max: float = 5.0,
    redirects_max: int = 5,
) -> PictureFetcher:
    return PictureFetcher(
        bytes_max=bytes_max,
        seconds_max=seconds_max,
        redirects_max=redirects_max,
        private_hosts=private_hosts,
        resolver=resolver,
    )


async def test_a_picture_is_fetched_as_it_is() -> None:
    async with PictureServer({"/fox.png?x=%20y": answer(PNG)}) as server, fetcher() as fetching:
        assert await fetching.fetch(server.url("/fox.png?x=%20y"), parameter="images") == PNG


async def test_nothing_of_the_caller_or_the_environment_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    answers: dict[str, Answer] = {"/a": redirect("/b", "set-cookie: crumb=1"), "/b": answer(PNG)}
    names = Names(pictures_test=["127.0.0.1"])
    async with (
        PictureServer(answers) as server,
        fetcher(private_hosts=["pictures.test"], resolver=names) as fetching,
    ):
        assert await fetching.fetch(server.url("/a", host="pictures.test"), parameter="images") == PNG
    for head in server.heads:
        sent = {line.partition(":")[0].lower() for line in head.splitlines()[1:] if line}
        assert sent <= {"host", "accept", "accept-encoding", "user-agent", "connection"}
        assert "accept-encoding: identity" in head.lower()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_redirects_are_followed(status: str) -> None:
    answers: dict[str, Answer] = {"/a/1": redirect("../b", status=status), "/b": answer(PNG)}
    async with PictureServer(answers) as server, fetcher() as fetching:
        assert await fetching.fetch(server.url("/a/1"), parameter="images") == PNG


async def test_five_redirects_are_followed_and_no_sixth() -> None:
    answers: dict[str, Answer] = {f"/{left}": redirect(f"/{left - 1}") for left in range(1, 7)}
    async with PictureServer({**answers, "/0": answer(PNG)}) as server, fetcher() as fetching:
        assert await fetching.fetch(server.url("/5"), parameter="images") == PNG
        with pytest.raises(InvalidCallError, match="more than 5 times"):
            await fetching.fetch(server.url("/6"), parameter="images")


async def test_a_loop_of_redirects_ends() -> None:
    async with PictureServer({"/": redirect("/")}) as server, fetcher() as fetching:
        with pytest.raises(InvalidCallError, match="more than 5 times"):
            await fetching.fetch(server.url(), parameter="images")
    assert server.connections == 6


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:{port}/",
        "http://[::1]:{port}/",
        "//127.0.0.2:{port}/",
        "http://0:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://inside.test:{port}/",
        "http://user:password@127.0.0.1:{port}/b",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "data:image/png;base64,aGk=",
        "javascript:1",
        "http://[::1",
        "",
    ],
)
async def test_a_redirect_is_checked_as_the_first_url_was(location: str) -> None:
    names = Names(inside_test=["127.0.0.1"])
    async with PictureServer({"/b": answer(PNG)}) as server, fetcher(resolver=names) as fetching:
        server.answers["/"] = redirect(location.format(port=server.port))
        with pytest.raises(InvalidCallError) as caught:
            await fetching.fetch(server.url(), parameter="control_image")
    assert caught.value.parameter == "control_image"
    assert server.connections == 1


async def test_one_private_address_among_public_ones_spoils_them_all() -> None:
    names = Names(two_test=["93.184.216.34", "127.0.0.1"], none_test=[], odd_test=["localhost"])
    async with PictureServer() as server, fetcher(resolver=names) as fetching:
        for host in ("two.test", "none.test", "odd.test", "unknown.test"):
            with pytest.raises(InvalidCallError, match="not a public host"):
                await fetching.fetch(server.url(host=host), parameter="images")
    assert server.connections == 0


async def test_a_name_is_asked_once_and_what_it_answered_is_connected_to() -> None:
    class Rebinding:
        def __init__(self) -> None:
            self.answers = iter([["127.0.0.1"], ["127.0.0.9"]])

        async def __call__(self, host: str, port: int) -> Sequence[str]:
            return next(self.answers)

    resolver = Rebinding()
    async with (
        PictureServer({"/": answer(PNG)}) as server,
        fetcher(private_hosts=["pictures.test"], resolver=resolver) as fetching,
    ):
        assert await fetching.fetch(server.url(host="pictures.test"), parameter="images") == PNG
        assert next(resolver.answers) == ["127.0.0.9"]
    assert "host: pictures.test" in server.heads[0].lower()


async def test_each_connection_is_checked_anew() -> None:
    names = Names(pictures_test=["127.0.0.1"])
    answers: dict[str, Answer] = {"/a": redirect("/b"), "/b": answer(PNG)}
    async with (
        PictureServer(answers) as server,
        fetcher(private_hosts=["pictures.test"], resolver=names) as fetching,
    ):
        await fetching.fetch(server.url("/a", host="pictures.test"), parameter="images")
    assert names.asked == ["pictures.test", "pictures.test"]
    assert server.connections == 2


@pytest.mark.parametrize(
    ("listed", "host", "may"),
    [
        ("files.lan", "files.lan", True),
        ("files.lan", "FILES.lan.", True),
        ("Files.LAN", "files.lan", True),
        ("files.lan", "other.lan", False),
        ("127.0.0.1", "files.lan", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.1", False),
        ("127.0.0.1", "[::ffff:127.0.0.1]", False),
    ],
)
async def test_a_private_host_is_allowed_as_it_is_listed(listed: str, host: str, may: bool) -> None:
    names = Names(files_lan=["127.0.0.1"], files_lan_=["127.0.0.1"], other_lan=["127.0.0.1"])
    async with (
        PictureServer({"/": answer(PNG)}) as server,
        fetcher(private_hosts=[listed], resolver=names) as fetching,
    ):
        if may:
            assert await fetching.fetch(server.url(host=host), parameter="images") == PNG
        else:
            with pytest.raises(InvalidCallError):
                await fetching.fetch(server.url(host=host), parameter="images")
    assert server.connections == may


async def test_the_system_resolves_names() -> None:
    async with PictureServer({"/": answer(PNG)}) as server, fetcher(private_hosts=["localhost"]) as fetching:
        assert await fetching.fetch(server.url(host="localhost"), parameter="images") == PNG
    async with PictureServer({"/": answer(PNG)}) as server, fetcher() as fetching:
        with pytest.raises(InvalidCallError, match="not a public host"):
            await fetching.fetch(server.url(host="localhost"), parameter="images")
    assert server.connections == 0
    resolver = SystemResolver()
    assert "127.0.0.1" in await resolver("127.0.0.1", 80)
    resolver.close()


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(bytes(65_536))
        await writer.drain()


async def endless_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-more: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def silence(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


BAD_ANSWERS: dict[str, tuple[Answer, str]] = {
    "too long": (answer(bytes(100_001)), "at most 100000 bytes"),
    "says it is too long": (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "at most 100000 bytes"),
    "endless": (endless, "at most 100000 bytes"),
    "endless, in chunks": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"ffff\r\n" + bytes(65_535) + b"\r\n" * 1,
        "fetched",
    ),
    "an endless head": (endless_head, "fetched"),
    "shorter than it says": (b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + PNG[:100], "fetched"),
    "two lengths": (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!", "fetched"),
    "a length below zero": (b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello", "fetched"),
    "silence": (silence, "did not come in 0.3 s"),
    "drop by drop": (drip, "did not come in 0.3 s"),
    "gzip": (answer(gzip.compress(PNG), "content-encoding: gzip"), "compressed"),
    "an unknown coding": (answer(PNG, "content-encoding: br, x"), "compressed"),
    "not found": (answer(b"secret", status="404 Not Found"), "fetched"),
    "an error": (answer(b"secret", status="500 Oh"), "fetched"),
    "not modified": (answer(b"", status="304 Not Modified"), "fetched"),
    "partial": (answer(PNG, status="206 Partial Content"), "fetched"),
    "nothing": (b"", "fetched"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "fetched"),
    "a head without an end": (b"HTTP/1.1 200 OK\r\ncontent-", "fetched"),
    "a redirect to nowhere": (b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", "nowhere"),
}


@pytest.mark.parametrize(("bad", "complaint"), BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
async def test_a_bad_answer_is_the_callers_error_and_is_not_repeated(bad: Answer, complaint: str) -> None:
    async with PictureServer({"/": bad}) as server, fetcher(seconds_max=0.3) as fetching:
        with pytest.raises(InvalidCallError, match=complaint) as caught:
            await fetching.fetch(server.url(), parameter="mask")
    assert caught.value.parameter == "mask"
    assert not any(word in str(caught.value) for word in ("secret", "404", "500", "SSH", str(server.port)))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Found\r\nlocation: "]),
    st.binary(max_size=60) | st.text(alphabet="\r\n :/\\@[]%.0123456789abcx\u0661\uff11", max_size=30).map(str.encode),
    st.sampled_from(
        [b"", b"\r\n\r\n", b"\r\ncontent-encoding: identity\r\n\r\nfox", b"\r\ntransfer-encoding: chunked\r\n\r\n"]
    ),
)
async def test_any_answer_is_taken_or_refused(head: bytes, middle: bytes, end: bytes) -> None:
    names = Names()
    async with (
        PictureServer({"/": head + middle + end}) as server,
        fetcher(resolver=names, seconds_max=0.3) as fetching,
    ):
        with suppress(InvalidCallError):
            assert len(await fetching.fetch(server.url(), parameter="images")) < 200


async def test_a_port_where_nobody_listens() -> None:
    async with PictureServer() as server:
        url = server.url()
    async with fetcher() as fetching:
        with pytest.raises(InvalidCallError, match="could not be fetched"):
            await fetching.fetch(url, parameter="images")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
async def test_no_certificate_is_taken_on_trust(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=127.0.0.1"
    subprocess.run(
        ["openssl", *options.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    async with PictureServer({"/": answer(PNG)}, tls=tls) as server, fetcher() as fetching:
        with pytest.raises(InvalidCallError, match="could not be fetched"):
            await fetching.fetch(server.url(), parameter="images")
    assert server.heads == []


async def test_cancelling_ends_the_connection() -> None:
    reached = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        reached.set()
        await silence(writer)

    async with PictureServer({"/": hang}) as server, fetcher() as fetching:
        task = asyncio.create_task(fetching.fetch(server.url(), parameter="images"))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.all_gone.wait(), 5)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///fox.png",
        "http://[::1",
        "http://[1.2.3.4]/",
        "http://host:0/",
        "http://host:99999/",
        "http://host:abc/",
        "http://a..b/",
        "http://-/",
        "http://" + "a" * 64 + ".test/",
        "http://" + "a." * 127 + "test/",
        "http://exa mple.test/",
        "http://exa%6dple.test/",
        "http://example.test\\@127.0.0.1/",
        "http://exam\nple.test/",
        "http://example.test/\r\nx-header: 1",
        "http://user@example.test/",
        "http://user:password@example.test/",
        "http://:password@example.test/",
        "http://example.test/" + "x" * URL_CHARACTERS_MAX,
    ],
)
async def test_a_url_that_can_be_read_in_two_ways_is_asked_of_nobody(url: str) -> None:
    names = Names()
    async with fetcher(resolver=names) as fetching:
        with pytest.raises(InvalidCallError):
            await fetching.fetch(url, parameter="images")
    assert names.asked == []


@pytest.mark.parametrize(
    "text",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.255", "169.254.169.254"),
        *("168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1"),
        *("198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:93.184.216.34", "64:ff9b::7f00:1", "64:ff9b:1::1"),
        *("100::1", "2001::1", "2001:0:5ef5:79fd:0:59d:a0e5:ba1", "2001:2::1", "2001:10::1", "2001:db8::1"),
        *("2002:7f00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1"),
        *("2606:4700::5efe:7f00:1", "2606:4700::200:5efe:7f00:1", "2606:4700::1%eth0"),
    ],
)
def test_these_addresses_are_not_public(text: str) -> None:
    assert not is_public(to_address(text))


@pytest.mark.parametrize("text", ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::200e"])
def test_these_addresses_are_public(text: str) -> None:
    assert is_public(to_address(text))


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    kinds = ("private", "loopback", "link_local", "multicast", "reserved", "unspecified")
    assert not is_public(address) or not any(getattr(address, f"is_{kind}") for kind in kinds)


@given(st.ip_addresses(v=4))
def test_no_address_within_an_address_is_public(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    for outer in (
        number,
        0xFFFF << 32 | number,
        0x64FF9B << 96 | number,
        0x2002 << 112 | number << 80,
        0x20010000 << 96,
    ):
        assert not is_public(ipaddress.IPv6Address(outer))


@given(st.ip_addresses(v=4))
def test_only_the_canonical_spelling_is_an_address(address: ipaddress.IPv4Address) -> None:
    assert literal_address(str(address)) == address
    first, second, third, fourth = address.packed
    for spelling in (
        str(int(address)),
        hex(int(address)),
        f"0{int(address):o}",
        f"{first}.{int(address) & 0xFFFFFF}",
        f"{first}.{second}.{third << 8 | fourth}",
        f"0x{first:x}.{second}.{third}.{fourth}",
        f"0{first:03o}.{second}.{third}.{fourth}",
        f"{first}.{second}.{third}.0x{fourth:x}",
        f"{address}.",
    ):
        with pytest.raises(ValueError, match=r".*"):
            literal_address(spelling)
