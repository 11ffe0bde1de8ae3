"""Six requests a family, with as little in common as it allows: prompts, steps, guidance, seeds, forms."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import tiny_controlnets
import tiny_models
import torch
from hub_cases import SIDE, Case, mask, picture

PROMPTS = ("a red fox", "blue car on a hill", "an old man reading", "x", "castle in the fog, oil painting", "two cats")
STEPS = (3, 7, 4, 5, 6, 3)
TINTYPE_FOLDER = Path(tiny_models.__file__).parent.parent / "provider/calotype_provider/tintype"


@dataclass(frozen=True)
class Form:
    """What the requests of one form of a family have besides the common arguments."""

    pipeline_class: type[Any] | None = None
    image: str | None = None
    control_image: bool = False
    mask: bool = False
    strength: float | None = None
    sized: bool = True


@dataclass(frozen=True)
class Family:
    build: Callable[[], Any]
    guidance: str | None = "guidance_scale"
    negative_prompts: tuple[str | None, ...] = (None,)
    forms: Sequence[Form] = (Form(),)
    """One after the other, as often as there are requests."""
    common: Mapping[str, Any] = field(default_factory=dict)

    def cases(self) -> list[Case]:
        return [self._case(index) for index in range(len(STEPS))]

    def _case(self, index: int) -> Case:
        form = self.forms[index % len(self.forms)]
        arguments = {
            "prompt": PROMPTS[index],
            "num_inference_steps": STEPS[index],
            **self.common,
            **({"height": SIDE, "width": SIDE} if form.sized else {}),
            **({self.guidance: 1.5 + 0.7 * index} if self.guidance else {}),
            **({form.image: picture(index)} if form.image else {}),
            **({"control_image": picture(100 + index)} if form.control_image else {}),
            **({"mask_image": mask(index)} if form.mask else {}),
            **({"strength": form.strength} if form.strength else {}),
        }
        negative = self.negative_prompts[index % len(self.negative_prompts)]
        if negative is not None:
            arguments["negative_prompt"] = negative
        return Case(arguments, seed=1000 + index, pipeline_class=form.pipeline_class)


def plain_image_inpaint(family: str, *, sized: bool = True) -> tuple[Form, ...]:
    return (
        Form(),
        Form(getattr(diffusers, f"{family}Img2ImgPipeline"), image="image", strength=0.6, sized=sized),
        Form(getattr(diffusers, f"{family}InpaintPipeline"), image="image", mask=True, strength=0.7),
    )


def tintype() -> Any:
    pipeline = diffusers.DiffusionPipeline.from_pretrained(  # type: ignore[no-untyped-call]  # diffusers leaves it so
        TINTYPE_FOLDER, dtype=torch.bfloat16, local_files_only=True
    )
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            for parameter in part.parameters():
                parameter.data = parameter.data.clone()
    return pipeline


SHORT_TEXT = {"max_sequence_length": 32}
KONTEXT = {**SHORT_TEXT, "max_area": SIDE * SIDE, "_auto_resize": False}

FAMILIES: Mapping[str, Family] = {
    "flux": Family(tiny_models.flux, forms=plain_image_inpaint("Flux"), common=SHORT_TEXT),
    "flux true CFG": Family(
        tiny_models.flux, guidance="true_cfg_scale", negative_prompts=("ugly", None, "a blurred cat"), common=SHORT_TEXT
    ),
    "flux schnell": Family(tiny_models.flux_schnell, guidance=None, common=SHORT_TEXT),
    "flux kontext": Family(
        tiny_models.flux_kontext,
        forms=(
            Form(image="image"),
            Form(diffusers.FluxKontextInpaintPipeline, image="image", mask=True, strength=0.8),
            Form(),
        ),
        common=KONTEXT,
    ),
    "flux control": Family(
        tiny_models.flux_control,
        forms=(
            Form(control_image=True),
            Form(diffusers.FluxControlImg2ImgPipeline, image="image", control_image=True, strength=0.6),
            Form(diffusers.FluxControlInpaintPipeline, image="image", control_image=True, mask=True, strength=0.8),
        ),
        common=SHORT_TEXT,
    ),
    "flux fill": Family(tiny_models.flux_fill, forms=(Form(image="image", mask=True),), common=SHORT_TEXT),
    "flux controlnet": Family(
        tiny_controlnets.flux_controlnet,
        forms=(Form(control_image=True), Form(diffusers.FluxPipeline)),
        common=SHORT_TEXT,
    ),
    "flux2": Family(tiny_models.flux2, forms=(Form(), Form(image="image")), common=SHORT_TEXT),
    "flux2 klein": Family(
        tiny_models.flux2_klein,
        forms=(
            Form(),
            Form(image="image"),
            Form(diffusers.Flux2KleinInpaintPipeline, image="image", mask=True, strength=0.8),
        ),
        common=SHORT_TEXT,
    ),
    "flux2 klein distilled": Family(
        tiny_models.flux2_klein_distilled, guidance=None, forms=(Form(), Form(image="image")), common=SHORT_TEXT
    ),
    "sd3": Family(
        tiny_models.sd3,
        negative_prompts=("ugly", None),
        forms=plain_image_inpaint("StableDiffusion3"),
        common=SHORT_TEXT,
    ),
    **{
        f"sdxl {scheduler.__name__}": Family(
            functools.partial(tiny_models.sdxl, scheduler),
            negative_prompts=("ugly", None),
            forms=plain_image_inpaint("StableDiffusionXL", sized=False),
        )
        for scheduler in (
            diffusers.EulerDiscreteScheduler,
            diffusers.EulerAncestralDiscreteScheduler,
            diffusers.DPMSolverMultistepScheduler,
            diffusers.UniPCMultistepScheduler,
            diffusers.HeunDiscreteScheduler,
        )
    },
    "sd3 controlnet": Family(
        tiny_controlnets.sd3_controlnet,
        forms=(Form(control_image=True), Form(diffusers.StableDiffusion3Pipeline)),
        common=SHORT_TEXT,
    ),
    "sdxl controlnet": Family(
        tiny_controlnets.sdxl_controlnet, forms=(Form(image="image"), Form(diffusers.StableDiffusionXLPipeline))
    ),
    "z-image": Family(
        tiny_models.z_image, negative_prompts=("ugly", None), forms=plain_image_inpaint("ZImage"), common=SHORT_TEXT
    ),
    "qwen-image": Family(
        tiny_models.qwen_image,
        guidance="true_cfg_scale",
        negative_prompts=("ugly", "blurred", None),
        forms=plain_image_inpaint("QwenImage"),
        common=SHORT_TEXT,
    ),
    "tintype": Family(
        tintype, guidance="true_cfg_scale", negative_prompts=("ugly", None), common={"max_sequence_length": 48}
    ),
}
