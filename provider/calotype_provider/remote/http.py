"""JSON over HTTP to APIs of others: bounded, every failure an APICallError."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import TracebackType
from typing import TypeVar

import aiohttp
import msgspec

from calotype_provider.errors import APICallError

T = TypeVar("T")

ANSWER_BYTES_MAX = 256 * 2**20
ERROR_CHARACTERS_MAX = 1_000
CONNECT_SECONDS_MAX = 5.0


class HttpClient:
    """One session, opened and closed with `async with`."""

    def __init__(self, *, headers: Mapping[str, str] | None = None, answer_seconds_max: float = 600.0) -> None:
        self._headers = dict(headers or {})
        self._timeout = aiohttp.ClientTimeout(total=answer_seconds_max, sock_connect=CONNECT_SECONDS_MAX)

    async def __aenter__(self) -> HttpClient:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def post_json(self, url: str, body: object, *, answer: type[T]) -> T:
        """POST `body` as JSON and decode what comes back. Raises APICallError, with the other side's message."""
        try:
            async with self._session.post(
                url, data=msgspec.json.encode(body), headers={"content-type": "application/json"}, allow_redirects=False
            ) as response:
                data = await _read(response, url)
                if response.status != 200:
                    raise APICallError(
                        _message_of(data, response),
                        url=url,
                        status_code=response.status,
                        retry_after_seconds=_retry_after_seconds(response.headers),
                    )
                return msgspec.json.decode(data, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise APICallError(f"the answer is not what was expected: {error}", url=url, status_code=200) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise APICallError(f"{url} cannot be reached: {error or type(error).__name__}", url=url) from error


async def _read(response: aiohttp.ClientResponse, url: str) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > ANSWER_BYTES_MAX:
            raise APICallError(f"the answer is larger than {ANSWER_BYTES_MAX} bytes", url=url, status_code=200)
    return bytes(data)


def _message_of(data: bytes, response: aiohttp.ClientResponse) -> str:
    try:
        message = msgspec.json.decode(data, type=_ErrorAnswer).error.message
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = data[:ERROR_CHARACTERS_MAX].decode("utf-8", "replace")
    return f"{response.status} {response.reason}: {message[:ERROR_CHARACTERS_MAX]}"


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """None where there is no advice, or none that is a number of seconds."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds < math.inf:
            return seconds
    return None


class _Error(msgspec.Struct):
    message: str


class _ErrorAnswer(msgspec.Struct):
    error: _Error
