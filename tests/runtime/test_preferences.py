"""What headers say of how a request wants to be served."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.datastructures import Headers

from calotype_provider.errors import InvalidCallError
from calotype_runtime.preferences import (
    FIRST_PAUSES_SECONDS_MAX,
    RETRY_PAUSE_SECONDS_MAX,
    Preferences,
    read_preferences,
)


@pytest.mark.parametrize(
    ("headers", "preferences"),
    [
        ({}, Preferences()),
        ({"prefer": "wait=10"}, Preferences(wait_seconds=10)),
        ({"prefer": 'respond-async, wait="5"'}, Preferences(respond_async=True, wait_seconds=5)),
        ({"prefer": "Wait = 7; foo=bar, wait=9"}, Preferences(wait_seconds=7)),
        ({"prefer": "wait=soon, handling=lenient"}, Preferences()),
        ({"x-stainless-read-timeout": "600"}, Preferences(wait_seconds=600)),
        ({"x-stainless-timeout": "30", "prefer": "wait=60"}, Preferences(wait_seconds=30)),
        ({"x-stainless-read-timeout": "0"}, Preferences()),
        ({"x-stainless-read-timeout": "1.4999999999999998"}, Preferences(wait_seconds=1.4999999999999998)),
        ({"x-stainless-retry-count": "1"}, Preferences(retry_count=1)),
        ({"x-stainless-retry-count": "-1"}, Preferences()),
        ({"idempotency-key": "k1"}, Preferences(idempotency_key="k1")),
        ({"idempotency-key": "k1", "x-calotype-keep": "true"}, Preferences(idempotency_key="k1", keep=True)),
    ],
)
def test_headers_are_read(headers: dict[str, str], preferences: Preferences) -> None:
    assert read_preferences(Headers(headers)) == preferences


def test_preferences_on_several_lines_are_one_list() -> None:
    lines = [(b"prefer", b"respond-async"), (b"prefer", b"wait=5"), (b"prefer", b"wait=9")]
    assert read_preferences(Headers.from_scope({"headers": lines})) == Preferences(respond_async=True, wait_seconds=5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headers", "parameter"),
    [
        ({"x-calotype-keep": "true"}, "X-Calotype-Keep"),
        ({"idempotency-key": ""}, "Idempotency-Key"),
        ({"idempotency-key": "a b"}, "Idempotency-Key"),
        ({"idempotency-key": "k" * 256}, "Idempotency-Key"),
    ],
)
def test_what_cannot_be_meant_is_refused(headers: dict[str, str], parameter: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        read_preferences(Headers(headers))
    assert caught.value.parameter == parameter


@pytest.mark.parametrize(
    ("preferences", "seconds", "back_seconds"),
    [
        (Preferences(retry_count=0, wait_seconds=10), 9.5, RETRY_PAUSE_SECONDS_MAX),
        (Preferences(retry_count=0, wait_seconds=10), 3, 0),
        (Preferences(retry_count=4, wait_seconds=10), 10, RETRY_PAUSE_SECONDS_MAX),
        (Preferences(retry_count=0), 10, FIRST_PAUSES_SECONDS_MAX),
        (Preferences(wait_seconds=10), 10, 0),
    ],
)
def test_a_client_that_timed_out_comes_back_and_one_that_was_told_to_stop_does_not(
    preferences: Preferences, seconds: float, back_seconds: float
) -> None:
    assert preferences.back_seconds(seconds) == back_seconds


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    read_preferences(Headers({"prefer": text, "x-stainless-read-timeout": text, "x-stainless-retry-count": text}))
