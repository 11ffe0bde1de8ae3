"""Settings -> the engine, the registry of models, and the runtime on top: the one place where the parts meet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from calotype_provider.catalog import TINTYPE_KONTEXT_ID
from calotype_provider.errors import ConfigError, ModelLoadError, NoSuchModelError
from calotype_provider.local.engine import Readiness
from calotype_provider.local.local_provider import LocalProvider
from calotype_provider.local.subprocess_engine import SubprocessEngine
from calotype_provider.registry import ProviderFactory, ProviderRegistry, installed_factories
from calotype_provider.stand_in import StandInProvider
from calotype_runtime.config import Settings, model_folders
from calotype_runtime.image_runtime import ImageRuntime


class Assembly:
    """Starts nothing. Raises ConfigError for a provider or a default model that cannot be used.

    A folder that cannot be used is logged, and its model answers with the reason: the others are served.
    """

    def __init__(self, settings: Settings, *, folders: Mapping[str, Path] | None = None) -> None:
        """`folders` are the local models; those of the settings, and the embedded ones, when there are none given."""
        self.engine = SubprocessEngine(settings.engine)
        # When the runtime is closed, its requests have had their time: nothing is waited for again.
        local = LocalProvider(
            _default_first(model_folders(settings) if folders is None else folders, settings.default_model),
            self.engine,
            stop_seconds_max=0,
            png_parameters=settings.png_parameters,
        )
        factories: dict[str, ProviderFactory] = {"calotype-local": lambda: local, **installed_factories()}
        self.registry = ProviderRegistry(factories)
        try:
            default = self.registry.image_model(settings.default_model)
        except (NoSuchModelError, ModelLoadError) as error:
            raise ConfigError(f"default_model: {error}") from error
        self.default_model_id = default.card.model_id
        self._default_is_local = self.default_model_id in local.model_ids()
        editor = local.image_model(TINTYPE_KONTEXT_ID) if TINTYPE_KONTEXT_ID in local.model_ids() else None
        self.registry.add(
            "calotype-stand-in", lambda: StandInProvider(default if settings.demo else None, editor=editor)
        )
        self.runtime = ImageRuntime(
            settings=settings, registry=self.registry, readiness=self.readiness, engine_stats=self.engine.stats
        )

    def readiness(self) -> Readiness:
        """Whether the default model can paint; one that is not the engine's has nothing to wait for here."""
        if self._default_is_local:
            return self.engine.stats().readiness(self.default_model_id)
        return Readiness("ready", self.default_model_id, 1.0)

    async def default_ready(self) -> None:
        """Wait until the default model can paint. Raises ModelLoadError or EngineError when it never will."""
        if self._default_is_local:
            await self.engine.ready(self.default_model_id)


def _default_first(folders: Mapping[str, Path], default_model: str) -> dict[str, Path]:
    """Models are loaded in their order, and `/ready` waits for this one."""
    return dict(sorted(folders.items(), key=lambda model: model[0].casefold() != default_model.casefold()))
