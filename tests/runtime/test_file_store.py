"""Pictures by URL: kept for their time, gone after it, and never more than fit."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_provider.errors import (
    CalotypeError,
    FileExpiredError,
    ForbiddenError,
    NoSuchFileError,
    StorageError,
    StorageFullError,
)
from calotype_runtime.file_store.directory_store import DirectoryStore
from calotype_runtime.file_store.held_directory import hold_directory
from calotype_runtime.file_store.picture_store import KeptPicture
from calotype_runtime.file_store.room import PICTURE_BYTES_COUNTED_MIN
from calotype_runtime.file_store.store import PIECE_BYTES, READ_SECONDS_MAX, RETRY_SECONDS, FileStore, Reservation
from calotype_runtime.file_store.url_signer import UrlSigner

KIB = 1024
PICTURE = b"x" * 8 * KIB


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.25

    def __call__(self) -> float:
        return self.now


class MemoryStore:
    """A store that fails when it is told to, and waits for `gate`."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[KeptPicture, bytes]] = {}
        self.fails = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = 0
        self.is_closed = False

    async def begin(self) -> Sequence[KeptPicture]:
        self.begun += 1
        await self._pass()
        return [picture for picture, _ in self.kept.values()]

    async def put(self, picture: KeptPicture, data: bytes) -> None:
        await self._pass()
        self.kept[picture.name] = (picture, data)

    async def read(self, picture: KeptPicture, start: int, stop: int) -> bytes:
        await self._pass()
        return self.kept[picture.name][1][start:stop]

    async def delete(self, pictures: Sequence[KeptPicture]) -> None:
        await self._pass()
        for picture in pictures:
            del self.kept[picture.name]

    async def own_url(self, picture: KeptPicture, *, seconds: int) -> str | None:
        return None

    async def aclose(self) -> None:
        self.is_closed = True

    async def _pass(self) -> None:
        await self.gate.wait()
        if self.fails:
            raise StorageError("out of order")


def file_store(
    pictures: MemoryStore | DirectoryStore, clock: Clock, *, bytes_max: int = 24 * KIB, secret: bytes = b"one"
) -> FileStore:
    """Room for three of PICTURE."""
    return FileStore(
        pictures,
        executor=ThreadPoolExecutor(1),
        bytes_max=bytes_max,
        ttl_seconds=60,
        signer=UrlSigner(secret),
        clock=clock,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def pictures() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def store(pictures: MemoryStore, clock: Clock) -> AsyncIterator[FileStore]:
    store = file_store(pictures, clock)
    yield store
    await store.aclose()
    assert pictures.is_closed


async def put(store: FileStore, data: bytes = PICTURE, media_type: str = "image/png") -> str:
    with await store.reserve(len(data)) as reservation:
        return await reservation.put(data, media_type)


def taken_apart(path: str) -> dict[str, str]:
    url = urlsplit(path)
    query = parse_qs(url.query, strict_parsing=True)
    assert url.path.startswith("/files/")
    return {
        "name": url.path.removeprefix("/files/"),
        "expires": query["expires"][0],
        "signature": query["signature"][0],
    }


async def get(store: FileStore, path: str) -> bytes:
    picture = await store.open(**taken_apart(path))
    return b"".join([piece async for piece in store.read(picture, 0, picture.bytes_kept)])


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
async def test_a_picture_comes_back_by_its_path(store: FileStore, clock: Clock, kind: str) -> None:
    path = await put(store, media_type=f"image/{kind}")
    picture = await store.open(**taken_apart(path))
    assert (picture.media_type, picture.bytes_kept) == (f"image/{kind}", len(PICTURE))
    assert picture.file_name.endswith(f".{kind}")
    assert store.seconds_left(picture) == 60
    assert await get(store, path) == PICTURE


async def test_a_picture_is_known_by_its_bytes(store: FileStore) -> None:
    one, same, other = [
        await store.open(**taken_apart(await put(store, data))) for data in (PICTURE, PICTURE, b"y" * 8 * KIB)
    ]
    assert one.digest == same.digest != other.digest
    assert one.name != same.name


async def test_a_picture_lives_its_time_and_no_longer(store: FileStore, pictures: MemoryStore, clock: Clock) -> None:
    path = await put(store)
    clock.now += 60
    assert await get(store, path) == PICTURE
    await store.sweep()
    assert len(pictures.kept) == 1
    clock.now += 0.75
    with pytest.raises(FileExpiredError):
        await get(store, path)
    await store.sweep()
    assert not pictures.kept
    with pytest.raises(FileExpiredError):
        await get(store, path)


async def test_what_is_over_is_deleted_by_itself(pictures: MemoryStore, clock: Clock) -> None:
    store = file_store(pictures, clock)
    await store.start()
    await put(store)
    clock.now += 61
    # The sweeper sleeps by the loop's clock; a reservation looks at once.
    (await store.reserve(24 * KIB)).release()
    assert not pictures.kept
    await store.aclose()


async def test_a_changed_url_is_forbidden(store: FileStore) -> None:
    one, other = [taken_apart(await put(store)) for _ in range(2)]
    signature = one["signature"]
    changes = [
        {"expires": str(int(one["expires"]) + 1)},
        {"expires": "0" + one["expires"]},
        {"expires": ""},
        {"signature": signature[:-1] + ("0" if signature[-1] != "0" else "1")},
        {"signature": signature.upper() + "A"},
        {"signature": other["signature"]},
        {"signature": ""},
        {"signature": "", "expires": ""},
        {"name": other["name"]},
        {"name": one["name"].replace(".png", ".webp")},
        {"name": "zz" + one["name"][2:]},
    ]
    for change in changes:
        with pytest.raises(ForbiddenError):
            await store.open(**{**one, **change})


@pytest.mark.parametrize(
    "name",
    ["../{}", "..", "..\\{}", "/etc/passwd", "%2e%2e/{}", "{}\0", "a/../{}", ".", "", "secret", "lock", "é.png", "{}/"],
)
@pytest.mark.parametrize("signed", [True, False])
async def test_what_is_no_name_is_not_found(store: FileStore, name: str, signed: bool) -> None:
    genuine = taken_apart(await put(store))
    others = genuine if signed else {"expires": "", "signature": ""}
    with pytest.raises(NoSuchFileError):
        await store.open(**{**others, "name": name.replace("{}", genuine["name"])})


async def test_a_name_of_nothing_is_not_found(store: FileStore, pictures: MemoryStore) -> None:
    with pytest.raises(NoSuchFileError):
        await store.open("fox.png", expires="", signature="")
    # Genuine, and nothing behind it: another server's, or of a directory that was emptied.
    genuine = taken_apart(UrlSigner(b"one").path("0" * 32 + ".png", 2_000_000))
    with pytest.raises(NoSuchFileError):
        await store.open(**genuine)


@given(st.text(), st.text(), st.text())
def test_any_url_is_refused(name: str, expires: str, signature: str) -> None:
    async def attempt() -> None:
        store = file_store(MemoryStore(), Clock())
        with pytest.raises(CalotypeError) as caught:
            await store.open(name, expires=expires, signature=signature)
        assert type(caught.value) in (ForbiddenError, NoSuchFileError)
        await store.aclose()

    asyncio.run(attempt())


async def test_a_store_of_living_pictures_is_full_at_its_bound(store: FileStore, clock: Clock) -> None:
    paths = [await put(store) for _ in range(3)]
    assert store.bytes_free == 0
    clock.now += 10
    with pytest.raises(StorageFullError) as caught:
        await store.reserve(1)
    assert caught.value.retry_after_seconds == pytest.approx(50.75)
    assert [await get(store, path) for path in paths] == [PICTURE] * 3


async def test_room_to_the_last_byte_can_be_reserved(store: FileStore) -> None:
    with pytest.raises(StorageFullError):
        await store.reserve(24 * KIB + 1)
    with await store.reserve(24 * KIB) as reservation:
        assert store.bytes_free == 0
        await reservation.put(b"x" * 24 * KIB, "image/png")
    assert store.bytes_free == 0


async def test_room_is_left_to_those_who_ask_for_urls(store: FileStore) -> None:
    with pytest.raises(StorageFullError):
        await store.reserve(19 * KIB, leaving=6 * KIB)
    (await store.reserve(18 * KIB, leaving=6 * KIB)).release()
    (await store.reserve(19 * KIB)).release()


async def test_what_can_never_fit_is_told_to_wait_long(store: FileStore) -> None:
    with pytest.raises(StorageFullError) as caught:
        await store.reserve(24 * KIB + 1)
    assert caught.value.retry_after_seconds == 60


async def test_reservations_hold_room_that_no_picture_has_yet(store: FileStore) -> None:
    first = await store.reserve(20 * KIB)
    with pytest.raises(StorageFullError) as caught:
        await store.reserve(5 * KIB)
    assert caught.value.retry_after_seconds > 0
    first.release()
    first.release()
    assert store.bytes_free == 24 * KIB


async def test_expired_pictures_make_room_oldest_first(store: FileStore, clock: Clock) -> None:
    first = await put(store)
    clock.now += 30
    others = [await put(store) for _ in range(2)]
    clock.now += 30.75
    newest = await put(store)
    with pytest.raises(FileExpiredError):
        await get(store, first)
    assert [await get(store, path) for path in (*others, newest)] == [PICTURE] * 3


async def test_room_is_free_when_the_picture_is_gone_and_whoever_needs_it_waits(
    store: FileStore, pictures: MemoryStore, clock: Clock
) -> None:
    for _ in range(3):
        await put(store)
    clock.now += 61
    pictures.gate.clear()
    waiting = [asyncio.create_task(store.reserve(12 * KIB)) for _ in range(2)]
    await asyncio.sleep(0)
    assert store.bytes_free == 0
    assert not any(task.done() for task in waiting)
    pictures.gate.set()
    for task in waiting:
        (await task).release()
    assert store.bytes_free == 24 * KIB


async def test_what_was_not_used_is_given_back(store: FileStore) -> None:
    with await store.reserve(20 * KIB) as reservation:
        await reservation.put(PICTURE, "image/png")
        assert reservation.bytes_reserved == 12 * KIB
    assert store.bytes_free == 16 * KIB


async def test_a_failed_painting_gives_all_back(store: FileStore) -> None:
    def fail(reservation: Reservation) -> None:
        with reservation:
            raise RuntimeError("no paint")

    reservation = await store.reserve(20 * KIB)
    with pytest.raises(RuntimeError):
        fail(reservation)
    assert store.bytes_free == 24 * KIB


async def test_more_than_was_reserved_takes_what_is_free_and_no_more(store: FileStore) -> None:
    with await store.reserve(8 * KIB) as reservation:
        await reservation.put(b"x" * 20 * KIB, "image/png")
    assert store.bytes_free == 4 * KIB
    with await store.reserve(4 * KIB) as reservation, pytest.raises(StorageFullError):
        await reservation.put(b"x" * (4 * KIB + 1), "image/png")
    assert store.bytes_free == 4 * KIB


async def test_tiny_pictures_are_bounded_in_number(store: FileStore) -> None:
    for _ in range(24 * KIB // PICTURE_BYTES_COUNTED_MIN):
        await put(store, b"tiny")
    with pytest.raises(StorageFullError):
        await put(store, b"tiny")


async def test_a_reservation_for_many_has_room_for_each(store: FileStore) -> None:
    with await store.reserve(10, files=6) as reservation:
        names = {await reservation.put(b"tiny", "image/png") for _ in range(6)}
    assert len(names) == 6
    with pytest.raises(StorageFullError):
        await store.reserve(10, files=1)


@given(st.lists(st.tuples(st.integers(0, 20 * KIB), st.integers(0, 90)), max_size=20))
def test_room_is_never_lost_nor_made(steps: list[tuple[int, int]]) -> None:
    async def live() -> None:
        clock = Clock()
        pictures = MemoryStore()
        store = file_store(pictures, clock)
        for size, seconds in steps:
            with contextlib.suppress(StorageFullError):
                await put(store, b"x" * size)
            assert 0 <= store.bytes_free <= 24 * KIB
            assert sum(picture.bytes_kept for picture, _ in pictures.kept.values()) <= 24 * KIB
            clock.now += seconds
        clock.now += 61
        await store.sweep()
        assert store.bytes_free == 24 * KIB
        assert not pictures.kept
        await store.aclose()

    asyncio.run(live())


async def test_a_caller_that_leaves_while_its_picture_is_written_loses_no_room(
    store: FileStore, pictures: MemoryStore, clock: Clock
) -> None:
    async def ask() -> None:
        await put(store)

    await store.sweep()
    pictures.gate.clear()
    asking = asyncio.create_task(ask())
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert store.bytes_free == 16 * KIB
    pictures.gate.set()
    await asyncio.gather(*store._puts)
    assert (store.bytes_free, len(pictures.kept)) == (16 * KIB, 1)
    clock.now += 61
    await store.sweep()
    assert (store.bytes_free, len(pictures.kept)) == (24 * KIB, 0)


async def test_a_picture_that_cannot_be_kept_takes_no_room(store: FileStore, pictures: MemoryStore) -> None:
    with await store.reserve(8 * KIB) as reservation:
        pictures.fails = True
        with pytest.raises(StorageError):
            await reservation.put(PICTURE, "image/png")
    assert store.bytes_free == 24 * KIB


async def test_a_picture_that_cannot_be_deleted_keeps_its_room_and_is_tried_again(
    store: FileStore, pictures: MemoryStore, clock: Clock
) -> None:
    await put(store)
    clock.now += 61
    pictures.fails = True
    await store.sweep()
    assert store.bytes_free == 16 * KIB
    pictures.fails = False
    await store.sweep()
    assert store.bytes_free == 16 * KIB
    clock.now += RETRY_SECONDS
    await store.sweep()
    assert store.bytes_free == 24 * KIB


async def test_a_store_that_is_out_of_order_refuses_at_the_door_and_is_tried_again(
    store: FileStore, pictures: MemoryStore, clock: Clock
) -> None:
    pictures.fails = True
    for _ in range(3):
        with pytest.raises(StorageError) as caught:
            await store.reserve(1)
        assert caught.value.is_retryable
    assert pictures.begun == 1
    pictures.fails = False
    clock.now += RETRY_SECONDS
    assert await get(store, await put(store)) == PICTURE
    assert pictures.begun == 2


async def test_who_reads_when_the_time_is_over_reads_to_the_end_and_not_for_ever(
    pictures: MemoryStore, clock: Clock
) -> None:
    data = bytes(range(256)) * (3 * PIECE_BYTES // 256) + b"end"
    store = file_store(pictures, clock, bytes_max=4 * len(data))
    paths = [await put(store, data) for _ in range(2)]
    one, other = [await store.open(**taken_apart(path)) for path in paths]
    reading, stuck = store.read(one, 0, one.bytes_kept), store.read(other, 0, other.bytes_kept)
    read = [await anext(reading)]
    await anext(stuck)
    clock.now += 61
    await store.sweep()
    assert len(pictures.kept) == 2
    read += [piece async for piece in reading]
    assert [len(piece) for piece in read] == [PIECE_BYTES] * 3 + [3]
    assert b"".join(read) == data
    clock.now += 2
    await store.sweep()
    assert list(pictures.kept) == [other.name]
    clock.now += READ_SECONDS_MAX
    await store.sweep()
    assert not pictures.kept
    await stuck.aclose()
    assert not store._readers
    await store.aclose()


async def test_pictures_and_urls_outlive_the_process_in_a_directory(tmp_path: Path, clock: Clock) -> None:
    def begin() -> FileStore:
        executor = ThreadPoolExecutor(1)
        return FileStore(
            DirectoryStore(lambda: hold_directory(tmp_path), executor=executor),
            executor=executor,
            bytes_max=24 * KIB,
            ttl_seconds=60,
            signer=UrlSigner(b"one"),
            clock=clock,
        )

    store = begin()
    early = await put(store)
    clock.now += 30
    late = await put(store)
    await store.aclose()
    clock.now += 31
    store = begin()
    await store.sweep()
    assert store.bytes_free == 16 * KIB
    assert await get(store, late) == PICTURE
    with pytest.raises(FileExpiredError):
        await get(store, early)
    assert len(list(tmp_path.glob("*.png"))) == 1
    await store.aclose()
