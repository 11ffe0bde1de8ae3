"""What a request's headers say of how it wants to be served: how long its caller waits, and whether it asks again.

`Prefer` is RFC 7240's; the `x-stainless-` headers are those of OpenAI's clients (openai-python 3.54, openai-node 7.57).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from litestar.datastructures import Headers

from calotype_provider.errors import InvalidCallError

KEY_CHARACTERS_MAX = 255
TIMED_OUT_SHARE = 0.9
"""Of a client's own time: who leaves after so much of it has not given up, and will ask again."""

RETRY_PAUSE_SECONDS_MAX = 15.0
"""Before a client asks again whose time was over; OpenAI's pause for 8 s at most."""

FIRST_PAUSES_SECONDS_MAX = 2.0
"""The same for the first two tries of those that do not tell their time, and may as well have been stopped by hand:
openai-node announces a call's own timeout, and not the client's."""

_NUMBER = re.compile(r"[0-9]{1,7}(\.[0-9]{1,20})?", re.ASCII)
_KEY = re.compile(r"[!-~]+", re.ASCII)


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    wait_seconds: float | None = None
    """How long the caller waits, and then gives up or asks again."""
    respond_async: bool = False
    idempotency_key: str | None = None
    keep: bool = False
    """The work is finished though the caller has left."""
    retry_count: int | None = None
    """How often the client has asked before; None: of a client that does not say."""

    def back_seconds(self, seconds: float) -> float:
        """Within how many seconds the client may ask again by itself when it leaves after so many; 0: it will not."""
        if self.retry_count is None:
            return 0.0
        if self.wait_seconds is None:
            return FIRST_PAUSES_SECONDS_MAX
        return RETRY_PAUSE_SECONDS_MAX if seconds >= self.wait_seconds * TIMED_OUT_SHARE else 0.0


def read_preferences(headers: Headers) -> Preferences:
    """`Prefer` may come on several lines: one list. What is not understood is not preferred (RFC 7240, section 2).

    Raises InvalidCallError for a key that is none, and for work that shall be kept without a key to find it by.
    """
    preferred = dict(_preferences(",".join(headers.getall("prefer", []))))
    waits = [_number(text) for text in (preferred.get("wait"), *(headers.get(name) for name in _TIMEOUTS))]
    retry_count = _number(headers.get("x-stainless-retry-count"))
    key = headers.get("idempotency-key")
    keep = headers.get("x-calotype-keep", "").strip().lower() in ("true", "1")
    if key is not None and (len(key) > KEY_CHARACTERS_MAX or not _KEY.fullmatch(key)):
        raise InvalidCallError(
            f"Idempotency-Key must be 1 to {KEY_CHARACTERS_MAX} printable characters without spaces",
            parameter="Idempotency-Key",
        )
    if keep and key is None:
        raise InvalidCallError(
            "X-Calotype-Keep needs an Idempotency-Key to come back with", parameter="X-Calotype-Keep"
        )
    return Preferences(
        wait_seconds=min((wait for wait in waits if wait), default=None),
        respond_async="respond-async" in preferred,
        idempotency_key=key,
        keep=keep,
        retry_count=None if retry_count is None else int(retry_count),
    )


_TIMEOUTS = ("x-stainless-read-timeout", "x-stainless-timeout")


def _preferences(text: str) -> Iterator[tuple[str, str]]:
    """'respond-async, wait=10' -> its names, in lower case, and their values. The first of a name counts."""
    for preference in reversed(text.split(",")):
        name, _, value = preference.partition(";")[0].partition("=")
        yield name.strip().lower(), value.strip().strip('"')


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and _NUMBER.fullmatch(text.strip()) else None
