"""Multipart bodies as clients of every kind write them, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence

BOUNDARY = "calotype-line"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def text(name: str, value: str) -> bytes:
    return part(name, value.encode())


def texts(fields: dict[str, str]) -> Sequence[bytes]:
    return [text(name, value) for name, value in fields.items()]


def part(name: str, data: bytes, *, filename: str | None = None, kind: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    typed = f"Content-Type: {kind}\r\n" if kind else ""
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n{typed}\r\n'.encode() + data + b"\r\n"
    )
