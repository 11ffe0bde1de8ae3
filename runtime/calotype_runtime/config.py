"""Settings, decoded once from a TOML file and the environment. Unknown keys are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from calotype_provider.catalog import TINTYPE_ID
from calotype_provider.errors import ConfigError
from calotype_provider.local.engine import EngineSettings
from calotype_runtime.access import is_loopback


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A diffusers folder; a relative one is relative to the settings file."""

    folder: str


class FileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answers by URL."""

    ttl_seconds: float = 3600.0
    bytes_max: int = 512 * 2**20


class QueueSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Calls at work at once, and calls that may wait behind them."""

    running_max: int = 8
    waiting_max: int = 256


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    host: str = "127.0.0.1"
    port: int = 8000
    """0 lets the system choose."""
    public_url: str | None = None
    """What answers by URL begin with, where a proxy hides the request's own origin: 'https://pictures.example'."""
    hosts: tuple[str, ...] = ()
    """Names besides the loopback's that a request's Host may have while there are no keys."""
    cors_origins: tuple[str, ...] = ()
    keys: dict[str, str] = {}
    """A caller's name -> its key. With any, every call needs one."""
    demo: bool = False
    default_model: str = TINTYPE_ID
    models: dict[str, ModelSettings] = {}
    files: FileSettings = FileSettings()
    queue: QueueSettings = QueueSettings()
    engine: EngineSettings = EngineSettings()
    body_bytes_max: int = 32 * 2**20
    stop_seconds_max: float = 30.0
    """How long running pictures may take to finish when the server is told to stop."""
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
    """Model id -> folder, the embedded model first unless the settings name another folder for it."""
    import calotype_provider

    embedded = Path(calotype_provider.__file__).parent / "tintype"
    return {TINTYPE_ID: embedded, **{name: Path(model.folder) for name, model in settings.models.items()}}


def bracketed(host: str) -> str:
    """An address as URLs and Host headers write it."""
    return f"[{host}]" if ":" in host else host


def _decode(path: Path) -> Settings:
    try:
        settings = msgspec.toml.decode(path.read_bytes(), type=Settings)
    except OSError as error:
        raise ConfigError(f"the settings file {path} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"the settings file {path}: {error}") from error
    models = {
        name: msgspec.structs.replace(model, folder=str(path.parent / model.folder))
        for name, model in settings.models.items()
    }
    return msgspec.structs.replace(settings, models=models)


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
    if not settings.keys and not is_loopback(bracketed(settings.host)):
        raise ConfigError(
            f"host = {settings.host!r} opens the server to others without a key: set [keys] or CALOTYPE_API_KEYS, "
            "or keep host on the loopback"
        )
    if not 0 <= settings.port <= 65_535:
        raise ConfigError(f"port must be from 0 to 65535, got {settings.port}")
    if any(not name or not key.isascii() or not key.strip() for name, key in settings.keys.items()):
        raise ConfigError("[keys] must have a name and a key in ASCII for every caller")
    if settings.public_url is not None and not settings.public_url.startswith(("http://", "https://")):
        raise ConfigError(f"public_url must begin with http:// or https://, got {settings.public_url!r}")
    positive = {
        "files.ttl_seconds": settings.files.ttl_seconds,
        "files.bytes_max": settings.files.bytes_max,
        "queue.running_max": settings.queue.running_max,
        "body_bytes_max": settings.body_bytes_max,
        "stop_seconds_max": settings.stop_seconds_max,
        "queue.waiting_max + 1": settings.queue.waiting_max + 1,
    }
    for name, value in positive.items():
        if value <= 0:
            raise ConfigError(f"{name} must be above 0, got {value}")
