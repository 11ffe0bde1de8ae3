"""What a picture will look like, amid its steps: predicted clean latents -> pixels, in a few lines a family."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

Unpack = Callable[[Any, torch.Tensor, Mapping[str, Any]], torch.Tensor]
"""The pipeline, latents as its scheduler has them, the arguments of its denoiser -> latents as its VAE decodes them."""


def can_preview(pipeline: Any) -> bool:
    """Whether `predicted_clean` and `preview` know its scheduler, its family and its autoencoder."""
    return _denoiser_name(pipeline) in UNPACK and not _decodes_wider(pipeline.vae) and _predicts(pipeline.scheduler)


def preview(pipeline: Any, clean_latents: torch.Tensor, denoiser_arguments: Mapping[str, Any]) -> torch.Tensor | None:
    """Pictures as the pipeline gives them with `output_type="pt"`: [rows, 3, height, width] from 0 to 1. None for a
    family without an entry."""
    unpack = UNPACK.get(_denoiser_name(pipeline))
    if unpack is None or _decodes_wider(pipeline.vae):
        return None
    latents = unpack(pipeline, clean_latents, denoiser_arguments).to(pipeline.vae.dtype)
    decoded: torch.Tensor = pipeline.vae.decode(latents, return_dict=False)[0]
    if decoded.ndim == 5:
        decoded = decoded[:, :, 0]
    return (decoded / 2 + 0.5).clamp(0, 1)


def predicted_clean(scheduler: Any, model_output: torch.Tensor, sample: torch.Tensor) -> torch.Tensor | None:
    """The clean latents that the step which `scheduler` has just made went towards, guidance included. None for a
    scheduler that is told apart in no line here."""
    if not _predicts(scheduler):
        return None
    if hasattr(scheduler, "model_outputs"):
        clean: torch.Tensor = scheduler.model_outputs[-1]
        return clean
    sigma: float = scheduler.sigmas[scheduler.step_index - 1].item()
    latents, output = sample.float(), model_output.float()
    if _prediction_type(scheduler) == "v_prediction":
        return latents / (sigma * sigma + 1) - output * (sigma / math.sqrt(sigma * sigma + 1))
    return latents - output * sigma


def _predicts(scheduler: Any) -> bool:
    """Whether its steps tell what they go towards."""
    if hasattr(scheduler, "model_outputs"):
        to_clean = getattr(scheduler, "predict_x0", False) or str(scheduler.config.get("algorithm_type")).endswith("++")
        return bool(to_clean)
    known = _prediction_type(scheduler) in ("epsilon", "flow_prediction", "v_prediction")
    return known and getattr(scheduler, "sigmas", None) is not None and hasattr(scheduler, "step_index")


def _prediction_type(scheduler: Any) -> str:
    return str(scheduler.config.get("prediction_type", "flow_prediction"))


def _decodes_wider(vae: Any) -> bool:
    """In float32 what is float16 otherwise: its pipeline casts it for a while, and others share it."""
    return bool(vae.dtype == torch.float16 and vae.config.get("force_upcast"))


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
