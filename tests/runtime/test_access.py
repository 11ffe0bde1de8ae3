"""The door's decisions, on header texts alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_provider.errors import AuthenticationError, ConfigError, ForbiddenError
from calotype_runtime.access import (
    ApiKey,
    authenticate,
    check_host,
    check_origin,
    cors_headers,
    is_loopback,
    preflight_headers,
)

KEYS = {"ada": ApiKey("ck-ada-1"), "grace": ApiKey("ck-grace-2")}
PAGES = ("https://studio.example", "http://localhost:3000")


@pytest.mark.parametrize("authorization", [None, "", "Bearer anything", "Basic x", "Bearer"])
def test_without_keys_everybody_is_anonymous(authorization: str | None) -> None:
    assert authenticate(authorization, {}) == "anonymous"


@pytest.mark.parametrize(
    ("authorization", "name"),
    [
        ("Bearer ck-ada-1", "ada"),
        ("bearer ck-grace-2", "grace"),
        ("BEARER   ck-grace-2 ", "grace"),
    ],
)
def test_a_key_gives_its_callers_name(authorization: str, name: str) -> None:
    assert authenticate(authorization, KEYS) == name


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "ck-ada-1",
        "Basic ck-ada-1",
        "Bearer ck-ada",
        "Bearer ck-ada-11",
        "Bearer ck-\xe4da-1",
    ],
)
def test_without_a_known_key_nobody_comes_in(authorization: str | None) -> None:
    with pytest.raises(AuthenticationError) as caught:
        authenticate(authorization, KEYS)
    assert "ck-" not in str(caught.value)


def test_a_key_is_never_shown() -> None:
    for shown in (repr(KEYS), str(KEYS["ada"]), repr(vars(ApiKey)), f"{KEYS['ada']}"):
        assert "ck-ada" not in shown
    assert not hasattr(KEYS["ada"], "__dict__")


def test_a_key_cannot_be_empty() -> None:
    with pytest.raises(ConfigError):
        ApiKey("")


@given(st.text())
def test_any_authorization_is_a_caller_or_refused(authorization: str) -> None:
    with pytest.raises(AuthenticationError):
        authenticate(authorization, KEYS)


LOOPBACK = [
    "localhost",
    "LocalHost:8000",
    "localhost.:8000",
    "127.0.0.1",
    "127.0.0.1:8000",
    "127.255.0.9:1",
    "[::1]",
    "[::1]:8000",
]
ELSEWHERE = [
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "evil.example#localhost",
    "localhost, evil.example",
    "localhost:8000:8000",
    "localhost:port",
    "0.0.0.0:8000",
    "192.168.0.7",
    "128.0.0.1",
    "[::2]",
    "[fe80::1]",
    "[localhost]",
    "127.1",
    "2130706433",
    "0x7f000001",
    "",
    " ",
    ".",
    "\u0661\u0662\u0667.0.0.1",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_names_are_this_machines_own(host: str) -> None:
    assert is_loopback(host)
    check_host(host)


@pytest.mark.parametrize("host", [None, *ELSEWHERE])
def test_other_hosts_are_refused(host: str | None) -> None:
    assert host is None or not is_loopback(host)
    with pytest.raises(ForbiddenError):
        check_host(host, allowed_hosts=("studio.example",))


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("studio.example", "studio.example"),
        ("Studio.Example:8000", "studio.example"),
        ("studio.example.", "STUDIO.example"),
        ("studio.example:8000", "studio.example:8000"),
        ("192.168.0.7:8000", "192.168.0.7"),
        ("[fe80::1]:8000", "[fe80::1]"),
    ],
)
def test_configured_hosts_are_answered(host: str, allowed: str) -> None:
    check_host(host, allowed_hosts=(allowed,))


def test_a_host_configured_with_its_port_has_no_other() -> None:
    with pytest.raises(ForbiddenError):
        check_host("studio.example:9000", allowed_hosts=("studio.example:8000",))


@given(st.text())
def test_any_host_is_judged(host: str) -> None:
    if not is_loopback(host):
        with pytest.raises(ForbiddenError) as caught:
            check_host(host)
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "localhost:8000"),
        ("http://localhost:8000", "localhost:8000"),
        ("HTTP://LOCALHOST:8000", "localhost:8000"),
        ("http://localhost", "localhost:80"),
        ("http://localhost:80", "localhost"),
        ("https://studio.example", "localhost:8000"),
        ("https://studio.example:443", "localhost:8000"),
        ("http://localhost:3000", "localhost:8000"),
    ],
)
def test_the_same_origin_and_listed_ones_come_in(origin: str | None, host: str) -> None:
    check_origin(origin, scheme="http", host=host, cors_origins=PAGES)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://localhost:8000",
        "http://localhost:8001",
        "http://localhost",
        "http://localhost:8000.evil.example",
        "https://evil.example",
        "https://studio.example.evil.example",
        "http://studio.example",
        "https://studio.example:8443",
        "studio.example",
        "*",
    ],
)
def test_other_origins_are_refused(origin: str) -> None:
    with pytest.raises(ForbiddenError):
        check_origin(origin, scheme="http", host="localhost:8000", cors_origins=PAGES)
    with pytest.raises(ForbiddenError):
        preflight_headers(origin, requested_headers=None, cors_origins=PAGES)
    assert cors_headers(origin, cors_origins=PAGES) == {"vary": "origin"}


def test_null_is_nobodys_origin_even_when_listed() -> None:
    with pytest.raises(ForbiddenError):
        check_origin("null", scheme="http", host="localhost", cors_origins=("null",))
    assert "access-control-allow-origin" not in cors_headers("null", cors_origins=("null",))


def test_a_listed_page_may_read_the_answer() -> None:
    headers = cors_headers("https://studio.example", cors_origins=PAGES)
    assert headers["access-control-allow-origin"] == "https://studio.example"
    assert headers["vary"] == "origin"
    assert "retry-after-ms" in headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", [None, "https://studio.example"])
def test_without_listed_origins_there_are_no_headers(origin: str | None) -> None:
    assert cors_headers(origin, cors_origins=()) == {}


@pytest.mark.parametrize(
    ("requested", "allowed"),
    [
        (None, "authorization, *"),
        ("", "authorization, *"),
        ("authorization, content-type,x-stainless-lang", "authorization, content-type,x-stainless-lang"),
        ("x\r\nset-cookie: a", "authorization, *"),
        (", ".join(["a"] * 65), "authorization, *"),
    ],
)
def test_a_preflight_is_told_what_may_be_sent(requested: str | None, allowed: str) -> None:
    headers = preflight_headers("https://studio.example", requested_headers=requested, cors_origins=PAGES)
    assert headers["access-control-allow-headers"] == allowed
    assert "POST" in headers["access-control-allow-methods"]


def test_a_preflight_without_an_origin_is_refused() -> None:
    with pytest.raises(ForbiddenError):
        preflight_headers(None, requested_headers=None, cors_origins=PAGES)
