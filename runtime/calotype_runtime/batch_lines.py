"""A file of requests, one a line in JSON -> calls, each checked before anything is painted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from calotype_adapters.aliases import spellings
from calotype_adapters.fields import FieldValue, decode_fields
from calotype_adapters.openai.convert import to_call
from calotype_adapters.openai.types import ImageGenerationRequest
from calotype_provider.call_checks import check
from calotype_provider.errors import CalotypeError, InvalidCallError, MalformedRequestError
from calotype_provider.types import CallWarning, ImageModelCall
from calotype_runtime.request_body import JSON, parse_fields

LINES_MAX = 100_000
BAD_LINES_NAMED_MAX = 10

NAME_FIELDS = ("id", "name")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", re.ASCII)

_NOT_SENT = {name for field in ("seed", "stream", "response_format") for name in spellings(field)}
"""How an answer travels is nothing that a file of pictures could say, and the seed is known by then."""

_ENDINGS = {"png": "png", "jpeg": "jpg", "webp": "webp"}


class BatchLine(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    """From 1."""
    name: str
    """What its files are called."""
    digest: str
    """SHA-256 of the line, and of the model where it names none: one that was changed is another one."""
    model_id: str | None
    call: ImageModelCall
    warnings: tuple[CallWarning, ...]
    """What of the line the call does not carry."""
    fields: dict[str, msgspec.Raw]
    """For a server: the line as it came, without its name, its seed and how it would be answered."""

    @property
    def files(self) -> tuple[str, ...]:
        """One a picture."""
        ending = _ENDINGS[self.call.output_format]
        if self.call.n == 1:
            return (f"{self.name}.{ending}",)
        return tuple(f"{self.name}-{k + 1}.{ending}" for k in range(self.call.n))


def read_lines(path: Path, *, model_id: str | None, line_bytes_max: int) -> list[BatchLine]:
    """All lines that are not empty; those that name no model are for `model_id`.

    Raises InvalidCallError that names those which are wrong, each by its number.
    """
    lines: list[BatchLine] = []
    bad: list[str] = []
    owners: dict[str, int] = {}
    for number, text in _numbered(path, line_bytes_max):
        try:
            line = _line(number, text, model_id)
            for file in line.files:
                # Some file systems know no case.
                owner = owners.setdefault(file.casefold(), number)
                if owner != number:
                    raise InvalidCallError(f"its file {file!r} is that of line {owner} too", parameter="id")
            lines.append(line)
        except CalotypeError as error:
            bad.append(f"line {number}: {error}")
    if bad:
        refuse(path, bad)
    if not lines:
        raise MalformedRequestError(f"{path} has no requests: one a line, in JSON")
    return lines


def refuse(path: Path, bad: list[str]) -> None:
    """Raises InvalidCallError."""
    more = f"\n  and {len(bad) - BAD_LINES_NAMED_MAX} more" if len(bad) > BAD_LINES_NAMED_MAX else ""
    shown = "\n  ".join(bad[:BAD_LINES_NAMED_MAX])
    raise InvalidCallError(
        f"nothing was painted, since {path} has lines that are wrong:\n  {shown}{more}", parameter=""
    )


def _numbered(path: Path, line_bytes_max: int) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            number = 0
            while text := file.readline(line_bytes_max + 1):
                number += 1
                if len(text) > line_bytes_max:
                    raise InvalidCallError(f"{path}, line {number}: longer than {line_bytes_max} bytes", parameter="")
                if number > LINES_MAX:
                    raise InvalidCallError(f"{path} has more than {LINES_MAX} lines", parameter="")
                if text.strip():
                    yield number, text.strip()
    except OSError as error:
        raise MalformedRequestError(f"{path} cannot be read: {error.strerror}") from error


def _line(number: int, text: bytes, model_id: str | None) -> BatchLine:
    fields = parse_fields(text, JSON)
    name = _name(fields, number)
    fields = {field: value for field, value in fields.items() if field not in NAME_FIELDS}
    data, unknown = decode_fields(fields, ImageGenerationRequest)
    data = msgspec.structs.replace(data, stream=None, response_format=None)
    call, warnings = to_call(data, unknown=unknown)
    check(call)
    return BatchLine(
        number=number,
        name=name,
        digest=hashlib.sha256(text + (b"" if data.model else (model_id or "").encode())).hexdigest(),
        model_id=data.model or model_id,
        call=call,
        warnings=warnings,
        fields={
            field: value for field, value in fields.items() if isinstance(value, msgspec.Raw) and field not in _NOT_SENT
        },
    )


def _name(fields: Mapping[str, FieldValue], number: int) -> str:
    given = [field for field in NAME_FIELDS if field in fields]
    if not given:
        return f"{number:06d}"
    if len(given) > 1:
        raise InvalidCallError("'id' and 'name' are two names of one file: give one of them", parameter="id")
    [field] = given
    value = fields[field]
    assert isinstance(value, msgspec.Raw), "JSON's fields are JSON"
    try:
        name = str(msgspec.json.decode(value, type=str | int))
    except msgspec.DecodeError as error:
        raise InvalidCallError(f"{field}: {error}", parameter=field) from error
    if not _NAME.fullmatch(name):
        raise InvalidCallError(
            f"{field} must be 1 to 100 letters, digits, '.', '_' or '-', and not begin with '.', got {name[:120]!r}",
            parameter=field,
        )
    return name
