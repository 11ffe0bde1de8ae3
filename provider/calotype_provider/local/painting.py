"""One picture: its request -> arguments of the pipeline's own `__call__` -> pixels."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from calotype_provider.local.messages import Paint

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
    return {
        "prompt": paint.prompt,
        "negative_prompt": paint.negative_prompt,
        "width": paint.width,
        "height": paint.height,
        "num_inference_steps": paint.num_inference_steps,
        "guidance_scale": paint.guidance_scale,
        "true_cfg_scale": paint.true_cfg_scale,
        "max_sequence_length": paint.max_sequence_length,
        # On the CPU whatever the device, so that a seed is the same noise everywhere.
        "generator": torch.Generator("cpu").manual_seed(paint.seed),
    }


def prompt_tokens_unread(pipeline: Pipeline, paint: Paint) -> int:
    """How many tokens of the prompt the pipeline will leave out; it does not say so itself."""
    tokenizers = [part for name, part in sorted(pipeline.components.items()) if name.startswith("tokenizer")]
    if not tokenizers or not isinstance(tokenizers[-1], PreTrainedTokenizerBase):
        return 0
    # The last of several is the one that reads most: T5 after the CLIPs, whose 77 tokens are a summary.
    tokens = len(tokenizers[-1](paint.prompt).input_ids)
    return max(0, tokens - (paint.max_sequence_length or tokenizers[-1].model_max_length))


def to_pixels(images: torch.Tensor) -> Pixels:
    """[1, 3, height, width] from 0 to 1 -> [height, width, 3] from 0 to 255, as diffusers' own PIL output has them."""
    # Widened first: bfloat16 cannot hold 255 apart from 256.
    picture = images[0].float()
    if not bool(torch.isfinite(picture).all()):
        raise ValueError("the model painted values that are not numbers")
    scaled = picture.clamp(0, 1).mul(255).round().to(torch.uint8)
    pixels: Pixels = scaled.permute(1, 2, 0).contiguous().cpu().numpy()
    return pixels
