"""Parts of pipelines with random weights: denoisers that make a difference, and autoencoders."""

# diffusers leaves its classes half typed.
# mypy: disable-error-code="no-untyped-call, attr-defined"

from __future__ import annotations

from typing import Any

import diffusers
import torch

VAE_CHANNELS = (16, 32, 32, 32)
LATENT_CHANNELS = 16


def enlivened(denoiser_class: type[Any], **config: Any) -> Any:
    torch.manual_seed(0)
    denoiser = denoiser_class(**config).eval()
    enliven(denoiser, "norm", "proj_out")
    return denoiser


def enliven(module: Any, *names: str) -> None:
    """Fresh modulations and projections are nearly zero: drawn wider, prompts and steps make a difference."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim >= 2 and any(part in name for part in names):
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)


def autoencoder(*, latent_channels: int = LATENT_CHANNELS, **factors: float | None) -> Any:
    torch.manual_seed(0)
    return diffusers.AutoencoderKL(
        **_autoencoder_blocks(),
        latent_channels=latent_channels,
        use_quant_conv=False,
        use_post_quant_conv=False,
        **factors,
    ).eval()


def flux2_autoencoder() -> Any:
    torch.manual_seed(0)
    return diffusers.AutoencoderKLFlux2(**_autoencoder_blocks(), latent_channels=32).eval()


def _autoencoder_blocks() -> dict[str, Any]:
    return {
        "sample_size": 64,
        "block_out_channels": VAE_CHANNELS,
        "layers_per_block": 1,
        "down_block_types": ("DownEncoderBlock2D",) * len(VAE_CHANNELS),
        "up_block_types": ("UpDecoderBlock2D",) * len(VAE_CHANNELS),
        "norm_num_groups": 8,
    }
