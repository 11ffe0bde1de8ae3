"""Which proxies are believed, and in what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_runtime.proxies import Proxies, is_network

PROXIES = Proxies(["10.0.0.0/8", "192.0.2.7", "fd00::/8"])
NOTHING = (None, None)


@pytest.mark.parametrize("text", ["10.0.0.1", "10.0.0.0/8", "fd00::/8", "::1"])
def test_addresses_and_networks_are_settings(text: str) -> None:
    assert is_network(text)


@pytest.mark.parametrize("text", ["", "*", "localhost", "10.0.0.1/8", "10.0.0/8", "300.0.0.1"])
def test_anything_else_is_none(text: str) -> None:
    assert not is_network(text)


@pytest.mark.parametrize("peer", [None, "", "unix:", "11.0.0.1", "192.0.2.8", "::1", "testclient"])
def test_strangers_are_not_believed(peer: str | None) -> None:
    headers = {"x-forwarded-proto": "https", "x-forwarded-host": "a.example", "forwarded": "proto=https;host=a.example"}
    assert PROXIES.seen_origin(peer, headers) == NOTHING


@pytest.mark.parametrize("peer", ["10.1.2.3", "192.0.2.7", "fd00::1", "::ffff:10.1.2.3"])
def test_configured_ones_are(peer: str) -> None:
    headers = {"x-forwarded-proto": "HTTPS", "x-forwarded-host": "pictures.example:8443"}
    assert PROXIES.seen_origin(peer, headers) == ("https", "pictures.example:8443")
    assert PROXIES.seen_origin(peer, {}) == NOTHING


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        ({"x-forwarded-proto": "http, https"}, ("https", None)),
        ({"x-forwarded-host": "evil.example, a.example"}, (None, "a.example")),
        ({"x-forwarded-proto": "javascript", "x-forwarded-host": "a.example/path"}, NOTHING),
        ({"x-forwarded-host": "user@a.example"}, NOTHING),
        ({"x-forwarded-host": "[2001:db8::1]:80"}, (None, "[2001:db8::1]:80")),
        ({"forwarded": "proto=https;host=a.example"}, ("https", "a.example")),
        ({"forwarded": 'For="[2001:db8::1]:47011";Proto=https;Host="a.example:8443"'}, ("https", "a.example:8443")),
        # The last element is the nearest proxy's; the one before it is a proxy of ours too, the first is anybody.
        (
            {"forwarded": "host=evil.example, for=1.2.3.4;proto=https;host=a.example, for=10.9.9.9;proto=http;host=b"},
            ("https", "a.example"),
        ),
        ({"forwarded": "host=evil.example, for=1.2.3.4;proto=http;host=b"}, ("http", "b")),
        ({"forwarded": "for=10.9.9.9;host=a.example"}, (None, "a.example")),
        ({"forwarded": 'host="a.example'}, NOTHING),
        ({"forwarded": "host=a.example proto=https"}, NOTHING),
        # Most proxies set these and pass the other on.
        ({"x-forwarded-proto": "https", "forwarded": "host=evil.example"}, ("https", None)),
    ],
)
def test_what_they_say_is_read_from_the_nearest(headers: dict[str, str], seen: tuple[str | None, str | None]) -> None:
    assert PROXIES.seen_origin("10.0.0.1", headers) == seen


@given(st.text(max_size=80) | st.from_regex(r'((for|host|proto)=("?[a-z0-9.:\\"]*"?)[;, ]?){0,6}', fullmatch=True))
def test_no_text_breaks_the_reader(text: str) -> None:
    scheme, host = PROXIES.seen_origin("10.0.0.1", {"forwarded": text})
    assert scheme in (None, "http", "https")
    assert host is None or "/" not in host


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"x-forwarded-for": "1.2.3.4"}, "1.2.3.4"),
        ({"x-forwarded-for": "9.9.9.9, 1.2.3.4:4711, 10.9.9.9"}, "1.2.3.4"),
        ({"x-forwarded-for": "2001:db8::1"}, "2001:db8::1"),
        ({"x-forwarded-for": "1.2.3.4, unknown"}, "10.1.2.3"),
        ({"forwarded": 'for=9.9.9.9, for="[2001:db8::1]:4711", for=10.9.9.9'}, "2001:db8::1"),
        ({"forwarded": "for=_hidden"}, "10.1.2.3"),
        ({}, "10.1.2.3"),
    ],
)
def test_callers_are_where_configured_proxies_say(headers: dict[str, str], address: str) -> None:
    assert PROXIES.seen_address("10.1.2.3", headers) == address
    assert PROXIES.seen_address("11.0.0.1", headers) == "11.0.0.1"
    assert PROXIES.seen_address(None, headers) is None


@given(st.text(), st.text())
def test_any_header_names_an_address_or_the_peer(forwarded: str, forwarded_for: str) -> None:
    headers = {"forwarded": forwarded, "x-forwarded-for": forwarded_for}
    assert PROXIES.seen_address("10.1.2.3", headers)
