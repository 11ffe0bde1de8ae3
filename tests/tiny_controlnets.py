"""Pipelines with a ControlNet beside the denoiser, small and with random weights."""

# diffusers leaves its classes half typed.
# mypy: disable-error-code="no-untyped-call, attr-defined"

from __future__ import annotations

from typing import Any

import diffusers
import torch
from tiny_models import HEAD_WIDTH, flux, sd3, sdxl
from tiny_parts import enliven

from calotype_provider.local.siblings import sibling_of


def flux_controlnet() -> Any:
    pipeline = flux()
    torch.manual_seed(0)
    controlnet = diffusers.FluxControlNetModel.from_transformer(
        pipeline.transformer,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=HEAD_WIDTH,
        num_attention_heads=pipeline.transformer.config.num_attention_heads,
    )
    return _with_controlnet(pipeline, controlnet, diffusers.FluxControlNetPipeline)


def sd3_controlnet() -> Any:
    pipeline = sd3()
    torch.manual_seed(0)
    controlnet = diffusers.SD3ControlNetModel.from_transformer(
        pipeline.transformer, num_layers=1, num_extra_conditioning_channels=0
    )
    return _with_controlnet(pipeline, controlnet, diffusers.StableDiffusion3ControlNetPipeline)


def sdxl_controlnet() -> Any:
    pipeline = sdxl()
    torch.manual_seed(0)
    controlnet = diffusers.ControlNetModel.from_unet(
        pipeline.unet, conditioning_embedding_out_channels=(16, 16, 32, 32)
    )
    return _with_controlnet(pipeline, controlnet, diffusers.StableDiffusionXLControlNetPipeline)


def _with_controlnet(pipeline: Any, controlnet: Any, pipeline_class: type[Any]) -> Any:
    # Fresh ones add zeros.
    enliven(controlnet.eval(), "controlnet_", "embedder", "pos_embed_input", "conv_out")
    return sibling_of(pipeline, pipeline_class, controlnet=controlnet)
