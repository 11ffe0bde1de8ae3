"""A model's id -> the provider that serves it. Made when first asked for; others plug in by entry point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from calotype_provider.errors import ConfigError, NoSuchModelError
from calotype_provider.image_model import ClosesResources, ImageModel, ListsModels, Provider

ENTRY_POINT_GROUP = "calotype.providers"

ProviderFactory = Callable[[], Provider]


class ProviderRegistry:
    """Asks its providers in the order of their names' registration; the first that knows the id has it.

    A provider that does not list its models is asked only for ids under its own name: `acme` for `acme/anything`.
    """

    def __init__(self, factories: Mapping[str, ProviderFactory]) -> None:
        self._factories = dict(factories)
        self._providers: dict[str, Provider] = {}

    def add(self, name: str, factory: ProviderFactory) -> None:
        """Register another provider behind those there are."""
        self._factories[name] = factory

    def image_model(self, model_id: str) -> ImageModel:
        """The model of that id, whatever its case: its card names the canonical id.

        Raises NoSuchModelError, and ConfigError for a provider that cannot be made.
        """
        hint = None
        for name in self._factories:
            provider = self._provider(name)
            if not isinstance(provider, ListsModels) and not model_id.casefold().startswith(f"{name.casefold()}/"):
                continue
            try:
                return provider.image_model(model_id)
            except NoSuchModelError as error:
                hint = hint or error.hint
        raise NoSuchModelError(model_id, available=self.model_ids(), hint=hint)

    def model_ids(self) -> tuple[str, ...]:
        """The canonical ids of all models that their providers list, in order, each once."""
        ids: dict[str, str] = {}
        for name in self._factories:
            provider = self._provider(name)
            if isinstance(provider, ListsModels):
                for model_id in provider.model_ids():
                    ids.setdefault(model_id.casefold(), model_id)
        return tuple(ids.values())

    async def aclose(self) -> None:
        """Close what the providers made so far hold open, the youngest first."""
        while self._providers:
            _, provider = self._providers.popitem()
            if isinstance(provider, ClosesResources):
                await provider.aclose()

    def _provider(self, name: str) -> Provider:
        if name not in self._providers:
            try:
                self._providers[name] = self._factories[name]()
            except Exception as error:
                raise ConfigError(f"the provider {name!r} cannot be made: {error}") from error
        return self._providers[name]


def installed_factories() -> dict[str, ProviderFactory]:
    """The providers of installed distributions: each entry point names a function without arguments that makes one.

    Raises ConfigError, naming the entry point, when one cannot be imported.
    """
    factories: dict[str, ProviderFactory] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            factories[point.name] = point.load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"the provider {point.name!r} ({point.value}) cannot be imported: {error}") from error
    return factories
