"""Paints many prompts at once with a painter in training, as the pipelines do; for sheets."""

from typing import Any

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .buckets import Bucket
from .folders import SHIPPED
from .painter import Painter
from .pool import unpack
from .quick_layers import quick_numbers


@torch.inference_mode()
def sample(
    painter: Painter,
    prompts: list[str],
    bucket: Bucket,
    *,
    steps: int,
    true_cfg_scale: float = 1.0,
    guidance: float | None = None,
    reference: Tensor | None = None,
    seed: int = 0,
) -> Tensor:
    """The prompts' latents as packed tokens, fp32 [prompts, tokens, 64]."""
    count, device = len(prompts), painter.device
    shape = (count, bucket.tokens_down * bucket.tokens_across, 64)
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)
    schedule: Any = FlowMatchEulerDiscreteScheduler.from_pretrained(SHIPPED, subfolder="scheduler")
    schedule.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps))
    scale = None if guidance is None else torch.full((count,), guidance, device=device)
    with quick_numbers(device):
        told, untold = painter.read(prompts), painter.read([""] * count)
        for sigma, following in zip(schedule.sigmas[:-1].tolist(), schedule.sigmas[1:].tolist(), strict=True):
            times = torch.full((count,), sigma, device=device)
            velocity = painter(latents, times, told, bucket, reference=reference, guidance=scale).float()
            if true_cfg_scale != 1:
                away = painter(latents, times, untold, bucket, reference=reference, guidance=scale).float()
                velocity = away + true_cfg_scale * (velocity - away)
            latents = latents + (following - sigma) * velocity
    return latents


@torch.inference_mode()
def decode(vae: Any, latents: Tensor, bucket: Bucket) -> list[NDArray[np.uint8]]:
    """Pictures of packed tokens, each uint8 [height, width, 3]."""
    spread = unpack(latents.float(), bucket) / vae.config.scaling_factor + vae.config.shift_factor
    with quick_numbers(vae.device):
        pictures = torch.cat([vae.decode(part).sample for part in spread.to(vae.device).split(16)])
    bytes_ = ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return list(bytes_)


def contact_sheet(pictures: list[NDArray[np.uint8]], across: int, zoom: int = 1) -> Image.Image:
    """Rows of so many, each picture enlarged without smoothing."""
    rows = [np.concatenate(pictures[start : start + across], axis=1) for start in range(0, len(pictures), across)]
    sheet = Image.fromarray(np.concatenate(rows))
    return sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.Resampling.NEAREST)
