"""What of the settings is loaded, and in which order."""

from calotype_provider.catalog import EMBEDDED, TINTYPE_CANNY_ID, TINTYPE_ID
from calotype_runtime.assembly import Assembly
from calotype_runtime.config import load_settings


def test_the_default_model_is_loaded_first_and_the_lender_before_its_borrowers() -> None:
    for default in (TINTYPE_ID, TINTYPE_CANNY_ID.upper()):
        assembly = Assembly(load_settings(None, {}, default_model=default))
        loading = [model.model_id for model in assembly.engine.stats().models]
        others = [model_id for model_id in EMBEDDED if model_id != default.casefold()]
        assert loading == [default.casefold(), *others]
