"""Pipelines of diffusers with random weights, made offline and small: the real classes, in a few megabytes."""

# diffusers leaves its classes half typed.
# mypy: disable-error-code="no-untyped-call, attr-defined"

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    ChromaPipeline,
    ChromaTransformer2DModel,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
)
from tokenizers import pre_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

# A multiple of 64: at odd widths the vectorised kernels' tails depend on the batch.
WIDTH = 64
LATENT_CHANNELS = 16


def save_tiny_flux(folder: Path, *, guidance_embeds: bool = True) -> Path:
    """A FLUX.1 [dev], or without guidance embedding a [schnell], saved in bf16. Returns the folder."""
    tokenizer, text_encoder = _clip()
    tokenizer_2, text_encoder_2 = _t5()
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=guidance_embeds),
        vae=_autoencoder(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        text_encoder_2=text_encoder_2,
        tokenizer_2=tokenizer_2,
        transformer=_flux_transformer(guidance_embeds=guidance_embeds),
    )
    pipeline.to(torch.bfloat16).save_pretrained(folder)
    return folder


def save_tiny_chroma(folder: Path) -> Path:
    """Of a family that has no entry in any table here, saved in bf16. Returns the folder."""
    tokenizer, text_encoder = _t5()
    torch.manual_seed(0)
    transformer = ChromaTransformer2DModel(
        patch_size=1,
        in_channels=LATENT_CHANNELS * 4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=WIDTH // 16,
        joint_attention_dim=WIDTH,
        axes_dims_rope=(4, 6, 6),
        approximator_num_channels=8,
        approximator_hidden_dim=32,
        approximator_layers=1,
    )
    pipeline = ChromaPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_autoencoder(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=transformer,
    )
    pipeline.to(torch.bfloat16).save_pretrained(folder)
    return folder


def _flux_transformer(*, guidance_embeds: bool) -> FluxTransformer2DModel:
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=LATENT_CHANNELS * 4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=WIDTH // 16,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        guidance_embeds=guidance_embeds,
        axes_dims_rope=(4, 6, 6),
    )
    _enliven(transformer)
    return transformer


def _enliven(denoiser: FluxTransformer2DModel) -> None:
    """Fresh modulations and projections are nearly zero: drawn wider, prompts and steps make a difference."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in denoiser.named_parameters():
            if parameter.ndim >= 2 and ("norm" in name or name.startswith("proj_out")):
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)


def _autoencoder() -> AutoencoderKL:
    torch.manual_seed(0)
    channels = (16, 32, 32, 32)
    return AutoencoderKL(
        sample_size=64,
        block_out_channels=channels,
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        use_quant_conv=False,
        use_post_quant_conv=False,
        shift_factor=0.1159,
        scaling_factor=0.3611,
    )


def _clip() -> tuple[CLIPTokenizer, CLIPTextModel]:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}, merges=[])
    tokenizer.model_max_length = 77
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_attention_heads=4,
        num_hidden_layers=1,
        projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        # The pooled embedding is the one at this token: the tokenizer's, or it is some other's.
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return tokenizer, CLIPTextModel(config)


def _t5() -> tuple[T5Tokenizer, T5EncoderModel]:
    letters = [(chr(code), -5.0) for code in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0), *letters]
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=128,
        d_model=WIDTH,
        d_kv=16,
        d_ff=WIDTH,
        num_layers=1,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        is_encoder_decoder=False,
    )
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512), T5EncoderModel(config)
