"""Pictures in a bucket, against a real S3 server's double (moto): kept, given out by URLs of its own, deleted."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from s3_process import ACCESS_KEY, REGION, SECRET_KEY, S3Process

from calotype_provider.errors import ConfigError, NoSuchFileError, StorageError
from calotype_runtime.file_store.bucket_store import BucketStore
from calotype_runtime.file_store.picture_store import KeptPicture

DATA = b"a picture" * 100


def picture(number: int) -> KeptPicture:
    return KeptPicture(
        picture_id=f"{number:032x}", expires=1_000_060, digest="f" * 32, extension="webp", bytes_kept=len(DATA)
    )


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Process]:
    with S3Process() as process:
        yield process


@pytest.fixture
def environment(s3: S3Process, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def store(environment: pytest.MonkeyPatch) -> BucketStore:
    return BucketStore("s3://pictures/some/where")


async def test_what_was_put_is_read_whole_or_in_part_until_it_is_deleted(store: BucketStore) -> None:
    assert await store.begin() == []
    pictures = [picture(number) for number in range(3)]
    for one in pictures:
        await store.put(one, DATA)
    assert sorted(one.name for one in await store.begin()) == [one.name for one in pictures]
    assert (await store.begin())[0] in pictures
    assert await store.read(pictures[0], 0, len(DATA)) == DATA
    assert await store.read(pictures[0], 2, 9) == DATA[2:9]
    await store.delete(pictures)
    await store.delete(pictures)
    assert await store.begin() == []
    with pytest.raises(NoSuchFileError):
        await store.read(pictures[0], 0, 1)
    await store.aclose()


async def test_what_lies_beside_its_pictures_is_left_alone(store: BucketStore, s3: S3Process) -> None:
    for key in ("fox.png", "some/fox.png", "some/where/fox.png", "some/where/below/" + picture(1).key):
        request = urllib.request.Request(f"{s3.url}/pictures/{key}", data=b"somebody's", method="PUT")
        urllib.request.urlopen(request).close()
    assert await store.begin() == []


async def test_its_urls_are_signed_for_a_time_and_open_the_picture(store: BucketStore, s3: S3Process) -> None:
    kept = picture(7)
    await store.put(kept, DATA)
    url = await store.own_url(kept, seconds=1234)
    assert url is not None
    assert url.startswith(f"{s3.url}/pictures/some/where/")
    assert SECRET_KEY not in url
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert query["X-Amz-Expires"] == "1234"
    assert signed_by_botocore(url, query) == query["X-Amz-Signature"]
    with urllib.request.urlopen(url) as response:
        assert response.read() == DATA
        assert response.headers["content-type"] == "image/webp"
        assert response.headers["content-disposition"] == 'inline; filename="calotype-00000000.webp"'
        assert "private" in response.headers["cache-control"]
        assert response.headers["etag"]
    await store.delete([kept])


def signed_by_botocore(url: str, query: dict[str, str]) -> str:
    """The signature that AWS's own library gives the same URL at the same second."""
    rest = {name: value for name, value in query.items() if name != "X-Amz-Signature"}
    request = AWSRequest("GET", url.partition("?")[0], params=rest)
    request.context["timestamp"] = query["X-Amz-Date"]
    auth = S3SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION)
    canonical = auth.canonical_request(request)
    return str(auth.signature(auth.string_to_sign(request, canonical), request))


async def test_what_a_bucket_refuses_is_told_without_who_asked(environment: pytest.MonkeyPatch) -> None:
    absent = BucketStore("s3://absent")
    for work in (absent.begin(), absent.put(picture(1), DATA)):
        with pytest.raises(StorageError) as caught:
            await work
        assert "the bucket did not" in str(caught.value)
        assert ACCESS_KEY not in str(caught.value) + repr(caught.value.__cause__)
        assert SECRET_KEY not in str(caught.value)
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError):
        await BucketStore("s3://pictures").begin()


@pytest.mark.parametrize("url", ["s3://", "gs://pictures", "pictures"])
def test_what_is_no_bucket_is_named(environment: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(ConfigError, match=r"files\.bucket") as caught:
        BucketStore(url)
    assert SECRET_KEY not in str(caught.value)


def test_nothing_shows_its_credentials(store: BucketStore) -> None:
    assert SECRET_KEY not in repr(store) + repr(vars(store))
