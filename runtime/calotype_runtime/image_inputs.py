"""Pictures that callers send -> checked bytes. Base64 and data URIs; nothing is fetched, no file is opened."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor

import msgspec
import pybase64

from calotype_provider.errors import InvalidCallError
from calotype_provider.types import ImageFile, ImageModelCall, ImageSource

IMAGE_BYTES_MAX = 10 * 1024 * 1024
TEXT_CHARACTERS_MAX = 3 * IMAGE_BYTES_MAX
"""Before anything is decoded: base64 takes 4/3 of the picture, line breaks and percent signs at most as much again."""


async def resolve(call: ImageModelCall, *, executor: Executor) -> ImageModelCall:
    """The call with every picture as an ImageFile, its kind decided by its bytes; `executor` decodes.

    Raises InvalidCallError, naming the parameter.
    """
    if not call.images and call.mask is None and call.control_image is None:
        return call
    return await asyncio.get_running_loop().run_in_executor(executor, _resolved, call)


def _resolved(call: ImageModelCall) -> ImageModelCall:
    return msgspec.structs.replace(
        call,
        images=tuple(to_image_file(image, parameter="images") for image in call.images),
        mask=call.mask and to_image_file(call.mask, parameter="mask"),
        control_image=call.control_image and to_image_file(call.control_image, parameter="control_image"),
    )


def to_image_file(image: ImageFile | ImageSource, *, parameter: str) -> ImageFile:
    """`parameter` names an upload; a source knows its own. Raises InvalidCallError."""
    if isinstance(image, ImageSource):
        parameter = image.parameter
        data = _decoded(image.text, parameter)
    else:
        data = image.data
    if len(data) > IMAGE_BYTES_MAX:
        raise InvalidCallError(f"a picture must have at most {IMAGE_BYTES_MAX} bytes", parameter=parameter)
    media_type = media_type_of(data)
    if media_type is None:
        raise InvalidCallError("a picture must be PNG, JPEG or WebP; these bytes are none of them", parameter=parameter)
    return ImageFile(data, media_type)


def media_type_of(data: bytes) -> str | None:
    """What the bytes are, whatever they were called; None for none of the kinds read here."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def _decoded(text: str, parameter: str) -> bytes:
    if len(text) > TEXT_CHARACTERS_MAX:
        raise InvalidCallError(f"a picture must have at most {IMAGE_BYTES_MAX} bytes", parameter=parameter)
    text = text.strip()
    if text[:8].lower().startswith(("http://", "https://")):
        raise InvalidCallError(
            "a URL is not fetched by this version; send the picture as base64 or a data URI", parameter=parameter
        )
    try:
        return _from_base64(_data_of_uri(text) if text[:5].lower() == "data:" else text)
    except ValueError as error:
        raise InvalidCallError(
            "a picture must be base64 or a data URI with base64; a file's path is not opened", parameter=parameter
        ) from error


def _data_of_uri(text: str) -> str:
    head, comma, data = text.partition(",")
    if not comma or not head.lower().replace(" ", "").endswith(";base64"):
        raise ValueError("not a data URI with base64")
    # Of all characters of base64 only these are ever percent-encoded.
    for code, character in (("2B", "+"), ("2F", "/"), ("3D", "="), ("0A", ""), ("0D", ""), ("20", "")):
        if "%" not in data:
            break
        data = data.replace(f"%{code}", character).replace(f"%{code.lower()}", character)
    return data


_ONE_ALPHABET = bytes.maketrans(b"-_", b"+/")


def _from_base64(text: str) -> bytes:
    """Either alphabet, with or without padding, line breaks anywhere."""
    # As bytes and by table, since millions of short lines, split, would fill the memory.
    plain = text.encode("ascii").translate(_ONE_ALPHABET, b" \t\r\n").rstrip(b"=")
    if not plain:
        raise ValueError("nothing there")
    return pybase64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
