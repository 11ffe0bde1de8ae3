"""Fetches pictures from URLs that callers name, and from nowhere that they must not reach. Looks at no picture."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from calotype_provider.errors import InvalidCallError
from calotype_runtime.addresses import is_public, literal_address, to_address

URL_CHARACTERS_MAX = 8192
FETCHES_AT_ONCE_MAX = 32
RESOLVER_THREADS = 8
ADDRESSES_MAX = 64
SHOWN_CHARACTERS_MAX = 80

_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {"accept": "image/png, image/jpeg, image/webp", "accept-encoding": "identity", "user-agent": "calotype"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Resolver(Protocol):
    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host, as texts. Raises OSError when there are none."""


class SystemResolver:
    """Asks the system, in threads of its own: a slow name server holds up nothing else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="resolver")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [str(address[0]) for *_, address in found]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class PictureFetcher:
    """One session without cookies, proxies or credentials. Made and closed in a running event loop."""

    def __init__(
        self,
        *,
        bytes_max: int,
        seconds_max: float,
        redirects_max: int,
        private_hosts: Collection[str] = (),
        resolver: Resolver | None = None,
    ) -> None:
        self._bytes_max = bytes_max
        self._seconds_max = seconds_max
        self._redirects_max = redirects_max
        self._private_hosts = frozenset(map(_normal_host, private_hosts))
        self._system = SystemResolver()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_CheckedResolver(resolver or self._system, self._private_hosts),
                # A kept answer or connection would outlive its check.
                use_dns_cache=False,
                force_close=True,
                limit=FETCHES_AT_ONCE_MAX,
            ),
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
        )

    async def __aenter__(self) -> PictureFetcher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._session.close()
        self._system.close()

    async def fetch(self, text: str, *, parameter: str) -> bytes:
        """What the URL gives, redirects followed. Raises InvalidCallError; cancelling ends the connection."""
        try:
            async with asyncio.timeout(self._seconds_max):
                return await self._follow(text)
        except TimeoutError as error:
            message = f"the picture did not come in {self._seconds_max:g} s"
            raise InvalidCallError(message, parameter=parameter) from error
        except _RefusedError as error:
            raise InvalidCallError(str(error), parameter=parameter) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # What went wrong is not told: it would say what listens where.
            raise InvalidCallError("the picture could not be fetched", parameter=parameter) from error

    async def _follow(self, text: str) -> bytes:
        url = self._checked(text)
        for _ in range(self._redirects_max + 1):
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await self._body(response)
                url = self._checked(_joined(url, response.headers.get("location", "")))
        raise _RefusedError(f"the picture's URL is redirected more than {self._redirects_max} times")

    def _checked(self, text: str | URL) -> URL:
        """Every URL passes here before it is asked, a redirect's too. Raises _RefusedError."""
        url = _parsed(text)
        host = url.raw_host or ""
        try:
            address = literal_address(host)
        except ValueError as error:
            raise _RefusedError(f"{_shown(host)} is neither a host's name nor an address") from error
        # A literal never comes to the resolver: aiohttp connects to it as it is.
        if address is not None and _normal_host(host) not in self._private_hosts and not is_public(address):
            raise _not_public(host)
        return url

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        host = response.url.raw_host or ""
        if response.status != 200:
            told = "" if _normal_host(host) in self._private_hosts else f": {_shown(host)} answered {response.status}"
            raise _RefusedError(f"the picture could not be fetched{told}")
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise _RefusedError("the picture came compressed once more, which was not asked for")
        if (response.content_length or 0) > self._bytes_max:
            raise self._too_large()
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._bytes_max:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> _RefusedError:
        return _RefusedError(f"a picture must have at most {self._bytes_max} bytes")


class _RefusedError(Exception):
    """Why a picture is not fetched, fit for the caller."""


class _CheckedResolver(AbstractResolver):
    """Asks once for each connection, and gives what was checked to the one that connects."""

    def __init__(self, resolver: Resolver, private_hosts: Collection[str]) -> None:
        self._resolver = resolver
        self._private_hosts = private_hosts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        try:
            found = list(dict.fromkeys(await self._resolver(host, port)))[:ADDRESSES_MAX]
            addresses = [to_address(text) for text in found]
        except (OSError, ValueError) as error:
            raise _not_public(host) from error
        # One that is not public spoils the rest: which of them is used is not for the name's owner to choose.
        if not addresses or (_normal_host(host) not in self._private_hosts and not all(map(is_public, addresses))):
            raise _not_public(host)
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


def _not_public(host: str) -> _RefusedError:
    # The same for a name that does not exist and for one that must not be reached, lest it tell which names there are.
    return _RefusedError(f"{_shown(host)} is not a public host: nothing is fetched from others")


def _parsed(text: str | URL) -> URL:
    shape = "a picture's URL must look like 'https://host/path', without user or password"
    if len(str(text)) > URL_CHARACTERS_MAX:
        raise _RefusedError(f"a picture's URL must have at most {URL_CHARACTERS_MAX} characters")
    # yarl leaves out what it finds of these, and reads the rest as if they had not been there.
    if isinstance(text, str) and _CONTROL.search(text):
        raise _RefusedError(shape)
    try:
        url = URL(text)
    except ValueError as error:
        raise _RefusedError(shape) from error
    if url.scheme not in ("http", "https") or not url.raw_host or not url.port:
        raise _RefusedError(shape)
    if url.user is not None or url.password is not None:
        raise _RefusedError(shape)
    return url


def _joined(url: URL, location: str) -> URL:
    if not location or _CONTROL.search(location):
        raise _RefusedError("the picture's URL is redirected to nowhere")
    try:
        return url.join(URL(location))
    except ValueError as error:
        raise _RefusedError("the picture's URL is redirected to what is no URL") from error


def _normal_host(host: str) -> str:
    host = host.lower().strip("[]").removesuffix(".")
    try:
        return str(to_address(host))
    except ValueError:
        return host


def _shown(host: str) -> str:
    return repr(host[:SHOWN_CHARACTERS_MAX])
