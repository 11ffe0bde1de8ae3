"""Pictures by URL: kept for their time, gone after it, and never more than fit."""

from __future__ import annotations

import contextlib
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_provider.errors import NoSuchFileError, StorageFullError
from calotype_provider.types import ImageFile
from calotype_runtime.file_store import PICTURE_BYTES_COUNTED_MIN, FileStore, Reservation

KIB = 1024
PICTURE = b"x" * 8 * KIB


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> FileStore:
    """Room for three of PICTURE."""
    return FileStore(bytes_max=24 * KIB, ttl_seconds=60, clock=clock)


def put(store: FileStore, data: bytes = PICTURE, media_type: str = "image/png") -> str:
    with store.reserve(len(data)) as reservation:
        return reservation.put(data, media_type)


def taken_apart(path: str) -> tuple[str, str, str]:
    url = urlsplit(path)
    query = parse_qs(url.query, strict_parsing=True)
    assert url.path.startswith("/files/")
    return url.path.removeprefix("/files/"), query["expires"][0], query["signature"][0]


def get(store: FileStore, path: str) -> ImageFile:
    name, expires, signature = taken_apart(path)
    return store.get(name, expires=expires, signature=signature)


@pytest.mark.parametrize(
    ("media_type", "ending"), [("image/png", ".png"), ("image/jpeg", ".jpeg"), ("image/webp", ".webp")]
)
def test_a_picture_comes_back_by_its_path(store: FileStore, media_type: str, ending: str) -> None:
    name = put(store, media_type=media_type)
    assert name.endswith(ending)
    assert get(store, store.path_for(name)) == ImageFile(PICTURE, media_type)


def test_a_picture_lives_its_time_and_no_longer(store: FileStore, clock: Clock) -> None:
    path = store.path_for(put(store))
    clock.now += 60
    assert get(store, path).data == PICTURE
    clock.now += 0.75
    with pytest.raises(NoSuchFileError):
        get(store, path)


def test_no_path_is_given_for_what_is_not_kept(store: FileStore) -> None:
    with pytest.raises(NoSuchFileError):
        store.path_for("fox.png")


def test_a_changed_url_opens_nothing(store: FileStore) -> None:
    name, expires, signature = taken_apart(store.path_for(put(store)))
    other, _, other_signature = taken_apart(store.path_for(put(store)))
    for wrong in (
        (name, str(int(expires) + 1), signature),
        (name, expires, signature[:-1] + ("0" if signature[-1] != "0" else "1")),
        (name, expires, signature.upper()),
        (name, expires, other_signature),
        (name, expires, ""),
        (name, "0" + expires, signature),
        (name, "", signature),
        (other, expires, signature),
        (name.replace(".png", ".webp"), expires, signature),
        ("../" + name, expires, signature),
    ):
        with pytest.raises(NoSuchFileError):
            store.get(wrong[0], expires=wrong[1], signature=wrong[2])


@given(st.text(), st.text(), st.text())
def test_any_url_is_refused_in_the_same_words(name: str, expires: str, signature: str) -> None:
    store = FileStore(bytes_max=24 * KIB, ttl_seconds=60)
    with pytest.raises(NoSuchFileError, match="no picture is kept under this URL, or its time is over"):
        store.get(name, expires=expires, signature=signature)


def test_signatures_of_another_process_are_not_ours(store: FileStore, clock: Clock) -> None:
    stranger = FileStore(bytes_max=24 * KIB, ttl_seconds=60, clock=clock)
    name, expires, _ = taken_apart(store.path_for(put(store)))
    forged = stranger._signature(name, expires)
    with pytest.raises(NoSuchFileError):
        store.get(name, expires=expires, signature=forged)
    twins = [FileStore(bytes_max=1, ttl_seconds=1, secret=b"one")._signature("a", "1") for _ in range(2)]
    assert twins[0] == twins[1]


def test_a_store_of_living_pictures_is_full_at_its_bound(store: FileStore, clock: Clock) -> None:
    paths = [store.path_for(put(store)) for _ in range(3)]
    assert store.bytes_free == 0
    clock.now += 10
    with pytest.raises(StorageFullError) as caught:
        store.reserve(1)
    assert caught.value.retry_after_seconds == pytest.approx(50.75)
    assert [get(store, path).data for path in paths] == [PICTURE] * 3


def test_room_to_the_last_byte_can_be_reserved(store: FileStore) -> None:
    with pytest.raises(StorageFullError):
        store.reserve(24 * KIB + 1)
    with store.reserve(24 * KIB) as reservation:
        assert store.bytes_free == 0
        reservation.put(b"x" * 24 * KIB, "image/png")
    assert store.bytes_free == 0


def test_what_can_never_fit_is_told_to_wait_long(store: FileStore) -> None:
    with pytest.raises(StorageFullError) as caught:
        store.reserve(24 * KIB + 1)
    assert caught.value.retry_after_seconds == 60


def test_reservations_hold_room_that_no_picture_has_yet(store: FileStore) -> None:
    first = store.reserve(20 * KIB)
    with pytest.raises(StorageFullError) as caught:
        store.reserve(5 * KIB)
    assert caught.value.retry_after_seconds > 0
    first.release()
    first.release()
    assert store.bytes_free == 24 * KIB


def test_expired_pictures_make_room_oldest_first(store: FileStore, clock: Clock) -> None:
    first = store.path_for(put(store))
    clock.now += 30
    others = [store.path_for(put(store)) for _ in range(2)]
    clock.now += 30.75
    newest = store.path_for(put(store))
    with pytest.raises(NoSuchFileError):
        get(store, first)
    assert [get(store, path).data for path in (*others, newest)] == [PICTURE] * 3


def test_what_was_not_used_is_given_back(store: FileStore) -> None:
    with store.reserve(20 * KIB) as reservation:
        reservation.put(PICTURE, "image/png")
        assert reservation.bytes_reserved == 12 * KIB
    assert store.bytes_free == 16 * KIB


def test_a_failed_painting_gives_all_back(store: FileStore) -> None:
    def fail(reservation: Reservation) -> None:
        with reservation:
            raise RuntimeError("no paint")

    with pytest.raises(RuntimeError):
        fail(store.reserve(20 * KIB))
    assert store.bytes_free == 24 * KIB


def test_more_than_was_reserved_takes_what_is_free_and_no_more(store: FileStore) -> None:
    with store.reserve(8 * KIB) as reservation:
        reservation.put(b"x" * 20 * KIB, "image/png")
    assert store.bytes_free == 4 * KIB
    with store.reserve(4 * KIB) as reservation, pytest.raises(StorageFullError):
        reservation.put(b"x" * (4 * KIB + 1), "image/png")
    assert store.bytes_free == 4 * KIB


def test_tiny_pictures_are_bounded_in_number(store: FileStore) -> None:
    for _ in range(24 * KIB // PICTURE_BYTES_COUNTED_MIN):
        put(store, b"tiny")
    with pytest.raises(StorageFullError):
        put(store, b"tiny")


def test_a_reservation_for_many_has_room_for_each(store: FileStore) -> None:
    with store.reserve(10, files=6) as reservation:
        names = {reservation.put(b"tiny", "image/png") for _ in range(6)}
    assert len(names) == 6
    with pytest.raises(StorageFullError):
        store.reserve(10, files=1)


@given(st.lists(st.tuples(st.integers(0, 20 * KIB), st.integers(0, 90)), max_size=20))
def test_room_is_never_lost_nor_made(steps: list[tuple[int, int]]) -> None:
    clock = Clock()
    store = FileStore(bytes_max=24 * KIB, ttl_seconds=60, clock=clock)
    for size, seconds in steps:
        with contextlib.suppress(StorageFullError):
            put(store, b"x" * size)
        assert 0 <= store.bytes_free <= 24 * KIB
        clock.now += seconds
    clock.now += 61
    assert store.bytes_free == 24 * KIB
