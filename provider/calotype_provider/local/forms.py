"""Which class of diffusers' pipelines paints a request: the loaded one, or a sibling over the same weights."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from calotype_provider.local.messages import Paint


class Forms(msgspec.Struct, frozen=True, kw_only=True):
    """Siblings of one pipeline class, and what the class itself takes. None: there is no such form."""

    start: str | None = None
    """Starts from an image and leaves it by some strength."""
    mask: str | None = None
    """Paints anew what a mask leaves open."""
    images_max: int = 0
    """Images that the class itself takes, for an instruction to speak of."""
    requires_image: bool = False
    requires_mask: bool = False
    requires_control_image: bool = False


REFERENCES_MAX = 8

FORMS: Mapping[str, Forms] = {
    "FluxPipeline": Forms(start="FluxImg2ImgPipeline", mask="FluxInpaintPipeline"),
    "FluxKontextPipeline": Forms(mask="FluxKontextInpaintPipeline", images_max=1),
    "FluxControlPipeline": Forms(
        start="FluxControlImg2ImgPipeline", mask="FluxControlInpaintPipeline", requires_control_image=True
    ),
    "FluxFillPipeline": Forms(mask="FluxFillPipeline", images_max=1, requires_image=True, requires_mask=True),
    "Flux2Pipeline": Forms(images_max=REFERENCES_MAX),
    "Flux2KleinPipeline": Forms(mask="Flux2KleinInpaintPipeline", images_max=REFERENCES_MAX),
    "StableDiffusion3Pipeline": Forms(start="StableDiffusion3Img2ImgPipeline", mask="StableDiffusion3InpaintPipeline"),
    "StableDiffusionXLPipeline": Forms(
        start="StableDiffusionXLImg2ImgPipeline", mask="StableDiffusionXLInpaintPipeline"
    ),
    "QwenImagePipeline": Forms(start="QwenImageImg2ImgPipeline", mask="QwenImageInpaintPipeline"),
    "QwenImageEditPipeline": Forms(mask="QwenImageEditInpaintPipeline", images_max=1, requires_image=True),
    "QwenImageEditPlusPipeline": Forms(images_max=REFERENCES_MAX, requires_image=True),
    "ZImagePipeline": Forms(start="ZImageImg2ImgPipeline", mask="ZImageInpaintPipeline"),
}
"""By the class that a folder's index names. A class that is not here paints from words alone."""


def class_for(loaded: str, paint: Paint) -> str:
    """The name of the class that paints the request over the weights of a `loaded` one."""
    forms = FORMS.get(loaded, Forms())
    if paint.mask is not None and forms.mask is not None:
        return forms.mask
    if paint.images and forms.start is not None:
        return forms.start
    return loaded
