"""Lists that must stay whole: settings, routes and known models are all in the documents."""

import re
from pathlib import Path

import msgspec

from calotype_provider.catalog import KNOWN_MODELS
from calotype_runtime.app import ROUTES
from calotype_runtime.config import Settings

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
            bare = path.replace(":str", "").replace(":path", "").replace("{model_id}", "{id}")
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
