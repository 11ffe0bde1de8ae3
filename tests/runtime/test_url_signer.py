"""Signatures of URLs: whatever is altered, nothing opens; and the secret shows nowhere."""

from __future__ import annotations

import string
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from calotype_runtime.file_store.url_signer import UrlSigner

SECRET = b"a secret of thirty-two characters"
NAME = "0123456789abcdef0123456789abcdef.png"
SIGNER = UrlSigner(SECRET)


def taken_apart(path: str) -> tuple[str, str, str]:
    url = urlsplit(path)
    query = parse_qs(url.query, strict_parsing=True)
    return url.path.removeprefix("/files/"), query["expires"][0], query["signature"][0]


def test_what_it_signs_is_genuine_here_and_wherever_the_secret_is_the_same() -> None:
    parts = taken_apart(SIGNER.path(NAME, 1_000_060))
    assert parts[:2] == (NAME, "1000060")
    assert SIGNER.is_genuine(*parts)
    assert UrlSigner(SECRET).is_genuine(*parts)
    assert not UrlSigner(SECRET + b"x").is_genuine(*parts)


def test_a_drawn_secret_is_nobody_elses() -> None:
    parts = taken_apart(UrlSigner().path(NAME, 1_000_060))
    assert not UrlSigner().is_genuine(*parts)


@given(
    part=st.integers(0, 2),
    place=st.integers(0, 200),
    change=st.sampled_from(["replace", "insert", "remove"]),
    character=st.one_of(st.sampled_from(string.hexdigits + string.punctuation), st.characters()),
)
def test_any_altered_character_of_name_expiry_or_signature_is_refused(
    part: int, place: int, change: str, character: str
) -> None:
    genuine = taken_apart(SIGNER.path(NAME, 1_000_060))
    text = genuine[part]
    place %= len(text)
    altered = text[:place] + ("" if change == "remove" else character) + text[place + (change != "insert") :]
    parts = (*genuine[:part], altered, *genuine[part + 1 :])
    assert SIGNER.is_genuine(*parts) == (altered == text)


@given(st.text(), st.text(), st.text())
def test_no_text_is_genuine_by_chance_and_none_is_too_strange(name: str, expires: str, signature: str) -> None:
    assert not SIGNER.is_genuine(name, expires, signature)


def test_the_end_of_a_name_cannot_be_moved_into_the_expiry() -> None:
    _, expires, signature = taken_apart(SIGNER.path(NAME, 1_000_060))
    assert not SIGNER.is_genuine(f"{NAME}\n{expires}", "", signature)


def test_the_secret_is_not_in_the_repr() -> None:
    assert "secret" not in repr(SIGNER)
