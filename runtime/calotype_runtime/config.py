"""Settings, decoded once from a TOML file and the environment. Unknown keys are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from calotype_provider.catalog import EMBEDDED, TINTYPE_ID
from calotype_provider.errors import ConfigError
from calotype_provider.local.engine import EngineSettings, PositiveSeconds
from calotype_runtime.access import is_loopback
from calotype_runtime.image_inputs import PictureSettings
from calotype_runtime.proxies import is_network

PositiveInteger = Annotated[int, msgspec.Meta(ge=1)]

BUCKET_URL_SECONDS_MAX = 7 * 24 * 3600


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A diffusers folder; a relative one is relative to the settings file."""

    folder: str


class FileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answers by URL."""

    ttl_seconds: PositiveSeconds = 3600.0
    bytes_max: PositiveInteger = 512 * 2**20
    directory: str | None = None
    """Where pictures and their URLs outlive a restart; a relative one is relative to the settings file."""
    bucket: str | None = None
    """'s3://name/prefix'; endpoint, region and credentials are in the environment."""
    secret: Annotated[str, msgspec.Meta(min_length=32)] | None = None
    """What URLs are signed with."""

    @property
    def lasts(self) -> bool:
        """Whether URLs outlive the server."""
        return self.directory is not None or self.bucket is not None

    def __repr__(self) -> str:
        return f"FileSettings(directory={self.directory!r}, bucket={self.bucket!r})"


class QueueSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Calls at work at once, and calls that may wait behind them: in all, and of one caller."""

    running_max: PositiveInteger = 8
    waiting_max: Annotated[int, msgspec.Meta(ge=0)] = 256
    waiting_per_caller_max: Annotated[int, msgspec.Meta(ge=0)] = 256


class JobSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Work that callers do not wait for (`Prefer: respond-async`)."""

    directory: str | None = None
    """Where jobs outlive the server; a relative one is relative to the settings file."""
    lasting: bool = True
    """Whether jobs outlive the server where no directory is named: in the user's own state directory then."""
    running_max: PositiveInteger = 4
    waiting_max: Annotated[int, msgspec.Meta(ge=0)] = 4000
    waiting_per_caller_max: Annotated[int, msgspec.Meta(ge=0)] = 1000
    bytes_max: PositiveInteger = 4 * 2**30
    """What they ask for, and their results; also those that are to come."""
    ttl_seconds: PositiveSeconds = 24 * 3600.0
    """How long a job that has ended is kept."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8000
    """0 lets the system choose."""
    public_url: str | None = None
    """What answers by URL begin with, where a proxy hides the request's own origin: 'https://pictures.example'."""
    hosts: tuple[str, ...] = ()
    """Names besides the loopback's that a request's Host may have while there are no keys."""
    proxies: tuple[str, ...] = ()
    """Addresses or networks whose word is believed on the scheme and host that callers see."""
    cors_origins: tuple[str, ...] = ()
    keys: dict[str, str] = {}
    """A caller's name -> its key. With any, every call needs one."""
    demo: bool = False
    default_model: str = TINTYPE_ID
    models: dict[str, ModelSettings] = {}
    files: FileSettings = FileSettings()
    pictures: PictureSettings = PictureSettings()
    queue: QueueSettings = QueueSettings()
    jobs: JobSettings = JobSettings()
    engine: EngineSettings = EngineSettings()
    body_bytes_max: PositiveInteger = 32 * 2**20
    body_seconds_max: PositiveSeconds = 60.0
    """How long a request body may take to arrive."""
    bodies_bytes_max: PositiveInteger = 256 * 2**20
    """Bodies that are being read, all together."""
    answer_begin_seconds_max: PositiveSeconds = 60.0
    """A whole answer that takes longer begins with spaces, so that the connection lives; its status is 200 then."""
    connections_max: PositiveInteger = 1000
    stop_seconds_max: PositiveSeconds = 30.0
    """How long running pictures may take to finish when the server is told to stop."""
    png_parameters: bool = True
    """Whether PNG files say in their text what they were painted from."""
    log_prompts: bool = False

    def __repr__(self) -> str:
        return f"Settings(host={self.host!r}, port={self.port}, models={list(self.models)}, keys={list(self.keys)})"


def load_settings(
    path: Path | None,
    environment: Mapping[str, str],
    *,
    models: Mapping[str, ModelSettings] | None = None,
    **given: object,
) -> Settings:
    """Decode the file (None: defaults), lay the environment, `models` and what was `given` (None: was not) over it.

    The environment has `CALOTYPE_API_KEYS`: 'name=key,other=key'. Raises ConfigError, naming the setting.
    """
    settings = _decode(path) if path else Settings()
    overrides = {name: value for name, value in given.items() if value is not None}
    settings = msgspec.structs.replace(
        settings,
        keys={**settings.keys, **_keys_of(environment.get("CALOTYPE_API_KEYS", ""))},
        models={**settings.models, **(models or {})},
        **overrides,
    )
    _check(settings)
    return settings


def model_folders(settings: Settings) -> dict[str, Path]:
    """Model id -> folder, the embedded models first; the settings may name another folder for one of them."""
    import calotype_provider

    package = Path(calotype_provider.__file__).parent
    embedded = {model_id: package / folder for model_id, folder in EMBEDDED.items()}
    return embedded | {name: Path(model.folder).expanduser() for name, model in settings.models.items()}


def bracketed(host: str) -> str:
    """An address as URLs and Host headers write it."""
    return f"[{host}]" if ":" in host else host


def _decode(path: Path) -> Settings:
    try:
        settings = msgspec.toml.decode(path.read_bytes(), type=Settings)
    except OSError as error:
        raise ConfigError(f"the settings file {path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the settings file {path}: {error}") from error
    models = {
        name: msgspec.structs.replace(model, folder=str(path.parent / Path(model.folder).expanduser()))
        for name, model in settings.models.items()
    }
    files = settings.files
    if files.directory is not None:
        files = msgspec.structs.replace(files, directory=str(path.parent / Path(files.directory).expanduser()))
    jobs = settings.jobs
    if jobs.directory is not None:
        jobs = msgspec.structs.replace(jobs, directory=str(path.parent / Path(jobs.directory).expanduser()))
    return msgspec.structs.replace(settings, models=models, files=files, jobs=jobs)


def _keys_of(text: str) -> dict[str, str]:
    keys: dict[str, str] = {}
    for entry in filter(None, (entry.strip() for entry in text.split(","))):
        name, equals, key = entry.partition("=")
        if not (name and equals and key):
            # The entry itself may be a key: it is not repeated.
            raise ConfigError("CALOTYPE_API_KEYS must look like 'name=key,other=key'")
        if name in keys:
            raise ConfigError(f"CALOTYPE_API_KEYS names {name!r} twice")
        keys[name] = key
    return keys


def _check(settings: Settings) -> None:
    """What the fields' own types cannot say."""
    try:
        # What came from the command line has not been checked against its type yet.
        msgspec.convert(msgspec.to_builtins(settings), Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"settings: {error}") from error
    if not settings.keys and not is_loopback(bracketed(settings.host)):
        raise ConfigError(
            f"host = {settings.host!r} opens the server to others without a key: set [keys] or CALOTYPE_API_KEYS, "
            "or keep host on the loopback"
        )
    for name, key in settings.keys.items():
        if not name or not key.isascii() or key != key.strip() or not key:
            raise ConfigError(f"keys: {name!r} must have a key in ASCII without white space at its ends")
    if len(set(settings.keys.values())) < len(settings.keys):
        raise ConfigError("keys: two callers have the same key")
    if settings.public_url is not None and not _is_origin(settings.public_url):
        raise ConfigError(f"public_url must look like 'https://pictures.example', got {settings.public_url!r}")
    for origin in settings.cors_origins:
        if not _is_origin(origin):
            raise ConfigError(f"cors_origins must look like 'https://app.example', got {origin!r}")
    for proxy in settings.proxies:
        if not is_network(proxy):
            raise ConfigError(f"proxies must be addresses or networks like '10.0.0.0/8', got {proxy!r}")
    _check_files(settings.files)
    for host in settings.hosts:
        if "/" in host or not host:
            raise ConfigError(f"hosts must be names like 'pictures.example', got {host!r}")
    for host in settings.pictures.private_hosts:
        if "/" in host or not host:
            raise ConfigError(f"pictures.private_hosts must be names like 'files.lan' or addresses, got {host!r}")


def _check_files(files: FileSettings) -> None:
    if files.bucket is None:
        return
    if files.directory is not None:
        raise ConfigError("files.directory and files.bucket: pictures are kept in one of them, not in both")
    if not re.fullmatch(r"s3://[^/?#]+(/[^?#]*)?", files.bucket):
        raise ConfigError(f"files.bucket must look like 's3://name/prefix', got {files.bucket!r}")
    if files.ttl_seconds > BUCKET_URL_SECONDS_MAX:
        raise ConfigError(f"files.ttl_seconds: a bucket signs URLs for at most {BUCKET_URL_SECONDS_MAX} seconds")


def _is_origin(text: str) -> bool:
    """'https://name' or 'http://name:port', and nothing behind it."""
    try:
        parts = urlsplit(text)
        return f"{parts.scheme}://{parts.netloc}" == text and parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
