"""The pictures of a call -> pixels as a pipeline of diffusers takes them. Runs in the server, in a thread."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import msgspec

from calotype_provider.local.messages import InputImage
from calotype_provider.model_card import ModelCard
from calotype_provider.types import ImageFile, ImageModelCall, ImageSource, Size

if TYPE_CHECKING:
    from PIL.Image import Image

REFERENCE_PIXELS_MAX = 1024 * 1024
"""Of a picture that an instruction speaks of: what the models that edit were trained on."""


class InputImages(msgspec.Struct, frozen=True, kw_only=True):
    images: tuple[InputImage, ...] = ()
    mask: InputImage | None = None
    control_image: InputImage | None = None


def input_images(call: ImageModelCall, card: ModelCard) -> InputImages:
    """What a fitted call has, decoded. What the picture is painted over gets its size: the middle is cut out, as the
    card's warning said. References keep their shape, and are made smaller where they are too large, unless the card
    says that they are cut too."""
    assert call.size is not None, "fitting a call sets its size"
    cut = card.images_cut(call)
    return InputImages(
        images=tuple(
            _rgb(_covering(_opened(image), call.size) if index < cut else _within(_opened(image)))
            for index, image in enumerate(call.images)
        ),
        mask=None if call.mask is None else _mask(call.mask, call.size),
        control_image=None if call.control_image is None else _rgb(_covering(_opened(call.control_image), call.size)),
    )


def _opened(image: ImageFile | ImageSource) -> Image:
    # Pillow is for calls that bring pictures: the server starts without it.
    from PIL import Image

    assert isinstance(image, ImageFile), "the runtime has read every picture"
    with Image.open(io.BytesIO(image.data)) as picture:
        picture.load()
        return picture


def _covering(picture: Image, size: Size) -> Image:
    """The middle of the picture in the shape of `size`, at that size."""
    from PIL import Image, ImageOps

    return ImageOps.fit(picture, (size.width, size.height), Image.Resampling.LANCZOS)


def _within(picture: Image) -> Image:
    from PIL import Image

    share = (REFERENCE_PIXELS_MAX / (picture.width * picture.height)) ** 0.5
    if share >= 1:
        return picture
    return picture.resize(
        (max(1, int(picture.width * share)), max(1, int(picture.height * share))), Image.Resampling.LANCZOS
    )


def _rgb(picture: Image) -> InputImage:
    """What is transparent lies on white, as it would on paper."""
    from PIL import Image

    if picture.mode == "RGBA":
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture)
    picture = picture.convert("RGB")
    return InputImage(width=picture.width, height=picture.height, data=picture.tobytes())


def _mask(image: ImageFile | ImageSource, size: Size) -> InputImage:
    """OpenAI's masks are transparent where something new is painted; those of diffusers are white there."""
    from PIL import ImageChops

    alpha = _covering(_opened(image).convert("RGBA").getchannel("A"), size)
    painted_anew = ImageChops.invert(alpha).point(lambda value: 255 if value >= 128 else 0)
    return InputImage(width=size.width, height=size.height, data=painted_anew.tobytes())
