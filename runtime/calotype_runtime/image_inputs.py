"""Pictures that callers send -> clean files. Base64, data URIs and URLs are told apart here; no file is opened."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import pybase64

from calotype_provider.errors import InvalidCallError
from calotype_provider.local.engine import PositiveSeconds
from calotype_provider.types import ImageFile, ImageModelCall, ImageSource
from calotype_runtime.containers.parts import PictureParts
from calotype_runtime.image_files import read_parts, to_clean_file

if TYPE_CHECKING:
    from calotype_runtime.image_fetch import PictureFetcher, Resolver

FETCHES_PER_CALL_MAX = 4
"""At once; a call's other pictures wait."""

TEXT_CHARACTERS_PER_BYTE_MAX = 3
"""Before anything is decoded: base64 takes 4/3 of the picture, line breaks and percent signs at most as much again."""

MEGAPIXEL = 1024 * 1024
"""So that what cameras call 24 megapixels, 5712x4284, is no more than that."""

PositiveInteger = Annotated[int, msgspec.Meta(ge=1)]
T = TypeVar("T")


class PictureSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of what callers send as pictures, and of how it is fetched."""

    bytes_max: PositiveInteger = 10 * 2**20
    megapixels_max: PositiveInteger = 24
    request_megapixels_max: PositiveInteger = 64
    """All pictures of a request together, as `request_bytes_max`."""
    request_bytes_max: PositiveInteger = 32 * 2**20
    fetch_seconds_max: PositiveSeconds = 10.0
    redirects_max: Annotated[int, msgspec.Meta(ge=0)] = 5
    fetch: bool = True
    """False refuses URLs."""
    private_hosts: tuple[str, ...] = ()
    """Names or addresses, as a URL has them, that may be fetched from though they are not public."""


class PictureReader:
    """`executor` decodes, and `resolver` answers instead of the system. Closed with `aclose`."""

    def __init__(self, settings: PictureSettings, *, executor: Executor, resolver: Resolver | None = None) -> None:
        self._settings = settings
        self._executor = executor
        self._resolver = resolver
        self._fetcher: PictureFetcher | None = None

    async def resolve(self, call: ImageModelCall) -> ImageModelCall:
        """The call with every picture an ImageFile: a clean PNG (see `image_files.to_clean_file`) with its size.

        Raises InvalidCallError, naming the parameter; cancelling stops what is being fetched.
        """
        given = _pictures_of(call)
        if not given:
            return call
        parts = await self._parts(given)
        self._check_pixels(parts, given)
        files = [
            await self._in_executor(_to_clean_file, each, picture) for each, picture in zip(parts, given, strict=True)
        ]
        return _with_files(call, files)

    async def _parts(self, given: Sequence[_Given]) -> list[PictureParts]:
        data = await self._read(given)
        return [
            await self._in_executor(self._parts_of, each, picture) for each, picture in zip(data, given, strict=True)
        ]

    async def aclose(self) -> None:
        if self._fetcher:
            await self._fetcher.aclose()

    async def _read(self, given: Sequence[_Given]) -> list[bytes]:
        """The bytes of each. With the first that fails, the others are cancelled."""
        turns = asyncio.Semaphore(FETCHES_PER_CALL_MAX)
        budget = _BytesBudget(self._settings.request_bytes_max)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._read_one(picture, turns, budget)) for picture in given]
        except BaseExceptionGroup as failures:
            # A caller wants one error, not a group.
            raise failures.exceptions[0] from failures.exceptions[0].__cause__
        return [task.result() for task in tasks]

    async def _read_one(self, given: _Given, turns: asyncio.Semaphore, budget: _BytesBudget) -> bytes:
        if isinstance(given.picture, ImageFile):
            data = given.picture.data
        elif _URL.match(given.picture.text):
            async with turns:
                data = await self._fetch(given.picture.text.strip(), given.parameter)
        else:
            data = await self._in_executor(_decoded, given.picture.text, given.parameter, self._settings.bytes_max)
        if len(data) > self._settings.bytes_max:
            raise _too_large(self._settings.bytes_max, given.parameter)
        budget.take(len(data), given.parameter)
        return data

    async def _fetch(self, text: str, parameter: str) -> bytes:
        if not self._settings.fetch:
            message = "this server fetches nothing from URLs; send the picture as base64 or a data URI"
            raise InvalidCallError(message, parameter=parameter)
        if self._fetcher is None:
            # Imported at the first URL, away from the loop: a server starts without aiohttp, which takes a while.
            make = await self._in_executor(_import_fetcher)
            # Another picture's task may have been faster.
            self._fetcher = self._fetcher or make(
                bytes_max=self._settings.bytes_max,
                seconds_max=self._settings.fetch_seconds_max,
                redirects_max=self._settings.redirects_max,
                private_hosts=self._settings.private_hosts,
                resolver=self._resolver,
            )
        return await self._fetcher.fetch(text, parameter=parameter)

    def _parts_of(self, data: bytes, given: _Given) -> PictureParts:
        pixels_max = self._settings.megapixels_max * MEGAPIXEL
        return read_parts(data, parameter=given.parameter, pixels_max=pixels_max)

    def _check_pixels(self, parts: Sequence[PictureParts], given: Sequence[_Given]) -> None:
        pixels = 0
        for each, picture in zip(parts, given, strict=True):
            pixels += each.size.pixels
            if pixels > self._settings.request_megapixels_max * MEGAPIXEL:
                raise InvalidCallError(
                    f"the pictures of a request must have at most {self._settings.request_megapixels_max} megapixels "
                    "together",
                    parameter=picture.parameter,
                )

    async def _in_executor(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)


class _Given(msgspec.Struct, frozen=True):
    picture: ImageFile | ImageSource
    parameter: str
    is_mask: bool = False


def _pictures_of(call: ImageModelCall) -> list[_Given]:
    """In the order in which `_with_files` puts them back. A source knows its parameter, an upload has the field's."""
    given = [_Given(image, _parameter(image, "images")) for image in call.images]
    if call.mask is not None:
        given.append(_Given(call.mask, _parameter(call.mask, "mask"), is_mask=True))
    if call.control_image is not None:
        given.append(_Given(call.control_image, _parameter(call.control_image, "control_image")))
    return given


def _parameter(image: ImageFile | ImageSource, field: str) -> str:
    return image.parameter if isinstance(image, ImageSource) else field


def _with_files(call: ImageModelCall, files: Sequence[ImageFile]) -> ImageModelCall:
    rest = iter(files)
    return msgspec.structs.replace(
        call,
        images=tuple(next(rest) for _ in call.images),
        mask=None if call.mask is None else next(rest),
        control_image=None if call.control_image is None else next(rest),
    )


class _BytesBudget:
    """What all pictures of a request may weigh together."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes_taken = 0

    def take(self, count: int, parameter: str) -> None:
        self._bytes_taken += count
        if self._bytes_taken > self._bytes_max:
            message = f"the pictures of a request must have at most {self._bytes_max} bytes together"
            raise InvalidCallError(message, parameter=parameter)


def _import_fetcher() -> type[PictureFetcher]:
    from calotype_runtime.image_fetch import PictureFetcher

    return PictureFetcher


def _to_clean_file(parts: PictureParts, given: _Given) -> ImageFile:
    return to_clean_file(parts, parameter=given.parameter, is_mask=given.is_mask)


def _too_large(bytes_max: int, parameter: str) -> InvalidCallError:
    return InvalidCallError(f"a picture must have at most {bytes_max} bytes", parameter=parameter)


_URL = re.compile(r"\s*https?://", re.IGNORECASE)


def _decoded(text: str, parameter: str, bytes_max: int) -> bytes:
    if len(text) > TEXT_CHARACTERS_PER_BYTE_MAX * bytes_max:
        raise _too_large(bytes_max, parameter)
    text = text.strip()
    try:
        return _from_base64(_data_of_uri(text) if text[:5].lower() == "data:" else text)
    except ValueError as error:
        raise InvalidCallError(
            "a picture must be base64, a data URI with base64, or a URL with https or http; a file's path is not "
            "opened",
            parameter=parameter,
        ) from error


_ENCODED = re.compile(r"%(2B|2F|3D|0A|0D|20)", re.IGNORECASE)
"""Of all characters of base64 only these are ever percent-encoded."""


def _data_of_uri(text: str) -> str:
    head, comma, data = text.partition(",")
    if not comma or not head.lower().replace(" ", "").endswith(";base64"):
        raise ValueError("not a data URI with base64")
    return _ENCODED.sub(lambda found: chr(int(found[1], 16)), data)


_ONE_ALPHABET = bytes.maketrans(b"-_", b"+/")


def _from_base64(text: str) -> bytes:
    """Either alphabet, with or without padding, line breaks anywhere."""
    # As bytes and by table, since millions of short lines, split, would fill the memory.
    plain = text.encode("ascii").translate(_ONE_ALPHABET, b" \t\r\n\f\v").rstrip(b"=")
    if not plain:
        raise ValueError("nothing there")
    return pybase64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)


def pictures_of(call: ImageModelCall) -> tuple[ImageFile | ImageSource, ...]:
    return tuple(picture for picture in (*call.images, call.mask, call.control_image) if picture is not None)


def picture_bytes(call: ImageModelCall) -> int:
    """Of its pictures as they came."""
    return sum(len(each.data if isinstance(each, ImageFile) else each.text) for each in pictures_of(call))


def is_url(picture: ImageFile | ImageSource) -> bool:
    """Whether it has to be fetched, and may be another the next time."""
    return isinstance(picture, ImageSource) and _URL.match(picture.text) is not None
