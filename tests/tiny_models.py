"""Pipelines of diffusers with random weights, a builder a family: the real classes in a few megabytes, made offline."""

# diffusers leaves its classes half typed.
# mypy: disable-error-code="no-untyped-call, attr-defined"

from __future__ import annotations

from typing import Any

import diffusers
import torch
from tiny_parts import LATENT_CHANNELS, autoencoder, enlivened, flux2_autoencoder
from tiny_text import NARROW, WIDTH, clip, clip_with_projection, mistral3, qwen2_5_vl, qwen3, t5

HEAD_WIDTH = 16


def flux(
    pipeline_class: type[Any] = diffusers.FluxPipeline, *, in_channels: int = 64, guidance_embeds: bool = True
) -> Any:
    """FLUX.1 in all its forms; [schnell] is the one without guidance embedding."""
    transformer = enlivened(
        diffusers.FluxTransformer2DModel,
        patch_size=1,
        in_channels=in_channels,
        out_channels=LATENT_CHANNELS * 4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=HEAD_WIDTH,
        num_attention_heads=WIDTH // HEAD_WIDTH,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        guidance_embeds=guidance_embeds,
        axes_dims_rope=(4, 6, 6),
    )
    tokenizer, text_encoder = clip()
    tokenizer_2, text_encoder_2 = t5()
    return pipeline_class(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=guidance_embeds),
        vae=autoencoder(shift_factor=0.1159, scaling_factor=0.3611),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        text_encoder_2=text_encoder_2,
        tokenizer_2=tokenizer_2,
        transformer=transformer,
    )


def flux_schnell() -> Any:
    return flux(guidance_embeds=False)


def flux_kontext() -> Any:
    return flux(diffusers.FluxKontextPipeline)


def flux_control() -> Any:
    return flux(diffusers.FluxControlPipeline, in_channels=128)


def flux_fill() -> Any:
    return flux(diffusers.FluxFillPipeline, in_channels=384)


def flux2() -> Any:
    tokenizer, text_encoder = mistral3()
    return diffusers.Flux2Pipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=flux2_autoencoder(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=_flux2_transformer(guidance_embeds=True),
    )


def flux2_klein(*, is_distilled: bool = False) -> Any:
    tokenizer, text_encoder = qwen3()
    return diffusers.Flux2KleinPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=flux2_autoencoder(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=_flux2_transformer(guidance_embeds=False),
        is_distilled=is_distilled,
    )


def flux2_klein_distilled() -> Any:
    return flux2_klein(is_distilled=True)


def sd3() -> Any:
    transformer = enlivened(
        diffusers.SD3Transformer2DModel,
        sample_size=64,
        patch_size=2,
        in_channels=LATENT_CHANNELS,
        num_layers=2,
        attention_head_dim=HEAD_WIDTH,
        num_attention_heads=WIDTH // HEAD_WIDTH,
        joint_attention_dim=WIDTH,
        caption_projection_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        out_channels=LATENT_CHANNELS,
        pos_embed_max_size=64,
        qk_norm="rms_norm",
    )
    tokenizer, text_encoder = clip_with_projection(width=WIDTH // 2)
    tokenizer_2, text_encoder_2 = clip_with_projection(width=WIDTH // 2)
    tokenizer_3, text_encoder_3 = t5()
    return diffusers.StableDiffusion3Pipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(shift_factor=0.0609, scaling_factor=1.5305),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        text_encoder_2=text_encoder_2,
        tokenizer_2=tokenizer_2,
        text_encoder_3=text_encoder_3,
        tokenizer_3=tokenizer_3,
        transformer=transformer,
    )


def sdxl(scheduler_class: type[Any] = diffusers.EulerDiscreteScheduler) -> Any:
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=2,
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=8 * 6 + WIDTH // 2,
        cross_attention_dim=WIDTH,
    ).eval()
    tokenizer, text_encoder = clip(width=WIDTH // 2)
    tokenizer_2, text_encoder_2 = clip_with_projection(width=WIDTH // 2)
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    return diffusers.StableDiffusionXLPipeline(
        scheduler=scheduler_class(**betas, steps_offset=1, timestep_spacing="leading"),
        vae=autoencoder(latent_channels=4, shift_factor=None, scaling_factor=0.13025),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        text_encoder_2=text_encoder_2,
        tokenizer_2=tokenizer_2,
        unet=unet,
    )


def z_image() -> Any:
    transformer = enlivened(
        diffusers.ZImageTransformer2DModel,
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=LATENT_CHANNELS,
        dim=WIDTH,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=4,
        n_kv_heads=4,
        cap_feat_dim=NARROW,
        rope_theta=256.0,
        t_scale=1000.0,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 512, 512],
    )
    # Left uninitialised by diffusers.
    transformer.x_pad_token.data.fill_(1)
    transformer.cap_pad_token.data.fill_(1)
    tokenizer, text_encoder = qwen3()
    return diffusers.ZImagePipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(shift_factor=0.1159, scaling_factor=0.3611),
        text_encoder=text_encoder.model,
        tokenizer=tokenizer,
        transformer=transformer,
    )


def qwen_image() -> Any:
    channels = 4
    transformer = enlivened(
        diffusers.QwenImageTransformer2DModel,
        patch_size=2,
        in_channels=channels * 4,
        out_channels=channels,
        num_layers=2,
        attention_head_dim=HEAD_WIDTH,
        num_attention_heads=WIDTH // HEAD_WIDTH,
        joint_attention_dim=NARROW,
        guidance_embeds=False,
        axes_dims_rope=(8, 4, 4),
    )
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=channels * 6,
        z_dim=channels,
        dim_mult=[1, 2, 4, 4],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * channels,
        latents_std=[1.0] * channels,
    ).eval()
    tokenizer, text_encoder = qwen2_5_vl()
    return diffusers.QwenImagePipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift_terminal=0.02),
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=transformer,
    )


def _flux2_transformer(*, guidance_embeds: bool) -> Any:
    return enlivened(
        diffusers.Flux2Transformer2DModel,
        patch_size=1,
        in_channels=128,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=HEAD_WIDTH,
        num_attention_heads=WIDTH // HEAD_WIDTH,
        joint_attention_dim=NARROW * 3,
        timestep_guidance_channels=256,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=guidance_embeds,
    )
