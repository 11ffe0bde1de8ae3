"""Settings -> the store of answers by URL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from calotype_runtime.config import FileSettings
from calotype_runtime.file_store.bucket_store import BucketStore
from calotype_runtime.file_store.directory_store import DirectoryStore
from calotype_runtime.file_store.held_directory import hold_directory, hold_temporary, secret_of
from calotype_runtime.file_store.picture_store import PictureStore
from calotype_runtime.file_store.store import FileStore
from calotype_runtime.file_store.url_signer import UrlSigner

FILE_THREADS = 4
"""For the disk alone: its waits hold up neither the event loop nor what is encoded."""


def open_file_store(settings: FileSettings) -> FileStore:
    """Starts nothing. Raises ConfigError for a directory or a bucket that cannot be used."""
    executor = ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="files")
    secret = settings.secret.encode() if settings.secret else None
    pictures: PictureStore
    if settings.bucket is not None:
        pictures = BucketStore(settings.bucket)
    else:
        held = None if settings.directory is None else hold_directory(Path(settings.directory).expanduser())
        if held and secret is None:
            secret = secret_of(held)
        pictures = DirectoryStore(lambda: held or hold_temporary(), executor=executor)
    return FileStore(
        pictures,
        executor=executor,
        bytes_max=settings.bytes_max,
        ttl_seconds=settings.ttl_seconds,
        signer=UrlSigner(secret),
    )
