"""One picture: its request -> arguments of the pipeline's own `__call__` -> pixels."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import PreTrainedTokenizerBase

from calotype_provider.local.messages import InputImage, Paint

Pixels = NDArray[np.uint8]
"""[height, width, 3]"""


class Pipeline(Protocol):
    """A pipeline of diffusers, as far as it is used here; each takes what it takes."""

    @property
    def components(self) -> Mapping[str, object]: ...

    def __call__(self, **arguments: Any) -> Any: ...


def pipeline_arguments(pipeline: Pipeline, paint: Paint) -> dict[str, Any]:
    """What the pipeline's own `__call__` takes of the request."""
    asked = {**call_arguments(paint), "output_type": "pt"}
    accepted = inspect.signature(type(pipeline).__call__).parameters
    return {name: value for name, value in asked.items() if name in accepted and value is not None}


def call_arguments(paint: Paint) -> dict[str, Any]:
    """By the names that diffusers' pipelines give them; None where the request has none."""
    images = [_picture(image) for image in paint.images]
    return {
        "prompt": paint.prompt,
        "negative_prompt": paint.negative_prompt,
        "width": paint.width,
        "height": paint.height,
        "num_inference_steps": paint.num_inference_steps,
        "guidance_scale": paint.guidance_scale,
        "true_cfg_scale": paint.true_cfg_scale,
        "max_sequence_length": paint.max_sequence_length,
        "image": (images[0] if len(images) == 1 else images) or None,
        "mask_image": None if paint.mask is None else _picture(paint.mask, mode="L"),
        "control_image": None if paint.control_image is None else _picture(paint.control_image),
        "strength": paint.strength,
        # FLUX.1 Kontext paints at this many pixels, whatever sides it is given.
        "max_area": paint.width * paint.height,
        # And makes a megapixel of what it edits, unless it is told not to.
        "_auto_resize": False if paint.references_fit else None,
        # On the CPU whatever the device, so that a seed is the same noise everywhere.
        "generator": torch.Generator("cpu").manual_seed(paint.seed),
    }


def _picture(image: InputImage, *, mode: str = "RGB") -> Image.Image:
    return Image.frombytes(mode, (image.width, image.height), image.data)


class PromptTokens(NamedTuple):
    read: int
    unread: int
    """The last ones, which the pipeline leaves out; it does not say so itself."""


def prompt_tokens(pipeline: Pipeline, paint: Paint) -> PromptTokens:
    """Of the prompt, without padding."""
    tokenizers = [part for name, part in sorted(pipeline.components.items()) if name.startswith("tokenizer")]
    if not tokenizers or not isinstance(tokenizers[-1], PreTrainedTokenizerBase):
        return PromptTokens(0, 0)
    # The last of several is the one that reads most: T5 after the CLIPs, whose 77 tokens are a summary.
    tokens = len(tokenizers[-1](paint.prompt).input_ids)
    unread = max(0, tokens - (paint.max_sequence_length or tokenizers[-1].model_max_length))
    return PromptTokens(tokens - unread, unread)


def latent_tokens(pipeline: Pipeline, width: int, height: int) -> int:
    """What the denoiser makes of so many pixels. Transformers cut their latents into patches of two by two."""
    side: int = getattr(pipeline, "vae_scale_factor", 8) * (2 if "transformer" in pipeline.components else 1)
    return (width // side) * (height // side)


def to_pixels(images: torch.Tensor) -> Pixels:
    """[1, 3, height, width] from 0 to 1 -> [height, width, 3] from 0 to 255, as diffusers' own PIL output has them."""
    # Widened first: bfloat16 cannot hold 255 apart from 256.
    picture = images[0].float()
    if not bool(torch.isfinite(picture).all()):
        raise ValueError("the model painted values that are not numbers")
    scaled = picture.clamp(0, 1).mul(255).round().to(torch.uint8)
    pixels: Pixels = scaled.permute(1, 2, 0).contiguous().cpu().numpy()
    return pixels
