"""A request's body -> its fields: bounded, JSON or form, every failure a CalotypeError.

Read here and not by Litestar, whose own reading answers 500 to a body that is not UTF-8, to 100,000 nested brackets and
to a binary form part without a file name, and loses the field's name.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar

import msgspec
from litestar import Request

# It has no type information of its own.
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from calotype_adapters.fields import FIELD_NAME_CHARACTERS_MAX, FieldValue, decode_fields
from calotype_adapters.pictures import FilePart
from calotype_provider.errors import (
    InvalidCallError,
    MalformedRequestError,
    RequestTimeoutError,
    RequestTooLargeError,
    UnsupportedMediaTypeError,
)
from calotype_runtime.bytes_held import BytesHeld

JSON = "application/json"
FORM = "multipart/form-data"

DECODED_AT_ONCE_BYTES_MAX = 64 * 1024
"""A larger body is decoded in an executor: the loop goes on."""

JSON_COMMAS_MAX = 100_000
"""Bounds the values in a body before they are made, at 200 bytes of memory each. A prompt has at most 32,000."""

JSON_FIELDS_MAX = 256
JSON_NAME_CHARACTERS_MAX = 256

PARTS_MAX = 64
PART_HEADERS_MAX = 8
PART_HEADER_BYTES_MAX = 4096

T = TypeVar("T", bound=msgspec.Struct)


class BodyReader:
    """Reads requests' bodies, each of `bytes_max` at most, in `seconds_max`, and of `sum_bytes_max` all together."""

    def __init__(self, *, bytes_max: int, seconds_max: float, sum_bytes_max: int, executor: Executor) -> None:
        self._bytes_max = bytes_max
        self._seconds_max = seconds_max
        self._held = BytesHeld(bytes_max=sum_bytes_max, what="bodies are being read")
        self._executor = executor

    async def read(
        self, request: Request[Any, Any, Any], into: type[T], *, media_types: Collection[str] = (JSON, FORM)
    ) -> tuple[T, tuple[str, ...]]:
        """The body as a struct, and the names of fields that the struct does not have."""
        content_type = request.headers.get("content-type", "")
        _check_headers(request.headers, media_types)
        # A body that does not say its length may become as long as any may be.
        announced = _announced_bytes(request)
        with self._held.hold(min(self._bytes_max if announced is None else announced, self._bytes_max)):
            body = await self._read_in_time(request)
            if len(body) <= DECODED_AT_ONCE_BYTES_MAX:
                return decode_body(body, content_type, into)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, decode_body, body, content_type, into)

    async def _read_in_time(self, request: Request[Any, Any, Any]) -> bytes:
        try:
            async with asyncio.timeout(self._seconds_max):
                return await read_body(request, bytes_max=self._bytes_max)
        except TimeoutError as error:
            raise RequestTimeoutError(f"the body did not arrive in {self._seconds_max:g} s") from error


def _check_headers(headers: Mapping[str, str], media_types: Collection[str]) -> None:
    media_type = parse_options_header(headers.get("content-type", ""))[0]
    if media_type not in media_types:
        came = f"got {media_type[:80]!r}" if media_type else "got none"
        raise UnsupportedMediaTypeError(f"content-type must be {' or '.join(media_types)}, {came}")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaTypeError("the body must not be compressed")


async def read_body(request: Request[Any, Any, Any], *, bytes_max: int) -> bytes:
    """Raises RequestTooLargeError as soon as the length is known to be over the bound."""
    if (_announced_bytes(request) or 0) > bytes_max:
        raise RequestTooLargeError(bytes_max=bytes_max)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise RequestTooLargeError(bytes_max=bytes_max)
    return bytes(body)


def _announced_bytes(request: Request[Any, Any, Any]) -> int | None:
    announced = request.headers.get("content-length")
    if announced is None:
        return None
    if not re.fullmatch(r"[0-9]{1,19}", announced):
        raise MalformedRequestError("content-length must be a number of bytes")
    return int(announced)


def decode_body(body: bytes, content_type: str, into: type[T]) -> tuple[T, tuple[str, ...]]:
    return decode_fields(parse_fields(body, content_type), into)


def parse_fields(body: bytes, content_type: str) -> dict[str, FieldValue]:
    """Raises MalformedRequestError for a body that is not what its type says, InvalidCallError for a broken field."""
    media_type, options = parse_options_header(content_type)
    if media_type == FORM:
        return _form_fields(body, boundary=options.get("boundary", ""))
    if options.get("charset", "utf-8").lower() not in _CHARSETS:
        raise UnsupportedMediaTypeError("the body must be in UTF-8")
    return _json_fields(body)


def _json_fields(body: bytes) -> dict[str, FieldValue]:
    if not body.strip():
        raise MalformedRequestError("the body is empty; it must be a JSON object")
    if body.count(b",") > JSON_COMMAS_MAX:
        raise MalformedRequestError(f"the body has more than {JSON_COMMAS_MAX} values")
    try:
        # msgspec passes over what it does not decode, so that broken UTF-8 could slip through in a field nobody reads.
        if not body.isascii():
            body.decode("utf-8")
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except UnicodeDecodeError as error:
        raise MalformedRequestError("the body is not UTF-8") from error
    except RecursionError as error:
        raise MalformedRequestError("the body is nested too deep") from error
    except msgspec.ValidationError as error:
        raise MalformedRequestError(f"the body must be a JSON object: {error}") from error
    except msgspec.DecodeError as error:
        raise MalformedRequestError(f"the body is not JSON: {error}") from error
    if len(fields) > JSON_FIELDS_MAX:
        raise MalformedRequestError(f"the body has more than {JSON_FIELDS_MAX} fields")
    if max(map(len, fields), default=0) > JSON_NAME_CHARACTERS_MAX:
        raise MalformedRequestError(f"a field's name has more than {JSON_NAME_CHARACTERS_MAX} characters")
    _refuse_repeated_names(body, fields)
    return dict(fields)


_MEMBER_NAME = re.compile(rb'[ \t\r\n]*+("(?:[^"\\]++|\\.)*+")[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)
_MEMBER_END = re.compile(rb"[ \t\r\n]*+[,}]")


def _refuse_repeated_names(body: bytes, fields: Mapping[str, msgspec.Raw]) -> None:
    """JSON leaves open which of two members counts, and msgspec takes the last in silence.

    `body` is known to be an object: a member whose value is not the one in `fields` comes again later.
    """
    seen = set[str]()
    position = body.index(b"{") + 1
    while member := _MEMBER_NAME.match(body, position):
        name = msgspec.json.decode(member[1], type=str)
        value = bytes(fields[name])
        end = _MEMBER_END.match(body, member.end() + len(value)) if body.startswith(value, member.end()) else None
        if name in seen or end is None:
            shown = name[:FIELD_NAME_CHARACTERS_MAX]
            raise InvalidCallError(f"{shown!r} is given more than once", parameter=shown)
        seen.add(name)
        position = end.end()


_CHARSETS = ("utf-8", "utf8", "us-ascii")
_BRACKETED_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")


def _form_fields(body: bytes, *, boundary: str) -> dict[str, FieldValue]:
    """Parts of one name, and `image[]` or `image[0]` beside `image`, are one field with several values.

    Those with a number come last and in its order, since clients may send them in any.
    """
    fields: dict[str, list[tuple[int, str | FilePart]]] = {}
    for segment, data in _parts(body, boundary):
        # What a browser sends for a file input that was left empty.
        if segment.filename == "" and not data:
            continue
        name, index = _name_and_index(segment.name)
        fields.setdefault(name, []).append((index, _part_value(name, segment, data)))
    ordered = {name: sorted(values, key=lambda value: value[0]) for name, values in fields.items()}
    return {name: values[0][1] if len(values) == 1 else _values(values) for name, values in ordered.items()}


def _values(indexed: list[tuple[int, str | FilePart]]) -> tuple[str | FilePart, ...]:
    return tuple(value for _, value in indexed)


def _name_and_index(name: str) -> tuple[str, int]:
    """`image[2]` is 2 of `image`; `image`, `image[]` and what is named by a word, as in `svg[model]`, are -1."""
    match = _BRACKETED_NAME.fullmatch(name)
    if match is None:
        return name, -1
    index = re.fullmatch(r"\[([0-9]{1,4})\]", match[2], re.ASCII)
    return match[1], int(index[1]) if index else -1


def _parts(body: bytes, boundary: str) -> Iterator[tuple[MultipartSegment, bytes]]:
    try:
        with PushMultipartParser(
            boundary.encode("latin-1", "replace"),
            max_segment_count=PARTS_MAX,
            max_header_count=PART_HEADERS_MAX,
            max_header_size=PART_HEADER_BYTES_MAX,
            strict=True,
        ) as parser:
            data = bytearray()
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    segment, data = event, bytearray()
                elif event is not None:
                    data += event
                else:
                    yield segment, bytes(data)
    except MultipartError as error:
        raise MalformedRequestError(f"the form cannot be read: {error.args[0]}") from error


def _part_value(name: str, segment: MultipartSegment, data: bytes) -> str | FilePart:
    kind = segment.content_type or "text/plain"
    if segment.filename is not None or not (kind.startswith("text/") or kind == JSON):
        return FilePart(data, filename=segment.filename, media_type=segment.content_type)
    if (segment.charset or "utf-8").lower() not in _CHARSETS:
        shown = name[:FIELD_NAME_CHARACTERS_MAX]
        raise InvalidCallError(f"{shown}: a text must be in UTF-8, got {segment.charset[:40]!r}", parameter=shown)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # Some clients send files without a name, and without a type.
        return FilePart(data, media_type=segment.content_type)
