"""What a picture will look like, amid its steps: predicted clean latents -> pixels, in a few lines a family."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

Unpack = Callable[[Any, torch.Tensor, Mapping[str, Any]], torch.Tensor]
"""The pipeline, latents as its scheduler has them, the arguments of its denoiser -> latents as its VAE decodes them."""


def can_preview(pipeline: Any) -> bool:
    return _denoiser_name(pipeline) in UNPACK


def preview(pipeline: Any, clean_latents: torch.Tensor, denoiser_arguments: Mapping[str, Any]) -> torch.Tensor | None:
    """Pictures as the pipeline gives them with `output_type="pt"`: [rows, 3, height, width] from 0 to 1. None for a
    family without an entry."""
    unpack = UNPACK.get(_denoiser_name(pipeline))
    vae = pipeline.vae
    if unpack is None or (vae.dtype == torch.float16 and vae.config.get("force_upcast")):
        return None
    latents = unpack(pipeline, clean_latents, denoiser_arguments).to(vae.dtype)
    decoded: torch.Tensor = vae.decode(latents, return_dict=False)[0]
    if decoded.ndim == 5:
        decoded = decoded[:, :, 0]
    return (decoded / 2 + 0.5).clamp(0, 1)


def predicted_clean(scheduler: Any, model_output: torch.Tensor, sample: torch.Tensor) -> torch.Tensor | None:
    """The clean latents that the step which `scheduler` has just made went towards, guidance included. None for a
    scheduler that is told apart in no line here."""
    if hasattr(scheduler, "model_outputs"):
        to_clean = getattr(scheduler, "predict_x0", False) or str(scheduler.config.get("algorithm_type")).endswith("++")
        clean: torch.Tensor | None = scheduler.model_outputs[-1] if to_clean else None
        return clean
    sigmas, step_index = getattr(scheduler, "sigmas", None), getattr(scheduler, "step_index", None)
    if sigmas is None or step_index is None:
        return None
    sigma: float = sigmas[step_index - 1].item()
    latents, output = sample.float(), model_output.float()
    match scheduler.config.get("prediction_type", "flow_prediction"):
        case "epsilon" | "flow_prediction":
            return latents - output * sigma
        case "v_prediction":
            return latents / (sigma * sigma + 1) - output * (sigma / math.sqrt(sigma * sigma + 1))
    return None


def _flux(pipeline: Any, latents: torch.Tensor, arguments: Mapping[str, Any]) -> torch.Tensor:
    scale = pipeline.vae_scale_factor
    rows, columns = _grid(arguments["img_ids"], latents.shape[1])
    return _scaled(pipeline, pipeline._unpack_latents(latents, rows * scale * 2, columns * scale * 2, scale))


def _flux2(pipeline: Any, latents: torch.Tensor, arguments: Mapping[str, Any]) -> torch.Tensor:
    rows, columns = _grid(arguments["img_ids"], latents.shape[1])
    patches = latents.view(len(latents), rows, columns, -1).permute(0, 3, 1, 2)
    norm = pipeline.vae.bn
    deviation = torch.sqrt(norm.running_var + pipeline.vae.config.batch_norm_eps)
    patches = patches * deviation.view(1, -1, 1, 1) + norm.running_mean.view(1, -1, 1, 1)
    unpatched: torch.Tensor = pipeline._unpatchify_latents(patches)
    return unpatched


def _qwen_image(pipeline: Any, latents: torch.Tensor, arguments: Mapping[str, Any]) -> torch.Tensor:
    scale = pipeline.vae_scale_factor
    _, rows, columns = arguments["img_shapes"][0][0]
    unpacked = pipeline._unpack_latents(latents, rows * scale * 2, columns * scale * 2, scale)
    config = pipeline.vae.config
    mean, deviation = (
        unpacked.new_tensor(values).view(1, -1, 1, 1, 1) for values in (config.latents_mean, config.latents_std)
    )
    restored: torch.Tensor = unpacked * deviation + mean
    return restored


def _plain(pipeline: Any, latents: torch.Tensor, arguments: Mapping[str, Any]) -> torch.Tensor:
    return _scaled(pipeline, latents)


UNPACK: Mapping[str, Unpack] = {
    "FluxTransformer2DModel": _flux,
    "Flux2Transformer2DModel": _flux2,
    "QwenImageTransformer2DModel": _qwen_image,
    "SD3Transformer2DModel": _plain,
    "UNet2DConditionModel": _plain,
    "ZImageTransformer2DModel": _plain,
}


def _scaled(pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
    config = pipeline.vae.config
    scaling: float = config.scaling_factor
    return latents / scaling + float(config.get("shift_factor") or 0.0)


def _grid(ids: torch.Tensor, tokens: int) -> tuple[int, int]:
    """Rows and columns of the picture's own tokens, which stand before those of its references."""
    own = ids.reshape(-1, ids.shape[-1])[:tokens]
    return int(own[:, 1].max()) + 1, int(own[:, 2].max()) + 1


def _denoiser_name(pipeline: Any) -> str:
    denoiser = getattr(pipeline, "transformer", None) or getattr(pipeline, "unet", None)
    return type(denoiser).__name__
