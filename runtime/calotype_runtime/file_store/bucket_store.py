"""Pictures in a bucket that speaks S3, over obstore (the extra `s3`). Its URLs are its own: it serves them itself."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from calotype_provider.errors import ConfigError, NoSuchFileError, StorageError
from calotype_runtime.file_store.picture_store import KeptPicture, picture_of_key

if TYPE_CHECKING:
    from obstore.store import S3Store

RETRIES_MAX = 2
RETRY_SECONDS_MAX = 20


class BucketStore:
    """`url` is 's3://name/prefix'. Endpoint, region and credentials are in the environment, as obstore reads them."""

    def __init__(self, url: str) -> None:
        self._bucket = _open(url)

    async def begin(self) -> Sequence[KeptPicture]:
        import obstore

        left = []
        with _failures("list its pictures"):
            async for batch in obstore.list(self._bucket):
                left += [picture_of_key(entry["path"], entry["size"]) for entry in batch]
        return [picture for picture in left if picture is not None]

    async def put(self, picture: KeptPicture, data: bytes) -> None:
        import obstore

        attributes = {
            "Content-Type": picture.media_type,
            "Content-Disposition": f'inline; filename="{picture.file_name}"',
            "Cache-Control": "private, immutable",
        }
        try:
            with _failures("take a picture"):
                await obstore.put_async(self._bucket, picture.key, data, attributes=attributes, use_multipart=False)
        except StorageError:
            # It may have arrived all the same.
            with contextlib.suppress(StorageError):
                await self.delete([picture])
            raise

    async def read(self, picture: KeptPicture, start: int, stop: int) -> bytes:
        import obstore

        with _failures("give a picture back"):
            try:
                return bytes(await obstore.get_range_async(self._bucket, picture.key, start=start, end=stop))
            except FileNotFoundError:
                raise NoSuchFileError("no picture is kept under this name") from None

    async def delete(self, pictures: Sequence[KeptPicture]) -> None:
        import obstore

        with _failures("delete a picture"), contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(self._bucket, [picture.key for picture in pictures])

    async def own_url(self, picture: KeptPicture, *, seconds: int) -> str | None:
        import obstore

        with _failures("sign a URL"):
            return await obstore.sign_async(self._bucket, "GET", picture.key, timedelta(seconds=seconds))

    async def aclose(self) -> None:
        """Its connections end with it."""


def _open(url: str) -> S3Store:
    try:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store
    except ImportError as error:
        raise ConfigError("files.bucket needs the extra 's3': pip install 'calotype[s3]'") from error
    try:
        # Options given to its client would hide the environment's. Its own limits are 5 s to connect and 30 s in all.
        return S3Store.from_url(
            url,
            retry_config={"max_retries": RETRIES_MAX, "retry_timeout": timedelta(seconds=RETRY_SECONDS_MAX)},
        )
    except (BaseError, ValueError) as error:
        # Neither its text nor its cause is shown: they may repeat what the environment holds.
        raise ConfigError(
            f"files.bucket: {url!r} cannot be opened with the AWS_* variables of the environment "
            f"({type(error).__name__})"
        ) from None


@contextlib.contextmanager
def _failures(what: str) -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        # S3's own words repeat the request, with who signed it: no more is taken of them than their code.
        code = re.search(r"<Code>(\w{1,80})</Code>", str(error))
        raise StorageError(f"the bucket did not {what}: {code[1] if code else type(error).__name__}") from None
