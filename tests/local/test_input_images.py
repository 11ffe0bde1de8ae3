"""From the pictures of a call to the pixels that a pipeline is given, and back over what a mask keeps."""

from __future__ import annotations

import io

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from calotype_provider.local.card_table import card_for_class
from calotype_provider.local.input_images import REFERENCE_PIXELS_MAX, input_images
from calotype_provider.local.messages import InputImage
from calotype_provider.local.paste_back import paste_back
from calotype_provider.model_card import ModelCard
from calotype_provider.types import ImageFile, ImageModelCall, Size


def card(class_name: str) -> ModelCard:
    return card_for_class("a/b", class_name=class_name, transformer={}, index={})


STARTS, EDITS, LED = card("FluxPipeline"), card("Flux2KleinPipeline"), card("FluxControlPipeline")


def file_of(image: Image.Image) -> ImageFile:
    file = io.BytesIO()
    image.save(file, "PNG")
    return ImageFile(file.getvalue(), "image/png", Size(*image.size))


def stripes(width: int, height: int) -> Image.Image:
    """Three upright stripes: red, green, blue."""
    image = Image.new("RGB", (width, height), "lime")
    image.paste("red", (0, 0, width // 4, height))
    image.paste("blue", (width - width // 4, 0, width, height))
    return image


def pixels(image: InputImage) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.frombuffer(image.data, np.uint8).reshape(image.height, image.width, -1)


def test_a_start_is_scaled_and_its_middle_cut_out() -> None:
    call = ImageModelCall(prompt="a", size=Size(64, 64), images=(file_of(stripes(400, 200)),))
    [image] = input_images(call, STARTS).images
    assert (image.width, image.height) == (64, 64)
    assert (pixels(image)[:, 4:-4] == (0, 255, 0)).all()


def test_a_control_image_gets_the_pictures_size() -> None:
    call = ImageModelCall(prompt="a", size=Size(96, 64), control_image=file_of(stripes(300, 200)))
    image = input_images(call, LED).control_image
    assert image is not None
    assert (image.width, image.height) == (96, 64)
    assert tuple(pixels(image)[32, 4]) == (255, 0, 0)


def test_references_keep_their_shape_and_are_made_smaller_where_they_are_too_large() -> None:
    large, small = Image.new("RGB", (3000, 1000)), Image.new("RGB", (30, 10))
    call = ImageModelCall(prompt="a", size=Size(64, 64), images=(file_of(large), file_of(small)))
    first, second = input_images(call, EDITS).images
    assert first.width * first.height <= REFERENCE_PIXELS_MAX
    assert abs(first.width / first.height - 3) < 0.01
    assert (second.width, second.height) == (30, 10)


def test_references_are_cut_to_the_pictures_size_where_the_card_says_so() -> None:
    call = ImageModelCall(prompt="a", size=Size(64, 64), images=(file_of(stripes(400, 200)),) * 2)
    for image in input_images(call, msgspec.structs.replace(EDITS, references_fit=True)).images:
        assert (image.width, image.height) == (64, 64)
        assert (pixels(image)[:, 4:-4] == (0, 255, 0)).all()


def test_with_a_mask_the_first_reference_is_what_is_painted_over() -> None:
    mask = Image.new("RGBA", (100, 50))
    start, other = Image.new("RGB", (100, 50)), Image.new("RGB", (30, 10))
    call = ImageModelCall(prompt="a", size=Size(64, 32), images=(file_of(start), file_of(other)), mask=file_of(mask))
    first, second = input_images(call, EDITS).images
    assert (first.width, first.height) == (64, 32)
    assert (second.width, second.height) == (30, 10)


def test_transparent_is_painted_anew_and_opaque_stays() -> None:
    mask = Image.new("RGBA", (128, 128), (255, 255, 255, 255))
    mask.paste((9, 9, 9, 0), (64, 0, 128, 128))
    call = ImageModelCall(prompt="a", size=Size(64, 64), images=(file_of(stripes(64, 64)),), mask=file_of(mask))
    anew = input_images(call, STARTS).mask
    assert anew is not None
    assert (pixels(anew)[:, :31] == 0).all()
    assert (pixels(anew)[:, 33:] == 255).all()


def test_what_is_transparent_lies_on_white() -> None:
    image = Image.new("RGBA", (64, 64), (200, 0, 0, 0))
    [start] = input_images(ImageModelCall(prompt="a", size=Size(64, 64), images=(file_of(image),)), STARTS).images
    assert (pixels(start) == 255).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(16, 300), st.integers(16, 300), st.data())
def test_outside_of_the_mask_every_pixel_stays_and_inside_every_pixel_is_new(
    width: int, height: int, data: st.DataObject
) -> None:
    left = data.draw(st.integers(0, width - 1))
    right = data.draw(st.integers(left + 1, width))
    mask = Image.new("L", (width, height))
    mask.paste(255, (left, 0, right, height))
    random = np.random.default_rng(width)
    original = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    painted = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    result = paste_back(
        painted,
        InputImage(width=width, height=height, data=original.tobytes()),
        InputImage(width=width, height=height, data=mask.tobytes()),
    )
    feather = 8
    assert (result[:, : max(0, left - feather)] == original[:, : max(0, left - feather)]).all()
    assert (result[:, right + feather :] == original[:, right + feather :]).all()
    inside = slice(left + feather if left else 0, right - feather if right < width else width)
    if inside.stop > inside.start:
        assert (result[:, inside] == painted[:, inside]).all()
