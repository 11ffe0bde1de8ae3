"""Which provider serves an id, and how others plug in."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from calotype_provider.errors import ConfigError, NoSuchModelError
from calotype_provider.image_model import ImageModel
from calotype_provider.model_card import ModelCard
from calotype_provider.registry import ProviderRegistry, installed_factories
from calotype_provider.stand_in import StandInProvider
from calotype_provider.types import GeneratedImage, ImageModelCall, ImageModelResult, Size


class OneColour:
    """A whole model: a card, and one method."""

    def __init__(self, model_id: str) -> None:
        self.card = ModelCard(model_id=model_id, default_size=Size(16, 16))

    async def do_generate(self, call: ImageModelCall) -> ImageModelResult:
        image = GeneratedImage(b"picture", "image/png", seed=call.seed or 0, size=Size(16, 16))
        return ImageModelResult(images=(image,) * call.n, model_id=self.card.model_id)


class Acme:
    """A whole provider, as somebody else would write it: one method."""

    def image_model(self, model_id: str) -> ImageModel:
        return OneColour(model_id)


class Listing:
    def __init__(self, *model_ids: str) -> None:
        self._ids = model_ids
        self.closed = False

    def image_model(self, model_id: str) -> ImageModel:
        for known in self._ids:
            if known.casefold() == model_id.casefold():
                return OneColour(known)
        raise NoSuchModelError(model_id)

    def model_ids(self) -> Sequence[str]:
        return self._ids

    async def aclose(self) -> None:
        self.closed = True


def test_case_does_not_matter_and_the_card_names_the_canonical_id() -> None:
    registry = ProviderRegistry({"local": lambda: Listing("black-forest-labs/FLUX.1-schnell")})
    assert registry.image_model("Black-Forest-Labs/flux.1-SCHNELL").card.model_id == "black-forest-labs/FLUX.1-schnell"


def test_an_unknown_id_names_some_that_exist() -> None:
    registry = ProviderRegistry({"local": lambda: Listing("a/one", "a/two")})
    with pytest.raises(NoSuchModelError) as caught:
        registry.image_model("a/three")
    assert caught.value.available == ("a/one", "a/two")
    assert "a/one" in str(caught.value)


def test_a_provider_without_a_list_is_asked_for_its_own_prefix_only() -> None:
    registry = ProviderRegistry({"acme": Acme, "local": lambda: Listing("b/two")})
    assert registry.image_model("acme/brush").card.model_id == "acme/brush"
    assert registry.image_model("b/two").card.model_id == "b/two"
    with pytest.raises(NoSuchModelError):
        registry.image_model("elsewhere/brush")


async def test_a_provider_is_made_when_first_needed_and_closed_once() -> None:
    made: list[Listing] = []

    def factory() -> Listing:
        made.append(Listing("a/one"))
        return made[-1]

    registry = ProviderRegistry({"local": factory})
    assert made == []
    registry.image_model("a/one")
    registry.image_model("a/one")
    assert len(made) == 1
    await registry.aclose()
    assert made[0].closed


def test_a_known_but_absent_model_says_how_to_get_it() -> None:
    registry = ProviderRegistry({"stand-in": lambda: StandInProvider(None)})
    with pytest.raises(NoSuchModelError) as caught:
        registry.image_model("black-forest-labs/flux.1-DEV")
    assert "hf download black-forest-labs/FLUX.1-dev" in str(caught.value)
    assert registry.model_ids() == ()


@pytest.mark.parametrize("model_id", ["gpt-image-1", "gpt-image-2.5-sunburst", "dall-e-2", "Ideogram-AI/ideogram-v2"])
async def test_in_a_demo_another_model_paints_and_every_answer_says_so(model_id: str) -> None:
    registry = ProviderRegistry({"stand-in": lambda: StandInProvider(OneColour("calotype/tintype"))})
    model = registry.image_model(model_id)
    assert model.card.model_id.casefold() == model_id.casefold()
    result = await model.do_generate(ImageModelCall(prompt="a fox", seed=3))
    assert result.model_id == "calotype/tintype"
    [warning] = result.warnings
    assert warning.feature == "model"
    assert "calotype/tintype" in (warning.details or "")


@pytest.mark.parametrize(
    ("model_id", "painter"),
    [
        ("black-forest-labs/FLUX.1-kontext-pro", "test/editor"),
        ("black-forest-labs/flux.1-kontext-dev", "test/editor"),
        ("black-forest-labs/FLUX.1-dev", "test/painter"),
    ],
)
async def test_what_edits_by_instruction_is_stood_in_for_by_what_does_so_too(model_id: str, painter: str) -> None:
    provider = StandInProvider(OneColour("test/painter"), editor=OneColour("test/editor"))
    result = await provider.image_model(model_id).do_generate(ImageModelCall(prompt="a fox", seed=3))
    assert result.model_id == painter
    alone = StandInProvider(OneColour("test/painter")).image_model(model_id)
    assert (await alone.do_generate(ImageModelCall(prompt="a fox", seed=3))).model_id == "test/painter"
    with pytest.raises(NoSuchModelError):
        StandInProvider(None, editor=OneColour("test/editor")).image_model(model_id)


def test_installed_distributions_plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "from types import SimpleNamespace as Some\n"
        "class Acme:\n"
        "    def image_model(self, model_id): return Some(card=Some(model_id=model_id))\n"
    )
    install(tmp_path, "acme = acme_pictures:Acme", code)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = ProviderRegistry(installed_factories())
    assert registry.image_model("acme/brush").card.model_id == "acme/brush"


def test_a_broken_plug_in_is_named_instead_of_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "broken = acme_broken:Nothing", "", module="acme_broken")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match="broken"):
        installed_factories()


def test_a_provider_that_cannot_be_made_is_named() -> None:
    def factory() -> Listing:
        raise RuntimeError("no brush")

    with pytest.raises(ConfigError, match=r"broken.*no brush"):
        ProviderRegistry({"broken": factory}).model_ids()


def install(folder: Path, entry_point: str, code: str, module: str = "acme_pictures") -> None:
    """What pip leaves behind of a distribution with one module and one entry point."""
    (folder / f"{module}.py").write_text(code)
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[calotype.providers]\n{entry_point}\n")
