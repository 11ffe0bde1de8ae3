"""Which internet addresses are public. Decisions on texts; resolves no name and opens no connection."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

HOST_CHARACTERS_MAX = 253

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """False for loopback, private, link-local, metadata, multicast and reserved addresses, and IPv4 within IPv6."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    if address.scope_id is not None or address not in _UNICAST_V6 or _is_isatap(address):
        return False
    return not any(address in network for network in _NOT_PUBLIC_V6)


def to_address(text: str) -> IPv4Address | IPv6Address:
    """An address as a resolver gives it. Raises ValueError."""
    return ip_address(text)


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a URL's host is; None for a name.

    Raises ValueError for what is neither: '127.1', '0x7f000001', '2130706433' and '0177.0.0.1' are what some take for
    addresses and others for names, so nobody could check them.
    """
    if ":" in host:
        return IPv6Address(host)
    if len(host) > HOST_CHARACTERS_MAX or not _NAME.fullmatch(host):
        raise ValueError("not a host's name")
    if _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]):
        return IPv4Address(host)
    return None


def _is_isatap(address: IPv6Address) -> bool:
    """Holds an IPv4 address behind ::0:5efe or ::200:5efe, in whatever network (RFC 5214)."""
    return (int(address) >> 32) & 0xFDFF_FFFF == 0x5EFE


# The registry of special addresses is written out, since ipaddress knows it differently in each release of Python.
_NOT_PUBLIC_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            # Shared by carriers; Alibaba's metadata are at 100.100.100.200.
            "100.64.0.0/10",
            "127.0.0.0/8",
            # Metadata of most clouds are at 169.254.169.254.
            "169.254.0.0/16",
            "172.16.0.0/12",
            # Oracle's metadata are at 192.0.0.192.
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            # Azure's own platform, which only looks public.
            "168.63.129.16/32",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)

_UNICAST_V6 = IPv6Network("2000::/3")
"""All that is public is in here; mapped, compatible, NAT64, unique local, link-local and multicast are not."""

_NOT_PUBLIC_V6 = tuple(
    map(
        IPv6Network,
        (
            # Teredo, benchmarks, ORCHID and the like.
            "2001::/23",
            "2001:db8::/32",
            # 6to4.
            "2002::/16",
            "3fff::/20",
        ),
    )
)
