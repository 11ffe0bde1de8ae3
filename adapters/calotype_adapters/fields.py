"""A request's fields, each decoded on its own, so that every failure names its field. Knows no wire."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from calotype_adapters.aliases import spellings
from calotype_adapters.pictures import FilePart, ImageInputs, picture_in
from calotype_provider.errors import InvalidCallError

UNKNOWN_FIELDS_NAMED_MAX = 16
FIELD_NAME_CHARACTERS_MAX = 64
MESSAGE_CHARACTERS_MAX = 300

T = TypeVar("T", bound=msgspec.Struct)

FieldValue = msgspec.Raw | str | FilePart | tuple[str | FilePart, ...]
"""JSON text, or what a form holds: a text, a file, or several under one name."""


def decode_fields(fields: Mapping[str, FieldValue], into: type[T]) -> tuple[T, tuple[str, ...]]:
    """The struct, and the names of the fields that it does not have (at most a few, cut short).

    JSON's `null` is "not given", and so is a form's text "null" where the field may be left out. Raises
    InvalidCallError, naming the parameter.
    """
    known, given, unknown = _fields_of(into), dict[str, tuple[str, FieldValue]](), list[str]()
    for spelling, value in fields.items():
        field = known.get(spelling)
        if _is_null(value) or (value == "null" and not (field and field.required)):
            continue
        if field is None:
            unknown.append(spelling)
        elif field.name in given:
            first = given[field.name][0]
            raise InvalidCallError(
                f"{first!r} and {spelling!r} are two spellings of one field: send one of them", parameter=field.name
            )
        else:
            given[field.name] = spelling, value
    return _struct(into, given), _shortened(unknown)


def _is_null(value: FieldValue) -> bool:
    # A picture's text is not copied to be compared.
    return isinstance(value, msgspec.Raw) and memoryview(value).nbytes == 4 and bytes(value) == b"null"


def _struct(into: type[T], given: Mapping[str, tuple[str, FieldValue]]) -> T:
    known = _fields_of(into)
    values = {name: known[name].decode(spelling, value) for name, (spelling, value) in given.items()}
    values = {name: value for name, value in values.items() if value is not None}
    for name in _required(into):
        if name not in values:
            raise InvalidCallError(f"{name} is required", parameter=name)
    return into(**values)


@cache
def _required(into: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(into) if field.required)


def _shortened(names: list[str]) -> tuple[str, ...]:
    shown = tuple(name[:FIELD_NAME_CHARACTERS_MAX] for name in names[:UNKNOWN_FIELDS_NAMED_MAX])
    more = len(names) - len(shown)
    return (*shown, f"{more} more") if more else shown


@cache
def _fields_of(into: type[msgspec.Struct]) -> dict[str, _Field]:
    """By every spelling."""
    fields = [_Field(field.name, field.type, required=field.required) for field in msgspec.structs.fields(into)]
    return {spelling: field for field in fields for spelling in spellings(field.name)}


class _Field:
    def __init__(self, name: str, type_: Any, *, required: bool) -> None:
        self.name = name
        self.required = required
        self._type = type_
        self._decoder = msgspec.json.Decoder(type_, dec_hook=_image_inputs)

    def decode(self, spelling: str, value: FieldValue) -> Any:
        try:
            if isinstance(value, msgspec.Raw):
                return self._decoder.decode(value)
            return msgspec.convert(value, self._type, strict=False, dec_hook=_image_inputs)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            wanted = _choices(self._type)
            known = f" (one of {', '.join(wanted)})" if wanted else ""
            message = f"{spelling}: {_what_came(value, error)}"
            raise InvalidCallError(message[:MESSAGE_CHARACTERS_MAX] + known, parameter=self.name) from error


def _what_came(value: FieldValue, error: Exception) -> str:
    match value:
        case FilePart():
            return "expected text, got a file"
        case tuple():
            return f"expected one value, got {len(value)}"
        case _:
            return str(error)


def _image_inputs(type_: type, value: object) -> ImageInputs:
    assert type_ is ImageInputs, f"no decoding for {type_}"
    items = value if isinstance(value, (list, tuple)) else (value,)
    pictures = tuple(picture for picture in map(picture_in, items) if picture is not None)
    if len(pictures) < len(items):
        raise ValueError("expected a picture as base64, a data URI or a URL, or a list of them")
    return ImageInputs(pictures)


def _choices(type_: Any) -> list[str]:
    if get_origin(type_) is Literal:
        return [str(choice) for choice in get_args(type_)]
    return [choice for argument in get_args(type_) for choice in _choices(argument)]
