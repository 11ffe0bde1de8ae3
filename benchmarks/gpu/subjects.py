"""What is measured: denoisers and decoders of diffusers at full size, their inputs, and their toy forms for a CPU.

The shapes are the `config.json` of the published folders. What they come to was counted before, with the same result
(the project's reference/engine.md, section 7): FLUX.1 11.90 B parameters and 74.4 TFLOP at 1024 px, klein 3.88 B and
34.8, FLUX.2-dev 32.2 B and 283, SD3.5 large 8.06 B and 31.1 a row, medium 2.24 B and 11.3 a row, the decoder 10.5.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import diffusers
import torch

Inputs = dict[str, Any]

# The same for every row of a batch, as the pipelines make them.
SHARED_INPUTS = ("img_ids", "txt_ids")
FLUX_TEXT_TOKENS = 512
SD3_TEXT_TOKENS = 77 + 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    name: str
    model_class: Callable[..., Any]
    config: Mapping[str, Any]
    tiny_config: Mapping[str, Any]
    """What is different in the toy."""
    inputs: Callable[[Any, int, int], Inputs]
    """Of a model's config, rows and latent side (eighths of a pixel side), on torch's default device."""
    forward: Callable[[Any, Inputs], torch.Tensor]
    blocks: tuple[str, ...] = ()
    """The classes that are compiled: the blocks a denoiser repeats. Without any, it is measured in eager mode alone,
    with torch's own choice of attention and a row at a time, as the engine decodes."""
    floor_ms: Mapping[int, float] = dataclasses.field(default_factory=dict)
    """By side in pixels, a row, on paper at 790 TFLOP/s (an H200's bf16 product): engine.md, section 7."""
    published_ms: Mapping[int, float] = dataclasses.field(default_factory=dict)
    """By side in pixels, a row, bf16 on one H100-class GPU: peers.md, section 1.3, and engine.md, section 7."""

    def build(self, device: torch.device, *, is_tiny: bool) -> Any:
        """On the meta device only its shapes; elsewhere with random weights, drawn where they stay."""
        default_dtype = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        try:
            with device:
                model = self.model_class(**{**self.config, **(self.tiny_config if is_tiny else {})})
        finally:
            torch.set_default_dtype(default_dtype)
        if device.type != "meta":
            _draw(model)
        # Tables of positions are made in float32, and loaded in bf16.
        return model.eval().to(torch.bfloat16)

    def draw_inputs(self, model: Any, *, rows: int, side: int, device: torch.device) -> Inputs:
        torch.manual_seed(1)
        with device:
            inputs = self.inputs(model.config, rows, side // 8)
        return {
            name: value.bfloat16() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
            for name, value in inputs.items()
        }


def first_rows(inputs: Inputs, rows: int) -> Inputs:
    return {
        name: value[:rows] if isinstance(value, torch.Tensor) and name not in SHARED_INPUTS else value
        for name, value in inputs.items()
    }


def _draw(model: Any) -> None:
    """Weights that keep a vector's length, so that every block speaks. Zeros would be faster (894 TFLOP/s, not 788)."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim >= 2:
            parameter.normal_(0, parameter[0].numel() ** -0.5)


def _predict(model: Any, inputs: Inputs) -> torch.Tensor:
    output: torch.Tensor = model(**inputs, return_dict=False)[0]
    return output


def _decode(model: Any, inputs: Inputs) -> torch.Tensor:
    image: torch.Tensor = model.decode(inputs["latents"], return_dict=False)[0]
    return image


def _flux_inputs(config: Any, rows: int, side: int) -> Inputs:
    tokens_a_side = side // 2
    across = torch.arange(tokens_a_side)
    # 64 steps fit bf16 exactly, as in the pipeline.
    positions = torch.cartesian_prod(torch.zeros(1, dtype=across.dtype), across, across).float()
    return {
        "hidden_states": torch.randn(rows, tokens_a_side**2, config.in_channels),
        "timestep": torch.rand(rows),
        "guidance": torch.full((rows,), 3.5) if config.guidance_embeds else None,
        "pooled_projections": torch.randn(rows, config.pooled_projection_dim),
        "encoder_hidden_states": torch.randn(rows, FLUX_TEXT_TOKENS, config.joint_attention_dim),
        "txt_ids": torch.zeros(FLUX_TEXT_TOKENS, 3),
        "img_ids": positions,
    }


def _flux2_inputs(config: Any, rows: int, side: int) -> Inputs:
    tokens_a_side = side // 2
    one, across, words = torch.arange(1), torch.arange(tokens_a_side), torch.arange(FLUX_TEXT_TOKENS)
    return {
        "hidden_states": torch.randn(rows, tokens_a_side**2, config.in_channels),
        "timestep": torch.rand(rows),
        "guidance": torch.full((rows,), 4.0) if config.guidance_embeds else None,
        "encoder_hidden_states": torch.randn(rows, FLUX_TEXT_TOKENS, config.joint_attention_dim),
        "txt_ids": torch.cartesian_prod(one, one, one, words),
        "img_ids": torch.cartesian_prod(one, across, across, one),
    }


def _sd3_inputs(config: Any, rows: int, side: int) -> Inputs:
    return {
        "hidden_states": torch.randn(rows, config.in_channels, side, side),
        "timestep": torch.rand(rows) * 1000,
        "pooled_projections": torch.randn(rows, config.pooled_projection_dim),
        "encoder_hidden_states": torch.randn(rows, SD3_TEXT_TOKENS, config.joint_attention_dim),
    }


def _latents(config: Any, rows: int, side: int) -> Inputs:
    return {"latents": torch.randn(rows, config.latent_channels, side, side)}


_TINY_FLUX = {"num_layers": 1, "num_single_layers": 1, "num_attention_heads": 4, "attention_head_dim": 16}
_TINY_TEXT = {"joint_attention_dim": 64, "pooled_projection_dim": 64}
_FLUX2: dict[str, Any] = {
    "model_class": diffusers.Flux2Transformer2DModel,
    "tiny_config": {**_TINY_FLUX, "axes_dims_rope": (4, 4, 4, 4), "joint_attention_dim": 64},
    "inputs": _flux2_inputs,
    "forward": _predict,
    "blocks": ("Flux2TransformerBlock", "Flux2SingleTransformerBlock"),
}
_SD3: dict[str, Any] = {
    "model_class": diffusers.SD3Transformer2DModel,
    "tiny_config": {
        "num_layers": 2,
        "num_attention_heads": 4,
        "attention_head_dim": 16,
        "caption_projection_dim": 64,
        **_TINY_TEXT,
        "pos_embed_max_size": 32,
        "sample_size": 32,
    },
    "inputs": _sd3_inputs,
    "forward": _predict,
    "blocks": ("JointTransformerBlock",),
}
_SD3_CONFIG = {
    "in_channels": 16,
    "joint_attention_dim": 4096,
    "pooled_projection_dim": 2048,
    "qk_norm": "rms_norm",
    "sample_size": 128,
}
_VAE: dict[str, Any] = {
    "tiny_config": {"block_out_channels": (16, 32, 32, 32), "norm_num_groups": 8},
    "inputs": _latents,
    "forward": _decode,
}

_ALL = (
    Subject(
        name="flux.1",
        model_class=diffusers.FluxTransformer2DModel,
        config={"guidance_embeds": True},
        tiny_config={**_TINY_FLUX, **_TINY_TEXT, "axes_dims_rope": (4, 6, 6)},
        inputs=_flux_inputs,
        forward=_predict,
        blocks=("FluxTransformerBlock", "FluxSingleTransformerBlock"),
        floor_ms={512: 27, 1024: 94},
        published_ms={1024: 129},
    ),
    Subject(
        name="klein-4b",
        config={
            "guidance_embeds": False,
            "num_layers": 5,
            "num_single_layers": 20,
            "num_attention_heads": 24,
            "joint_attention_dim": 7680,
        },
        floor_ms={512: 13, 1024: 44},
        published_ms={1024: 58},
        **_FLUX2,
    ),
    Subject(
        name="sd3.5-large",
        config={
            **_SD3_CONFIG,
            "num_layers": 38,
            "num_attention_heads": 38,
            "caption_projection_dim": 2432,
            "pos_embed_max_size": 192,
        },
        floor_ms={1024: 39},
        **_SD3,
    ),
    Subject(
        name="sd3.5-medium",
        config={
            **_SD3_CONFIG,
            "num_layers": 24,
            "num_attention_heads": 24,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 384,
            "dual_attention_layers": tuple(range(13)),
        },
        floor_ms={1024: 14.2},
        **_SD3,
    ),
    Subject(
        name="vae",
        model_class=diffusers.AutoencoderKL,
        config={
            "block_out_channels": (128, 256, 512, 512),
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
            "layers_per_block": 2,
            "latent_channels": 16,
            "use_quant_conv": False,
            "use_post_quant_conv": False,
        },
        floor_ms={1024: 13},
        **_VAE,
    ),
    Subject(name="vae-flux.2", model_class=diffusers.AutoencoderKLFlux2, config={}, **_VAE),
    Subject(
        name="flux.2-dev",
        config={"guidance_embeds": True},
        floor_ms={1024: 358},
        published_ms={1024: 437},
        **_FLUX2,
    ),
)

SUBJECTS = {subject.name: subject for subject in _ALL}
# 64 GB of weights are for those who ask for them.
SUBJECTS_BY_DEFAULT = tuple(name for name in SUBJECTS if name != "flux.2-dev")
# The toy of SD3.5 medium has every kind of block that the large one has.
TOYS_BY_DEFAULT = tuple(name for name in SUBJECTS_BY_DEFAULT if name != "sd3.5-large")
