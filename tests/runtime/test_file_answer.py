"""Ranges and conditions, as RFC 9110 has them: sections 13 and 14."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_provider.errors import RangeNotSatisfiableError
from calotype_runtime.file_answer import FileAnswer, byte_range, file_answer
from calotype_runtime.file_store.picture_store import KeptPicture

DIGEST = "f" * 32
ETAG = f'"{DIGEST}"'
PICTURE = KeptPicture(picture_id="0123456789abcdef" * 2, expires=60, digest=DIGEST, extension="png", bytes_kept=1000)


def answer(method: str = "GET", **headers: str) -> FileAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return file_answer(PICTURE, named, method=method, seconds_left=42)


def test_without_conditions_all_of_it_is_sent_and_described() -> None:
    assert answer() == FileAnswer(
        200,
        {
            "etag": ETAG,
            "cache-control": "private, max-age=42, immutable",
            "accept-ranges": "bytes",
            "content-type": "image/png",
            "content-disposition": 'inline; filename="calotype-01234567.png"',
            "x-content-type-options": "nosniff",
            "content-length": "1000",
        },
        0,
        1000,
    )


def test_head_has_the_headers_and_no_bytes_whatever_range_it_names() -> None:
    assert answer("HEAD", range="bytes=0-1") == FileAnswer(200, answer().headers)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-999", (0, 1000)),
        ("bytes=10-19", (10, 20)),
        ("Bytes=10-19", (10, 20)),
        ("bytes=990-", (990, 1000)),
        ("bytes=990-2000", (990, 1000)),
        ("bytes=-10", (990, 1000)),
        ("bytes=-2000", (0, 1000)),
        ("bytes=999999999999999998-999999999999999999", None),
        ("bytes=1000-", None),
        ("bytes=-0", None),
    ],
)
def test_one_range_is_served_or_cannot_be(text: str, part: tuple[int, int] | None) -> None:
    if part is None:
        with pytest.raises(RangeNotSatisfiableError, match="1000"):
            byte_range(text, 1000)
        return
    assert byte_range(text, 1000) == part
    given = answer(range=text)
    assert (given.status, given.start, given.stop) == (206, *part)
    assert given.headers["content-range"] == f"bytes {part[0]}-{part[1] - 1}/1000"
    assert given.headers["content-length"] == str(part[1] - part[0])


@pytest.mark.parametrize(
    "text", ["", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,5-6", "items=0-1", "bytes=a-b", "bytes=٣-"]
)
def test_what_is_no_single_range_is_answered_with_all_of_it(text: str) -> None:
    assert answer(range=text) == answer()


@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(1, 1500))
def test_a_range_is_what_slicing_gives(first: int, last: int, total: int) -> None:
    data = bytes(index % 256 for index in range(total))
    for text, expected in (
        (f"bytes={first}-{last}", data[first : last + 1]),
        (f"bytes={first}-", data[first:]),
        (f"bytes=-{last}", data[-last:] if last else b""),
    ):
        try:
            part = byte_range(text, total)
        except RangeNotSatisfiableError:
            assert expected == b""
        else:
            if part is None:
                assert last < first
            else:
                assert data[part[0] : part[1]] == expected != b""


@given(st.text(max_size=60) | st.from_regex(r"bytes=[0-9, -]{0,60}", fullmatch=True))
def test_no_text_breaks_the_reader_of_ranges(text: str) -> None:
    try:
        part = byte_range(text, 1000)
    except RangeNotSatisfiableError:
        return
    assert part is None or 0 <= part[0] < part[1] <= 1000


@pytest.mark.parametrize("value", [ETAG, f"W/{ETAG}", f'"other", {ETAG}', "*"])
def test_who_has_it_already_is_told_so_before_any_range(value: str) -> None:
    given = answer(if_none_match=value, range="bytes=0-1")
    assert (given.status, given.start, given.stop) == (304, 0, 0)
    assert set(given.headers) == {"etag", "cache-control"}


@pytest.mark.parametrize("value", ['"other"', DIGEST, "", '"*"'])
def test_who_has_another_is_sent_this_one(value: str) -> None:
    assert answer(if_none_match=value) == answer()


@pytest.mark.parametrize(
    ("value", "status"),
    [(ETAG, 206), ('"other"', 200), (f"W/{ETAG}", 200), ("Sun, 22 Nov 2026 10:00:00 GMT", 200)],
)
def test_a_range_of_another_picture_is_all_of_this_one(value: str, status: int) -> None:
    assert answer(if_range=value, range="bytes=0-1").status == status


def test_a_range_behind_the_end_of_another_picture_is_all_of_this_one() -> None:
    assert answer(if_range='"other"', range="bytes=5000-") == answer()
