"""Another server that paints, asked from a terminal: the address, the key, and what is read of its answer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType

import msgspec
import pybase64

from calotype_provider.errors import NoImageGeneratedError
from calotype_provider.remote.http import HttpClient
from calotype_provider.types import CallWarning


class ServerPicture(msgspec.Struct, frozen=True):
    data: bytes
    seed: int | None


class ServerAnswer(msgspec.Struct, frozen=True):
    pictures: tuple[ServerPicture, ...]
    """One at least."""
    size: str
    model: str
    warnings: tuple[CallWarning, ...]


class ServerClient:
    """The key, where one is needed, is that of the environment: `CALOTYPE_API_KEY`."""

    def __init__(self, server: str) -> None:
        self._url = server.rstrip("/").removesuffix("/v1") + "/v1/images/generations"
        key = os.environ.get("CALOTYPE_API_KEY")
        self._client = HttpClient(headers={"authorization": f"Bearer {key}"} if key else None)

    async def __aenter__(self) -> ServerClient:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, traceback)

    async def generate(self, body: Mapping[str, object]) -> ServerAnswer:
        """Raises APICallError, and NoImageGeneratedError for an answer without a picture."""
        body = {**body, "response_format": "b64_json"}
        answer = await self._client.post_json(self._url, body, answer=_Answer)
        if not answer.data:
            raise NoImageGeneratedError(f"{self._url} answered without a picture")
        pictures = tuple(ServerPicture(self._decoded(image.b64_json), image.seed) for image in answer.data)
        return ServerAnswer(pictures, answer.size, answer.model, answer.warnings)

    def _decoded(self, text: str) -> bytes:
        try:
            return pybase64.b64decode(text, validate=True)
        except ValueError as error:
            raise NoImageGeneratedError(f"{self._url} answered with a picture that is not base64") from error


class _AnswerImage(msgspec.Struct):
    b64_json: str
    seed: int | None = None


class _Answer(msgspec.Struct):
    """What is read of the answer; another server of this wire may leave the rest out."""

    data: tuple[_AnswerImage, ...]
    size: str = "unknown size"
    model: str = "the server's model"
    warnings: tuple[CallWarning, ...] = ()
