"""Who may come in: keys, hosts, origins. Decisions on header texts; knows no server and no route."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Mapping
from ipaddress import ip_address

from calotype_provider.errors import AuthenticationError, ConfigError, ForbiddenError

ANONYMOUS = "anonymous"
PREFLIGHT_SECONDS = 600
SHOWN_CHARACTERS_MAX = 80

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class ApiKey:
    """A key that can be compared and never read: only its digest is kept."""

    __slots__ = ("_digest",)

    def __init__(self, key: str) -> None:
        if not key:
            raise ConfigError("[keys]: a key must not be empty")
        self._digest = _digest(key)

    def matches(self, key: str) -> bool:
        # Digests have one length, so that not even the key's length shows in the time taken.
        return hmac.compare_digest(self._digest, _digest(key))

    def __repr__(self) -> str:
        return "ApiKey(...)"


def authenticate(authorization: str | None, keys: Mapping[str, ApiKey]) -> str:
    """Whose key it is; 'anonymous' when there are no keys. Raises AuthenticationError, never holding the key."""
    if not keys:
        return ANONYMOUS
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not credentials.strip():
        raise AuthenticationError("a key is needed, as the header 'Authorization: Bearer <key>'")
    # Every key is compared, so that the time taken says nothing of which one came near.
    matching = [name for name, key in keys.items() if key.matches(credentials.strip())]
    if not matching:
        raise AuthenticationError("this key is not known here")
    return matching[0]


def check_host(host: str | None, *, allowed_hosts: Collection[str] = ()) -> None:
    """Raises ForbiddenError unless the Host header is a loopback name or a configured one ('name' or 'name:port').

    A web page can make a browser call this machine under a name that it had point here; Host tells that name.
    """
    if host is not None and (is_loopback(host) or _is_allowed(host, allowed_hosts)):
        return
    raise ForbiddenError(
        f"this server answers to loopback names and to its setting 'hosts', not to {_shown(host)}: call it as localhost"
    )


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine itself: 'localhost', '127.0.0.1:8000', '[::1]'."""
    match = _HOST.fullmatch(host.lower())
    if match is None:
        return False
    name = match[1].removesuffix(".")
    try:
        return name == "localhost" or ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def check_origin(origin: str | None, *, scheme: str, host: str, cors_origins: Collection[str] = ()) -> None:
    """Raises ForbiddenError unless the Origin header is absent, the request's own origin, or listed."""
    if origin is None or _is_listed(origin, cors_origins):
        return
    # "null" is what every sandboxed page calls itself, so it names nobody.
    if origin != "null" and _normal_origin(origin) == _normal_origin(f"{scheme}://{host}"):
        return
    raise ForbiddenError(f"pages of {_shown(origin)} are not answered: list the origin in the setting 'cors_origins'")


def cors_headers(origin: str | None, *, cors_origins: Collection[str]) -> dict[str, str]:
    """What lets a page of a listed origin read the answer."""
    if not cors_origins:
        return {}
    if origin is None or not _is_listed(origin, cors_origins):
        return {"vary": "origin"}
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": "x-request-id, retry-after, retry-after-ms, x-should-retry, location",
        "vary": "origin",
    }


def preflight_headers(
    origin: str | None, *, requested_headers: str | None, cors_origins: Collection[str]
) -> dict[str, str]:
    """What a preflight is told besides `cors_headers`. Raises ForbiddenError unless the origin is listed."""
    if origin is None or not _is_listed(origin, cors_origins):
        raise ForbiddenError(
            f"pages of {_shown(origin)} are not answered: list the origin in the setting 'cors_origins'"
        )
    # Clients send many headers of their own. A text that holds anything but names is not repeated.
    named = requested_headers and re.fullmatch(r"[A-Za-z0-9-]+(?:\s*,\s*[A-Za-z0-9-]+){0,63}", requested_headers)
    return {
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-allow-headers": requested_headers if requested_headers and named else "authorization, *",
        "access-control-max-age": str(PREFLIGHT_SECONDS),
    }


def _is_allowed(host: str, allowed_hosts: Collection[str]) -> bool:
    match = _HOST.fullmatch(host.lower())
    allowed = {name.lower() for name in allowed_hosts}
    return match is not None and (match[0] in allowed or match[1].removesuffix(".") in allowed)


def _is_listed(origin: str, cors_origins: Collection[str]) -> bool:
    return origin != "null" and _normal_origin(origin) in map(_normal_origin, cors_origins)


def _normal_origin(origin: str) -> str:
    scheme, _, host = origin.lower().removesuffix("/").partition("://")
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS.get(scheme, '/'))}"


def _shown(text: str | None) -> str:
    return "none" if text is None else repr(text[:SHOWN_CHARACTERS_MAX])


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
