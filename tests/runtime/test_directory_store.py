"""Pictures on the disk: whole or not there, private, and swept without touching what is not ours."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from server_process import until

from calotype_provider.errors import ConfigError, NoSuchFileError, StorageError
from calotype_runtime.config import FileSettings
from calotype_runtime.file_store.directory_store import PART, DirectoryStore
from calotype_runtime.file_store.from_settings import open_file_store
from calotype_runtime.file_store.held_directory import (
    STALE_SECONDS_MIN,
    TEMPORARY_PREFIX,
    hold_directory,
    hold_temporary,
    secret_of,
)
from calotype_runtime.file_store.picture_store import KeptPicture, picture_of_key

DATA = b"a picture" * 100
PICTURE = KeptPicture(
    picture_id="0123456789abcdef" * 2, expires=1_000_060, digest="f" * 32, extension="png", bytes_kept=len(DATA)
)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


@pytest.fixture
def store(directory: Path, executor: ThreadPoolExecutor) -> DirectoryStore:
    return DirectoryStore(lambda: hold_directory(directory), executor=executor)


def test_a_key_says_all_that_is_known_of_a_picture() -> None:
    assert picture_of_key(PICTURE.key, len(DATA)) == PICTURE


@pytest.mark.parametrize("key", ["", "fox.png", "lock", "secret", PICTURE.name, PICTURE.key + "x", "../" + PICTURE.key])
def test_what_has_another_name_is_not_ours(key: str) -> None:
    assert picture_of_key(key, 1) is None


async def test_what_was_put_is_read_whole_or_in_part_until_it_is_deleted(store: DirectoryStore) -> None:
    assert await store.begin() == []
    await store.put(PICTURE, DATA)
    assert await store.read(PICTURE, 0, len(DATA)) == DATA
    assert await store.read(PICTURE, 2, 9) == DATA[2:9]
    assert await store.begin() == [PICTURE]
    await store.delete([PICTURE])
    await store.delete([PICTURE])
    assert await store.begin() == []
    with pytest.raises(NoSuchFileError):
        await store.read(PICTURE, 0, 1)
    await store.aclose()


async def test_a_file_that_was_cut_off_is_not_sent_as_if_it_were_whole(store: DirectoryStore, directory: Path) -> None:
    await store.begin()
    await store.put(PICTURE, DATA)
    (directory / PICTURE.key).write_bytes(DATA[:100])
    with pytest.raises(StorageError, match="shorter"):
        await store.read(PICTURE, 0, len(DATA))
    await store.aclose()


async def test_what_was_half_written_goes_at_the_start_and_what_is_not_ours_stays(
    store: DirectoryStore, directory: Path
) -> None:
    directory.mkdir()
    (directory / (PICTURE.key + PART)).write_bytes(DATA[:100])
    kept = {"fox.png", "notes.part", "a.tar.part"}
    for name in kept:
        (directory / name).write_bytes(b"somebody's")
    (directory / PICTURE.key).symlink_to(directory / "fox.png")
    (directory / f"folder-{PICTURE.key}").mkdir()
    assert await store.begin() == []
    assert {path.name for path in directory.iterdir()} == {*kept, "lock", PICTURE.key, f"folder-{PICTURE.key}"}
    await store.aclose()


WRITE_FOR_EVER = """
import asyncio, hashlib, os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from calotype_runtime.file_store.directory_store import DirectoryStore
from calotype_runtime.file_store.held_directory import hold_directory
from calotype_runtime.file_store.picture_store import KeptPicture

async def main():
    store = DirectoryStore(lambda: hold_directory(Path(sys.argv[1])), executor=ThreadPoolExecutor(2))
    await store.begin()
    print("begun", flush=True)
    while True:
        data = os.urandom(2**20)
        digest = hashlib.sha256(data).hexdigest()[:32]
        name = {"picture_id": os.urandom(16).hex(), "digest": digest, "extension": "png"}
        await store.put(KeptPicture(**name, expires=9_999_999_999, bytes_kept=len(data)), data)

asyncio.run(main())
"""


async def test_a_process_that_is_killed_while_it_writes_leaves_whole_pictures_alone(
    store: DirectoryStore, directory: Path
) -> None:
    command = [sys.executable, "-c", WRITE_FOR_EVER, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"begun\n"
        until(lambda: len(list(directory.glob("*.png"))) > 3, "some pictures")
        writer.kill()
    left = await store.begin()
    assert len(left) > 3
    for picture in left:
        data = await store.read(picture, 0, picture.bytes_kept)
        assert hashlib.sha256(data).hexdigest()[:32] == picture.digest
    assert not list(directory.glob(f"*{PART}"))
    await store.aclose()


async def test_pictures_are_for_the_servers_own_user(store: DirectoryStore, directory: Path) -> None:
    await store.begin()
    await store.put(PICTURE, DATA)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / PICTURE.key).stat().st_mode) == 0o600
    await store.aclose()


async def test_a_write_that_fails_leaves_nothing_and_its_error_no_path(store: DirectoryStore, directory: Path) -> None:
    await store.begin()
    (directory / PICTURE.key).mkdir()
    with pytest.raises(StorageError) as caught:
        await store.put(PICTURE, DATA)
    assert str(directory) not in str(caught.value)
    assert not list(directory.glob(f"*{PART}"))
    await store.aclose()


async def test_before_it_has_begun_nothing_is_kept(store: DirectoryStore) -> None:
    with pytest.raises(StorageError):
        await store.put(PICTURE, DATA)
    await store.aclose()


def test_a_directory_has_one_server(directory: Path) -> None:
    held = hold_directory(directory)
    with pytest.raises(ConfigError, match=r"files\.directory .* used by another server"):
        hold_directory(directory)
    held.release()
    assert directory.is_dir()
    hold_directory(directory).release()


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"files\.directory"):
        hold_directory(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"files\.directory"):
        open_file_store(FileSettings(directory=str(tmp_path / "file" / "below")))


def test_the_secret_is_kept_for_the_servers_own_user(directory: Path) -> None:
    held = hold_directory(directory)
    secret = secret_of(held)
    assert len(secret) == 32
    assert secret_of(held) == secret
    path = directory / "secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="open to others"):
        secret_of(held)
    path.chmod(0o600)
    path.write_bytes(secret[:5])
    with pytest.raises(ConfigError, match="not one of ours"):
        secret_of(held)
    held.release()


def test_a_configured_secret_is_not_written_down(directory: Path) -> None:
    settings = FileSettings(directory=str(directory), secret="a secret of thirty-two characters")
    open_file_store(settings)
    assert not (directory / "secret").exists()
    assert "thirty-two" not in repr(settings)


async def test_a_private_directory_goes_with_its_server_and_those_of_killed_servers_go_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: ThreadPoolExecutor
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed, young, others = [
        tmp_path / f"{prefix}x{index}" for index, prefix in enumerate([TEMPORARY_PREFIX] * 2 + ["a"])
    ]
    running = hold_temporary()
    for path in (killed, young, others):
        path.mkdir()
        (path / PICTURE.key).write_bytes(DATA)
    (tmp_path / f"{TEMPORARY_PREFIX}link").symlink_to(others)
    for path in (killed, others, running.path):
        os.utime(path, (0, 0))
    assert STALE_SECONDS_MIN > 0
    store = DirectoryStore(hold_temporary, executor=executor)
    await store.begin()
    assert not killed.exists()
    assert young.exists()
    assert running.path.exists()
    assert (others / PICTURE.key).exists()
    await store.put(PICTURE, DATA)
    [own] = [
        path.parent
        for path in tmp_path.glob(f"*/{PICTURE.key}")
        if path.parent not in (young, others) and not path.parent.is_symlink()
    ]
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    await store.aclose()
    assert not own.exists()
    running.release()
    assert not running.path.exists()
