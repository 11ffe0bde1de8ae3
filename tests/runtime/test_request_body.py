"""Bodies of every kind, through Litestar's own request, to fields or to an error that names them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar, Request, post

from calotype_adapters.fields import FIELD_NAME_CHARACTERS_MAX
from calotype_adapters.openai.types import ImageGenerationRequest
from calotype_adapters.pictures import FilePart, ImageInputs
from calotype_provider.errors import (
    CalotypeError,
    InvalidCallError,
    MalformedRequestError,
    ModelBusyError,
    RequestTimeoutError,
    RequestTooLargeError,
    UnsupportedMediaTypeError,
)
from calotype_runtime.request_body import (
    DECODED_AT_ONCE_BYTES_MAX,
    FORM,
    JSON,
    JSON_COMMAS_MAX,
    JSON_FIELDS_MAX,
    JSON_NAME_CHARACTERS_MAX,
    PART_HEADER_BYTES_MAX,
    PART_HEADERS_MAX,
    PARTS_MAX,
    BodyReader,
    parse_fields,
)

BYTES_MAX = 1_000_000
BOUNDARY = "calotype-boundary"
FORM_TYPE = f"{FORM}; boundary={BOUNDARY}"

Read = tuple[ImageGenerationRequest, tuple[str, ...]]


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1, thread_name_prefix="decoder") as pool:
        yield pool


async def read(
    executor: ThreadPoolExecutor,
    chunks: Sequence[bytes],
    content_type: str | None = JSON,
    *,
    headers: Sequence[tuple[bytes, bytes]] = (),
    bytes_max: int = BYTES_MAX,
    announced: int | None = None,
) -> Read:
    """What a handler gets of a body that comes in `chunks`; raises what it raised."""
    outcome: list[Read | CalotypeError] = []

    @post("/", status_code=200)
    async def handler(request: Request[Any, Any, Any]) -> None:
        try:
            reader = BodyReader(bytes_max=bytes_max, seconds_max=5.0, sum_bytes_max=2 * bytes_max, executor=executor)
            outcome.append(await reader.read(request, ImageGenerationRequest))
        except CalotypeError as error:
            outcome.append(error)

    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    sent = list(headers)
    if content_type is not None:
        sent.append((b"content-type", content_type.encode("latin-1")))
    if announced is not None:
        sent.append((b"content-length", str(announced).encode()))
    await _serve(handler, messages, sent)
    (answer,) = outcome
    if isinstance(answer, CalotypeError):
        raise answer
    return answer


class _Waiting:
    """As much of a request as its reader needs: headers, and a body that comes when it is let."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = {"content-type": JSON, **headers}
        self.arrives = asyncio.Event()

    async def stream(self) -> AsyncIterator[bytes]:
        await self.arrives.wait()
        yield b'{"prompt": "a fox"}'


async def test_a_body_that_does_not_arrive_in_time_is_given_up(executor: ThreadPoolExecutor) -> None:
    reader = BodyReader(bytes_max=100, seconds_max=0.02, sum_bytes_max=100, executor=executor)
    request: Any = _Waiting({"content-length": "19"})
    with pytest.raises(RequestTimeoutError):
        await reader.read(request, ImageGenerationRequest)


async def test_bodies_that_are_read_at_once_have_a_bound_all_together(executor: ThreadPoolExecutor) -> None:
    reader = BodyReader(bytes_max=100, seconds_max=5.0, sum_bytes_max=119, executor=executor)
    # One that does not say how long it is counts as long as any may be.
    first: Any = _Waiting({})
    second: Any = _Waiting({"content-length": "19"})
    third: Any = _Waiting({"content-length": "1"})
    reading = [asyncio.create_task(reader.read(request, ImageGenerationRequest)) for request in (first, second)]
    await asyncio.sleep(0)
    with pytest.raises(ModelBusyError):
        await reader.read(third, ImageGenerationRequest)
    first.arrives.set()
    second.arrives.set()
    assert [data.prompt for data, _ in await asyncio.gather(*reading)] == ["a fox", "a fox"]
    third.arrives.set()
    assert (await reader.read(third, ImageGenerationRequest))[0].prompt == "a fox"


async def _serve(handler: Any, messages: list[dict[str, Any]], headers: list[tuple[bytes, bytes]]) -> None:
    app: Any = Litestar([handler], openapi_config=None, request_max_body_size=None)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        pass

    await app(scope, receive, send)


def part(value: bytes, *, name: str = "prompt", filename: str | None = None, kind: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    typed = f"Content-Type: {kind}\r\n" if kind else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n{typed}\r\n'
    return head.encode() + value + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


async def test_json_becomes_a_struct_and_the_names_it_does_not_have(executor: ThreadPoolExecutor) -> None:
    body = b'{"prompt": "a f\xc3\xb6x", "n": 2, "sampler": "euler"}'
    data, unknown = await read(executor, [body[:9], body[9:]], "application/json; charset=UTF-8")
    assert (data.prompt, data.n, unknown) == ("a föx", 2, ("sampler",))


async def test_a_form_becomes_the_same(executor: ThreadPoolExecutor) -> None:
    body = form(part("a föx".encode()), part(b"2", name="n"), part(b"euler", name="sampler"))
    data, unknown = await read(executor, [body[:50], body[50:]], FORM_TYPE)
    assert (data.prompt, data.n, unknown) == ("a föx", 2, ("sampler",))


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "image/png", "\xff", ";"],
)
async def test_other_bodies_are_unsupported(executor: ThreadPoolExecutor, content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="application/json or multipart/form-data"):
        await read(executor, [b'{"prompt": "a fox"}'], content_type)


async def test_a_compressed_body_is_unsupported(executor: ThreadPoolExecutor) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="compressed"):
        await read(executor, [b"\x1f\x8b"], headers=[(b"content-encoding", b"gzip")])


async def test_json_in_another_encoding_is_unsupported(executor: ThreadPoolExecutor) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="UTF-8"):
        await read(executor, [b"{}"], "application/json; charset=latin-1")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "not JSON"),
        (b'{"prompt": "a fox"', "not JSON"),
        (b'{"prompt": "a fox"} x', "not JSON"),
        (b'{"guidance": NaN}', "not JSON"),
        (b'{"\\ud800": 1}', "not JSON"),
        (b"prompt=a+fox", "not JSON"),
        (b"[]", "object"),
        (b"3", "object"),
        (b"null", "object"),
        (b'"a fox"', "object"),
        (b'{"prompt": "\xff"}', "UTF-8"),
        (b'{"\xff": 1}', "UTF-8"),
        (b'{"nobody": "reads \xff"}', "UTF-8"),
        ("{}".encode("utf-16"), "UTF-8"),
        (b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
        (b'{"prompt": ' + b'{"a":' * 100_000, "nested"),
        (b"[" * 100_000, "object"),
        (b"{" * 100_000, "JSON"),
    ],
)
async def test_json_that_cannot_be_read(executor: ThreadPoolExecutor, body: bytes, words: str) -> None:
    with pytest.raises(MalformedRequestError, match=words):
        await read(executor, [body])


async def test_brackets_as_deep_as_may_be_read_name_their_field(executor: ThreadPoolExecutor) -> None:
    with pytest.raises(InvalidCallError) as caught:
        await read(executor, [b'{"prompt": ' + b"[" * 100 + b"]" * 100 + b"}"])
    assert caught.value.parameter == "prompt"


@pytest.mark.parametrize(
    "body",
    [
        b'{"n": 1, "n": 2}',
        b'{"n": 1, "n": 1}',
        b'{"n":12,"n":1}',
        b'{ "prompt" : "a" , "n" : [1, 2] , "n" : [1] }',
        b'{"n": 1, "\\u006e": 2}',
        b'{"prompt": "a, \\"n\\": 1", "n": 1, "n": 2}',
    ],
)
async def test_a_field_given_twice_is_refused_by_name(executor: ThreadPoolExecutor, body: bytes) -> None:
    with pytest.raises(InvalidCallError, match="'n' is given more than once") as caught:
        await read(executor, [body])
    assert caught.value.parameter == "n"


async def test_a_long_name_given_twice_is_cut_short(executor: ThreadPoolExecutor) -> None:
    name = "x" * JSON_NAME_CHARACTERS_MAX
    with pytest.raises(InvalidCallError) as caught:
        await read(executor, [f'{{"{name}": 1, "{name}": 2}}'.encode()])
    assert len(caught.value.parameter) == FIELD_NAME_CHARACTERS_MAX


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=5), st.sampled_from([0, 2]))
def test_every_object_is_read_as_it_was_written(values: dict[str, Any], indent: int) -> None:
    body = msgspec.json.format(msgspec.json.encode(values), indent=indent)
    fields = parse_fields(b" " + body + b"\n", JSON)
    assert {name: msgspec.json.decode(value) for name, value in fields.items()} == values  # type: ignore[arg-type]


@given(st.binary(max_size=80), st.sampled_from([JSON, FORM_TYPE, FORM, f"{FORM}; boundary=\xff", "application/json;x"]))
def test_any_bytes_are_fields_or_a_known_error(body: bytes, content_type: str) -> None:
    with contextlib.suppress(CalotypeError):
        parse_fields(body, content_type)


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=20),
            st.text(st.characters(codec="utf-8", exclude_characters='"\r\n'), max_size=12),
            st.none() | st.sampled_from(["", "a.png", "blob"]),
            st.none() | st.sampled_from(["text/plain", "image/png", "text/plain; charset=utf-7", "\x00"]),
        ),
        max_size=5,
    ),
    st.integers(0, 40),
)
def test_any_form_is_fields_or_a_known_error(parts: list[tuple[bytes, str, str, str]], cut: int) -> None:
    body = form(*(part(value, name=name, filename=file, kind=kind) for value, name, file, kind in parts))
    with contextlib.suppress(CalotypeError):
        parse_fields(body[: len(body) - cut], FORM_TYPE)


def test_as_many_values_as_may_be_are_read_and_one_more_is_not() -> None:
    values = b"0," * JSON_COMMAS_MAX + b"0"
    parse_fields(b'{"a": [' + values + b"]}", JSON)
    with pytest.raises(MalformedRequestError, match="values"):
        parse_fields(b'{"a": [' + values + b",0]}", JSON)


def test_as_many_fields_as_may_be_are_read_and_one_more_is_not() -> None:
    fields = {f"f{index}": 1 for index in range(JSON_FIELDS_MAX)}
    assert len(parse_fields(msgspec.json.encode(fields), JSON)) == JSON_FIELDS_MAX
    with pytest.raises(MalformedRequestError, match="fields"):
        parse_fields(msgspec.json.encode({**fields, "one": "more"}), JSON)


def test_a_name_as_long_as_may_be_is_read_and_a_longer_one_is_not() -> None:
    assert parse_fields(b'{"%s": 1}' % (b"x" * JSON_NAME_CHARACTERS_MAX), JSON)
    with pytest.raises(MalformedRequestError, match="name"):
        parse_fields(b'{"%s": 1}' % (b"x" * (JSON_NAME_CHARACTERS_MAX + 1)), JSON)


@pytest.mark.parametrize("announce", [True, False])
async def test_a_body_at_its_bound_is_read_and_one_byte_more_is_not(
    executor: ThreadPoolExecutor, announce: bool
) -> None:
    body = b'{"prompt": "a fox"}'
    announced = len(body) if announce else None
    await read(executor, [body], bytes_max=len(body), announced=announced)
    with pytest.raises(RequestTooLargeError) as caught:
        await read(executor, [body[:5], body[5:]], bytes_max=len(body) - 1, announced=announced)
    assert caught.value.bytes_max == len(body) - 1


async def test_a_length_that_was_announced_too_large_is_refused_unread(executor: ThreadPoolExecutor) -> None:
    with pytest.raises(RequestTooLargeError):
        await read(executor, [], announced=BYTES_MAX + 1)


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"banana", b"9" * 30])
async def test_a_length_that_is_no_number_is_malformed(executor: ThreadPoolExecutor, length: bytes) -> None:
    with pytest.raises(MalformedRequestError, match="content-length"):
        await read(executor, [b"{}"], headers=[(b"content-length", length)])


async def test_a_large_body_is_decoded_by_the_executor(
    executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[object] = []

    def submit(*work: Any) -> Future[Any]:
        submitted.append(work)
        return ThreadPoolExecutor.submit(executor, *work)

    monkeypatch.setattr(executor, "submit", submit)
    empty = b'{"prompt": ""}'
    await read(executor, [empty[:-2] + b"x" * (DECODED_AT_ONCE_BYTES_MAX - len(empty)) + empty[-2:]])
    assert not submitted
    await read(executor, [empty[:-2] + b"x" * (DECODED_AT_ONCE_BYTES_MAX - len(empty) + 1) + empty[-2:]])
    assert len(submitted) == 1
    with pytest.raises(InvalidCallError):
        await read(executor, [b'{"n": "' + b"x" * DECODED_AT_ONCE_BYTES_MAX + b'"}'])


def test_parts_of_one_name_are_one_field() -> None:
    fields = parse_fields(
        form(part(b"a", name="image[]"), part(b"b", name="image[]"), part(b"c", name="image")), FORM_TYPE
    )
    assert fields == {"image": ("a", "b", "c")}


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["image[2]", "image[0]", "image[1]"], (1, 2, 0)),
        (["image[10]", "image[9]"], (1, 0)),
        (["image[1]", "image", "image[]"], (1, 2, 0)),
        (["image[0]", "image[0]"], (0, 1)),
    ],
)
def test_numbered_parts_are_in_the_order_of_their_numbers(names: list[str], order: tuple[int, ...]) -> None:
    fields = parse_fields(form(*(part(b"%d" % k, name=name) for k, name in enumerate(names))), FORM_TYPE)
    assert fields == {"image": tuple(map(str, order))}


def test_a_part_of_an_object_belongs_to_its_field() -> None:
    body = form(part(b"gpt-5", name="svg[model]"), part(b"low", name="svg[reasoning][effort]"))
    assert parse_fields(body, FORM_TYPE) == {"svg": ("gpt-5", "low")}


@pytest.mark.parametrize(
    ("filename", "kind"), [("fox.png", "image/png"), ("blob", None), ("", "image/png"), (None, "image/png")]
)
def test_a_file_is_a_file_whatever_it_is_called(filename: str | None, kind: str | None) -> None:
    fields = parse_fields(form(part(b"\x89PNG\r\n\xff", name="image", filename=filename, kind=kind)), FORM_TYPE)
    assert isinstance(fields["image"], FilePart)
    assert fields["image"].data == b"\x89PNG\r\n\xff"


async def test_files_reach_the_struct(executor: ThreadPoolExecutor) -> None:
    body = form(
        part(b"a fox"), part(b"\xff", name="image", filename="a.png"), part(b"\xfe", name="image[]", filename="b")
    )
    data, _ = await read(executor, [body], FORM_TYPE)
    assert isinstance(data.image, ImageInputs)
    assert [item.data for item in data.image.items if isinstance(item, FilePart)] == [b"\xff", b"\xfe"]


def test_a_file_input_left_empty_is_not_given() -> None:
    body = form(part(b"", name="image", filename="", kind="application/octet-stream"))
    assert parse_fields(body, FORM_TYPE) == {}


@pytest.mark.parametrize("kind", [None, "text/plain", "image/png"])
async def test_a_binary_part_without_a_file_name_is_a_file(executor: ThreadPoolExecutor, kind: str | None) -> None:
    data, _ = await read(executor, [form(part(b"a fox"), part(b"\x89PNG\xff", name="image", kind=kind))], FORM_TYPE)
    assert data.image is not None
    [item] = data.image.items
    assert isinstance(item, FilePart)
    assert item.data == b"\x89PNG\xff"


@pytest.mark.parametrize("charset", ["utf-16", "nonsense"])
async def test_a_text_in_another_encoding_is_refused_by_name(executor: ThreadPoolExecutor, charset: str) -> None:
    with pytest.raises(InvalidCallError, match="UTF-8") as caught:
        await read(executor, [form(part(b"a fox", kind=f"text/plain; charset={charset}"))], FORM_TYPE)
    assert caught.value.parameter == "prompt"


async def test_a_binary_prompt_is_refused_by_name(executor: ThreadPoolExecutor) -> None:
    with pytest.raises(InvalidCallError, match="got a file") as caught:
        await read(executor, [form(part(b"\xff"))], FORM_TYPE)
    assert caught.value.parameter == "prompt"


async def test_a_text_field_given_as_a_file_is_refused_by_name(executor: ThreadPoolExecutor) -> None:
    with pytest.raises(InvalidCallError, match="got a file") as caught:
        await read(executor, [form(part(b"a fox", filename="prompt.txt", kind="text/plain"))], FORM_TYPE)
    assert caught.value.parameter == "prompt"


async def test_a_text_field_given_twice_is_refused_by_name(executor: ThreadPoolExecutor) -> None:
    with pytest.raises(InvalidCallError, match="expected one value, got 2") as caught:
        await read(executor, [form(part(b"a fox"), part(b"a dog"))], FORM_TYPE)
    assert caught.value.parameter == "prompt"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form(part(b"a fox")), FORM),
        (form(part(b"a fox")), f"{FORM}; boundary="),
        (form(part(b"a fox")), f"{FORM}; boundary=other"),
        (form(part(b"a fox"))[:-20], FORM_TYPE),
        (b"", FORM_TYPE),
        (b"a fox", FORM_TYPE),
        (f"--{BOUNDARY}\r\n\r\na fox\r\n--{BOUNDARY}--\r\n".encode(), FORM_TYPE),
        (
            form(part(b"a fox", name="\udcff".encode("utf-8", "surrogateescape").decode("latin-1"))).replace(
                b"\xc3", b""
            ),
            FORM_TYPE,
        ),
        (form(part(b"a fox").replace(b'; name="prompt"', b"")), FORM_TYPE),
        (form(part(b"a fox").replace(b"form-data", b"attachment")), FORM_TYPE),
    ],
)
async def test_a_broken_form_is_malformed(executor: ThreadPoolExecutor, body: bytes, content_type: str) -> None:
    with pytest.raises(MalformedRequestError, match="form"):
        await read(executor, [body], content_type)


def test_a_form_of_as_many_parts_as_may_be_is_read_and_one_more_is_not() -> None:
    parts = [part(b"1", name=f"f{index}") for index in range(PARTS_MAX)]
    assert len(parse_fields(form(*parts), FORM_TYPE)) == PARTS_MAX
    with pytest.raises(MalformedRequestError):
        parse_fields(form(*parts, part(b"1")), FORM_TYPE)


def test_the_headers_of_a_part_are_bounded() -> None:
    with_headers = part(b"a fox", kind="text/plain").replace(
        b"\r\n\r\n", b"\r\nX-A: 1" * (PART_HEADERS_MAX - 2) + b"\r\n\r\n"
    )
    assert parse_fields(form(with_headers), FORM_TYPE) == {"prompt": "a fox"}
    with pytest.raises(MalformedRequestError):
        parse_fields(form(with_headers.replace(b"\r\n\r\n", b"\r\nX-B: 1\r\n\r\n")), FORM_TYPE)
    with pytest.raises(MalformedRequestError):
        parse_fields(form(part(b"a fox", name="x" * PART_HEADER_BYTES_MAX)), FORM_TYPE)
