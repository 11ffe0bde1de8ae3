"""An HTTP server on the loopback that answers bytes as they are given, however wrong, and remembers who came."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


class PictureServer:
    """Opened with `async with`. `answers` is a path -> all that is sent, head and body."""

    def __init__(self, answers: dict[str, Answer] | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.answers = answers or {}
        self._tls = tls
        self.connections = 0
        self.open_now = 0
        self.open_most = 0
        self.heads: list[str] = []
        self.all_gone = asyncio.Event()
        self._serving = set[asyncio.Task[None]]()

    async def __aenter__(self) -> PictureServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        await self._server.wait_closed()
        # What the other side has closed, ends.
        async with asyncio.timeout(5):
            await asyncio.gather(*self._serving)

    def url(self, path: str = "/", *, host: str = "127.0.0.1") -> str:
        return f"http{'s' if self._tls else ''}://{host}:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self.connections += 1
        self.open_now += 1
        self.open_most = max(self.open_most, self.open_now)
        self.all_gone.clear()
        leaving: asyncio.Task[bytes] | None = None
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.heads.append(head)
            # Ends an answer that nobody waits for any more.
            leaving = asyncio.create_task(reader.read())
            answering = asyncio.create_task(self._answer(head.split(" ")[1], writer))
            await asyncio.wait((leaving, answering), return_when=asyncio.FIRST_COMPLETED)
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            if leaving:
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)
            writer.close()
            self.open_now -= 1
            if not self.open_now:
                self.all_gone.set()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        answer = self.answers.get(path, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
        else:
            await answer(writer)


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def redirect(location: str, *headers: str, status: str = "302 Found") -> bytes:
    return answer(b"", f"location: {location}", *headers, status=status)
