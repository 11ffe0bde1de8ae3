"""The scheme and host that callers see, and where they are, where a proxy stands before the server: believed from
configured ones alone.

The proxies must set the headers that they are believed in, and not pass on a caller's own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_PAIR = re.compile(r"""\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))\s*""", re.ASCII)


class SeenOrigin(NamedTuple):
    """As the caller sees it; None where the proxy does not say, or not in a form that can be one."""

    scheme: str | None
    host: str | None


def is_network(text: str) -> bool:
    """'10.0.0.1', '10.0.0.0/8', 'fd00::/8'."""
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


class Proxies:
    def __init__(self, networks: Collection[str]) -> None:
        self._networks = tuple(ip_network(network) for network in networks)

    def include(self, address: str | None) -> bool:
        """Whether the other end of a connection is one of them."""
        try:
            known = _plain(ip_address(address or ""))
        except ValueError:
            return False
        return any(known in network for network in self._networks)

    def seen_origin(self, peer: str | None, headers: Mapping[str, str]) -> SeenOrigin:
        """By `X-Forwarded-Proto` and `X-Forwarded-Host`, which most proxies set, else by `Forwarded` (RFC 7239)."""
        if not self.include(peer):
            return SeenOrigin(None, None)
        scheme, host = _last(headers.get("x-forwarded-proto")), _last(headers.get("x-forwarded-host"))
        if scheme is None and host is None:
            element = self._believed(_elements(headers.get("forwarded", "")))
            scheme, host = element.get("proto"), element.get("host")
        scheme = scheme.lower() if scheme else None
        return SeenOrigin(
            scheme if scheme in ("http", "https") else None, host if host and _HOST.fullmatch(host) else None
        )

    def seen_address(self, peer: str | None, headers: Mapping[str, str]) -> str | None:
        """Of the caller, by `X-Forwarded-For` or else `Forwarded`: the nearest that is no proxy of ours."""
        if not self.include(peer):
            return peer
        nodes = [node.strip() for node in (headers.get("x-forwarded-for") or "").split(",") if node.strip()]
        if not nodes:
            nodes = [element.get("for", "") for element in _elements(headers.get("forwarded", ""))]
        for node in reversed(nodes):
            if not _is_address(address := _address(node)):
                break
            peer = address
            if not self.include(address):
                break
        return peer

    def _believed(self, elements: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
        """The nearest proxy's, and the one before it for as long as that was sent by a proxy of ours too."""
        believed: Mapping[str, str] = {}
        for element in reversed(elements):
            believed = element
            if not self.include(_address(element.get("for", ""))):
                break
        return believed


def _last(values: str | None) -> str | None:
    """What the nearest proxy has said."""
    return (values or "").rpartition(",")[2].strip() or None


def _elements(text: str) -> list[dict[str, str]]:
    """'for=1.2.3.4;proto=https, for=...' taken apart. All of it, or nothing: what cannot be read is not believed."""
    elements: list[dict[str, str]] = [{}]
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            return []
        name, quoted, token = match.groups()
        elements[-1][name.lower()] = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        position = match.end() + 1
        separator = text[match.end() : position]
        if separator == ",":
            elements.append({})
        elif separator not in (";", ""):
            return []
    return elements


def _address(node: str) -> str:
    """'192.0.2.1:4711' and '[2001:db8::1]:4711' without their ports; X-Forwarded-For has '2001:db8::1' too."""
    if node.startswith("["):
        return node[1:].partition("]")[0]
    return node if node.count(":") > 1 else node.partition(":")[0]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
