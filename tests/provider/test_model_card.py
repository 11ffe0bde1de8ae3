"""How a call is fitted to a model's card: exactly, with a warning, or not at all."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype_provider.card_ranges import IntegerRange, NumberRange, QualityLevel, SizeRange
from calotype_provider.errors import InvalidCallError
from calotype_provider.geometry import cropped_pixels, ratio_distance
from calotype_provider.model_card import ModelCard
from calotype_provider.types import SEED_MAX, AspectRatio, ImageFile, ImageModelCall, Size

BUCKETS = ModelCard(
    model_id="test/buckets",
    default_size=Size(128, 128),
    sizes=(Size(128, 128), Size(176, 96), Size(96, 176), Size(192, 80)),
    num_inference_steps=IntegerRange(1, 50, 20),
    guidance_scale=NumberRange(1.0, 10.0, 3.0),
    guidance_means="true_cfg",
    negative_prompt=True,
)
RANGE = ModelCard(
    model_id="test/range",
    default_size=Size(1024, 1024),
    size_range=SizeRange(multiple_of=16, side_min=256, side_max=2048, pixels_max=2048 * 2048),
)


def call(**fields: Any) -> ImageModelCall:
    return ImageModelCall(**{"prompt": "a red fox", **fields})


def test_nothing_asked_gives_the_cards_defaults_without_a_word() -> None:
    fitted = BUCKETS.fit(call())
    assert fitted.warnings == ()
    assert fitted.call.size == Size(128, 128)
    assert fitted.call.num_inference_steps == 20
    assert fitted.call.guidance_scale == 3.0


@pytest.mark.parametrize(
    ("card", "size"), [(BUCKETS, Size(176, 96)), (RANGE, Size(1024, 1024)), (RANGE, Size(256, 768))]
)
def test_a_size_on_the_card_is_painted_without_a_word(card: ModelCard, size: Size) -> None:
    fitted = card.fit(call(size=size))
    assert (fitted.call.size, fitted.warnings) == (size, ())


def test_another_size_is_served_by_the_nearest_and_told() -> None:
    fitted = BUCKETS.fit(call(size=Size(1792, 1024)))
    assert fitted.call.size == Size(176, 96)
    [warning] = fitted.warnings
    assert (warning.type, warning.feature) == ("compatibility", "size")
    assert "1792x1024" in (warning.details or "")
    assert "176x96" in (warning.details or "")


def test_a_ratio_the_card_has_exactly_is_silent_and_another_is_told() -> None:
    assert BUCKETS.fit(call(aspect_ratio=AspectRatio(11, 6))).warnings == ()
    [warning] = BUCKETS.fit(call(aspect_ratio=AspectRatio(16, 9))).warnings
    assert warning.feature == "aspect_ratio"


def test_a_size_and_a_ratio_that_agree_are_one_wish() -> None:
    assert BUCKETS.fit(call(size=Size(1792, 1024), aspect_ratio=AspectRatio(16, 9))).call.size == Size(176, 96)


def test_a_size_and_a_ratio_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InvalidCallError) as caught:
        BUCKETS.fit(call(size=Size(1024, 1024), aspect_ratio=AspectRatio(16, 9)))
    assert caught.value.parameter == "aspect_ratio"


@pytest.mark.parametrize(("asked", "parameter"), [({"size": Size(1024, 128)}, "size"),
                                                  ({"aspect_ratio": AspectRatio(1, 4)}, "aspect_ratio")])  # fmt: skip
@pytest.mark.parametrize("card", [BUCKETS, RANGE])
def test_a_shape_beyond_the_card_is_refused(card: ModelCard, asked: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        card.fit(call(**asked))
    assert caught.value.parameter == parameter


@given(width=st.integers(1, 16384), height=st.integers(1, 16384))
def test_every_size_is_on_the_card_in_the_end_or_refused(width: int, height: int) -> None:
    size = Size(width, height)
    for card in (BUCKETS, RANGE):
        if ratio_distance(size, Size(1, 1)) > math.log(3) + 1e-6:
            with pytest.raises(InvalidCallError):
                card.fit(call(size=size))
            continue
        fitted = card.fit(call(size=size))
        served = fitted.call.size
        assert served is not None
        assert served in card.sizes or (card.size_range and card.size_range.holds(served))
        assert bool(fitted.warnings) == (served != size)


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n"}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"negative_prompt": "x" * 32_001}, "negative_prompt"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"seed": -1}, "seed"),
        ({"seed": SEED_MAX + 1}, "seed"),
        ({"seed": SEED_MAX, "n": 2}, "seed"),
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"num_inference_steps": -3}, "num_inference_steps"),
        ({"num_inference_steps": 51}, "num_inference_steps"),
        ({"guidance_scale": math.nan}, "guidance_scale"),
        ({"guidance_scale": math.inf}, "guidance_scale"),
        ({"guidance_scale": 0.5}, "guidance_scale"),
        ({"guidance_scale": 10.5}, "guidance_scale"),
        ({"prompt": "a \udcff fox"}, "prompt"),
        ({"strength": 1.5}, "strength"),
        ({"output_format": "jpeg", "output_compression": 101}, "output_compression"),
        ({"images": (ImageFile(b"", "image/png"),)}, "images"),
        ({"mask": ImageFile(b"", "image/png")}, "mask"),
        ({"control_image": ImageFile(b"", "image/png")}, "control_image"),
    ],
)
def test_the_impossible_is_refused_by_name(fields: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        BUCKETS.fit(call(**fields))
    assert caught.value.parameter == parameter


@pytest.mark.parametrize(
    "fields", [{"prompt": "x" * 32_000}, {"seed": SEED_MAX}, {"seed": SEED_MAX - 9, "n": 10}, {"seed": 0}, {"n": 10},
               {"num_inference_steps": 1}, {"num_inference_steps": 50}, {"guidance_scale": 1.0}]
)  # fmt: skip
def test_the_bounds_themselves_are_inside(fields: dict[str, Any]) -> None:
    fitted = BUCKETS.fit(call(**fields))
    assert fitted.warnings == ()
    for name, value in fields.items():
        assert getattr(fitted.call, name) == value


@pytest.mark.parametrize(
    ("card", "fields", "feature"),
    [
        (RANGE, {"num_inference_steps": 4}, "num_inference_steps"),
        (RANGE, {"guidance_scale": 4.0}, "guidance_scale"),
        (RANGE, {"negative_prompt": "blur"}, "negative_prompt"),
        (BUCKETS, {"strength": 0.5}, "strength"),
        (BUCKETS, {"output_compression": 50}, "output_compression"),
        (msgspec.structs.replace(BUCKETS, seed=False), {"seed": 7}, "seed"),
    ],
)
def test_what_a_model_has_not_is_left_out_and_told(card: ModelCard, fields: dict[str, Any], feature: str) -> None:
    fitted = card.fit(call(**fields))
    assert [(warning.type, warning.feature) for warning in fitted.warnings] == [("unsupported", feature)]
    if feature != "seed":
        assert getattr(fitted.call, feature) is None


def test_fitting_twice_changes_nothing_more() -> None:
    once = BUCKETS.fit(call(size=Size(1000, 900), negative_prompt="blur", output_compression=3))
    twice = BUCKETS.fit(once.call)
    assert twice.call == once.call
    assert twice.warnings == ()


STARTS = msgspec.structs.replace(
    BUCKETS,
    images_max=1,
    mask=True,
    strength=NumberRange(0.0, 1.0, 0.75),
    qualities={"low": QualityLevel(8), "medium": QualityLevel(20), "high": QualityLevel(30)},
)
EDITS = msgspec.structs.replace(RANGE, images_max=3, qualities={"low": QualityLevel(None, 512 * 512)})


def picture(width: int = 128, height: int = 128) -> ImageFile:
    return ImageFile(b"", "image/png", Size(width, height))


def test_a_quality_sets_the_steps_that_were_left_open() -> None:
    fitted = STARTS.fit(call(quality="low"))
    assert (fitted.call.num_inference_steps, fitted.call.quality, fitted.warnings) == (8, "low", ())
    assert STARTS.fit(call(quality="low", num_inference_steps=12)).call.num_inference_steps == 12


def test_a_quality_sets_the_pixels_that_were_left_open() -> None:
    assert EDITS.fit(call(quality="low")).call.size == Size(512, 512)
    assert EDITS.fit(call(quality="low", aspect_ratio=AspectRatio(4, 1 + 3))).call.size == Size(512, 512)
    assert EDITS.fit(call(quality="low", size=Size(1024, 1024))).call.size == Size(1024, 1024)


def test_a_quality_above_the_cards_is_served_by_its_highest_and_told() -> None:
    fitted = STARTS.fit(call(quality="max"))
    assert (fitted.call.quality, fitted.call.num_inference_steps) == ("high", 30)
    assert [(warning.type, warning.feature) for warning in fitted.warnings] == [("compatibility", "quality")]


def test_a_card_without_qualities_says_so() -> None:
    fitted = BUCKETS.fit(call(quality="high"))
    assert fitted.call.quality is None
    assert [(warning.type, warning.feature) for warning in fitted.warnings] == [("unsupported", "quality")]


def test_the_size_follows_the_image_where_none_was_asked() -> None:
    assert STARTS.fit(call(images=(picture(960, 480),))).call.size == Size(176, 96)
    assert EDITS.fit(call(images=(picture(300, 200),))).call.size == Size(1248, 832)
    assert EDITS.fit(call(images=(picture(300, 200),), size=Size(512, 512))).call.size == Size(512, 512)


def test_what_is_cropped_is_told() -> None:
    [warning] = STARTS.fit(call(images=(picture(200, 100),), size=Size(128, 128))).warnings
    assert (warning.type, warning.feature) == ("compatibility", "images")
    assert "200x100" in (warning.details or "")
    assert STARTS.fit(call(images=(picture(300, 300),))).warnings == ()
    # What an instruction speaks of is not painted over.
    assert EDITS.fit(call(images=(picture(300, 200),), size=Size(512, 512))).warnings == ()


def test_without_a_strength_an_image_has_the_cards_and_a_mask_is_painted_from_nothing() -> None:
    assert STARTS.fit(call(images=(picture(),))).call.strength == 0.75
    assert STARTS.fit(call(images=(picture(),), mask=picture())).call.strength == 1.0
    assert STARTS.fit(call(images=(picture(),), mask=picture(), strength=0.5)).call.strength == 0.5


@given(st.integers(1, 50))
def test_the_cards_strength_is_one_step_at_least(steps: int) -> None:
    strength = STARTS.fit(call(images=(picture(),), num_inference_steps=steps)).call.strength
    assert strength is not None
    assert 1 <= int(steps * strength) <= steps


@pytest.mark.parametrize(
    ("card", "asked", "parameter"),
    [
        (STARTS, {"mask": ImageFile(b"", "image/png")}, "mask"),
        (STARTS, {"images": (picture(),), "mask": picture(128, 100)}, "mask"),
        (STARTS, {"images": (picture(), picture())}, "images"),
        (STARTS, {"images": (picture(),), "strength": 0.04}, "strength"),
        (EDITS, {"images": (picture(),), "prompt": ""}, "prompt"),
        (EDITS, {"images": (picture(),), "mask": picture()}, "mask"),
        (msgspec.structs.replace(EDITS, requires=("images",)), {}, "images"),
        (STARTS, {"strict": True, "quality": "max"}, "quality"),
        (BUCKETS, {"strict": True, "size": Size(1792, 1024)}, "size"),
    ],
)
def test_what_cannot_be_done_names_the_parameter(card: ModelCard, asked: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        card.fit(call(**asked))
    assert caught.value.parameter == parameter


def test_a_variation_needs_no_words() -> None:
    assert STARTS.fit(call(prompt="", images=(picture(),))).call.prompt == ""


@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([Size(128, 128), Size(176, 96), Size(80, 192)]))
def test_cropping_leaves_the_shape_that_is_painted(width: int, height: int, painted: Size) -> None:
    cut = cropped_pixels(Size(width, height), painted)
    assert 0 <= cut < max(width, height)
    left, right = Size(width, height), painted
    if cut == 0:
        # Within the rounding of one pixel.
        assert abs(left.width * right.height - left.height * right.width) <= max(right.width, right.height)


AWAY = msgspec.structs.replace(BUCKETS, guidance_means="embedding", negative_prompt_scale=2.0)


def test_what_a_negative_prompt_costs_is_told_and_refuses_no_strict_call() -> None:
    for asked in (call(negative_prompt="ugly"), call(negative_prompt="ugly", strict=True)):
        fitted = AWAY.fit(asked)
        assert fitted.call.negative_prompt == "ugly"
        [warning] = fitted.warnings
        assert (warning.type, warning.feature) == ("other", "negative_prompt")
        assert "two forwards" in (warning.details or "")
        # On a wire it is like any other.
        assert msgspec.json.decode(msgspec.json.encode(warning)).keys() == {"type", "feature", "details"}
    assert AWAY.fit(call(negative_prompt="")).warnings == ()
    assert BUCKETS.fit(call(negative_prompt="ugly")).warnings == ()
    with pytest.raises(InvalidCallError) as caught:
        AWAY.fit(call(negative_prompt="ugly", strict=True, strength=0.5))
    assert caught.value.parameter == "strength"


def test_a_scale_that_leads_nowhere_is_no_cards() -> None:
    fields = {"model_id": "a/b", "default_size": {"width": 64, "height": 64}, "negative_prompt_scale": 1.0}
    with pytest.raises(msgspec.ValidationError, match="negative_prompt_scale"):
        msgspec.convert(fields, ModelCard)


def test_what_is_edited_is_cropped_where_the_card_says_so() -> None:
    card = msgspec.structs.replace(BUCKETS, images_max=2, references_fit=True)
    fitted = card.fit(call(images=(picture(200, 100), picture(128, 128))))
    assert fitted.call.size == Size(176, 96)
    assert [warning.feature for warning in fitted.warnings] == ["images", "images"]
    assert "200x100 was cropped" in (fitted.warnings[0].details or "")
    assert msgspec.structs.replace(card, references_fit=False).fit(call(images=(picture(200, 100),))).warnings == ()
