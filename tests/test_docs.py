"""Lists that must stay whole: settings, routes and known models are all in the documents."""

import re
from pathlib import Path

import msgspec

from calotype_adapters.aliases import ALIASES
from calotype_adapters.openai.types import ImageEditRequest, ImageGenerationRequest, ImageVariationRequest
from calotype_provider.catalog import KNOWN_MODELS
from calotype_provider.local.card_table import CARDS
from calotype_runtime.app import ROUTES
from calotype_runtime.config import Settings
from calotype_runtime.openapi import ERRORS, GATEWAY_ERRORS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def keys_of(settings: type[msgspec.Struct], prefix: str = "") -> dict[str, object]:
    keys: dict[str, object] = {}
    for field in msgspec.structs.fields(settings):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            keys |= keys_of(field.type, f"{prefix}{field.name}.")
        else:
            keys[prefix + field.name] = field.default
    return keys


def test_every_setting_is_in_its_document_with_its_default_and_no_other() -> None:
    rows = [line.split("|") for line in (ROOT / "docs/settings.md").read_text().splitlines() if line.startswith("| `")]
    written = {row[1].strip().strip("`"): row[2].strip().strip("`") for row in rows}
    keys = keys_of(Settings)
    assert set(written) == set(keys)
    for name, default in keys.items():
        if isinstance(default, bool | str | int | float):
            assert msgspec.json.decode(written[name]) == default, name


def test_every_route_is_in_the_readme() -> None:
    for handler in ROUTES:
        for path in handler.paths:
            bare = (
                path.replace(":str", "").replace(":path", "").replace("{model_id}", "{id}").replace("{job_id}", "{id}")
            )
            methods = handler.http_methods - {"OPTIONS"}
            assert any(f"`{method} {bare}`" in README for method in methods), path


def test_every_known_model_is_in_the_readme() -> None:
    for known in KNOWN_MODELS:
        name = known.model_id.split("/")[-1]
        assert name in README or ("gpt-image-*" in README and name.startswith(("gpt-image-", "dall-e-")))


def test_the_readme_shows_pictures_that_are_there_and_leaves_nothing_to_fill_in() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)
    assert not re.search(r"\b[A-Z]+_(FIGURES|PARAMETERS)\b", README)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150


def rows_of(document: str, heading: str) -> list[list[str]]:
    """The cells of the tables under a heading, without the table's own."""
    section = document.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


OPENAI = (ROOT / "docs/openai.md").read_text()
REQUESTS: dict[str, type[msgspec.Struct]] = {
    "generations": ImageGenerationRequest,
    "edits": ImageEditRequest,
    "variations": ImageVariationRequest,
}


def test_every_field_of_every_route_is_in_its_document_with_its_other_names_and_no_other() -> None:
    rows = {row[0].strip("`"): row for row in rows_of(OPENAI, "Fields")}
    fields = {name: {field.name for field in msgspec.structs.fields(kind)} for name, kind in REQUESTS.items()}
    assert set(rows) == set().union(*fields.values())
    for name, (_, also, on, *_) in rows.items():
        routes = set(REQUESTS) if on == "all" else set(on.split(", "))
        assert routes == {route for route in REQUESTS if name in fields[route]}, name
        others = {other for other in re.findall(r"`([^`]+)`", also) if "[" not in other and " " not in other}
        assert others - {"X-Calotype-Strict"} == set(ALIASES.get(name, ())), name


def test_every_status_is_in_the_document_of_the_wire() -> None:
    written = {status for row in rows_of(OPENAI, "Errors") for status in re.findall(r"\d{3}", row[0])}
    # 499 is for the log: nobody is there to read it.
    assert written == {str(status) for status in ERRORS} - {"499"}


def test_every_kind_of_card_is_in_the_document_of_the_wire() -> None:
    kinds = " ".join(row[0] for row in rows_of(OPENAI, "What each kind of model does with pictures"))
    for card in CARDS.values():
        family = (
            card.description.split(",")[0].replace("FLUX.1 Control", "FLUX.1 Canny").replace("FLUX.2 klein", "klein")
        )
        assert family.replace("Stable Diffusion XL", "SDXL").replace("Stable Diffusion 3", "SD3") in kinds, family


def test_no_wire_has_a_status_that_clients_repeat_in_vain() -> None:
    assert 409 not in {*ERRORS, *GATEWAY_ERRORS}
