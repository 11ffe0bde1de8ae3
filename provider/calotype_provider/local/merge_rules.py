"""How calls of a denoiser share a forward, in a few lines a class. A class without an entry is never merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class MergeRule:
    """What may be said of an argument; any other must be a plain value, equal in all calls."""

    rows: tuple[str, ...] = ()
    """Tensors, or dicts and lists of tensors, whose first dimension is the batch. A scalar goes for every row."""
    shared: tuple[str, ...] = ()
    """Tensors that a batch has in common: calls share a forward when their content is equal."""
    rows_min: int = 1
    """Calls of fewer rows run alone."""
    lists: Mapping[str, int] = field(default_factory=dict)
    """Lists with one element a row. Elements are alike when their lengths, rounded up to this multiple, are equal:
    the denoiser itself fills them up to there."""


MERGE_RULES: Mapping[str, MergeRule] = {
    "FluxTransformer2DModel": MergeRule(
        rows=(
            "hidden_states",
            "encoder_hidden_states",
            "pooled_projections",
            "timestep",
            "guidance",
            "controlnet_block_samples",
            "controlnet_single_block_samples",
        ),
        # Only those of the first row are read.
        shared=("img_ids", "txt_ids"),
    ),
    "Flux2Transformer2DModel": MergeRule(
        rows=("hidden_states", "encoder_hidden_states", "timestep", "guidance"),
        shared=("img_ids", "txt_ids"),
    ),
    "SD3Transformer2DModel": MergeRule(
        rows=(
            "hidden_states",
            "encoder_hidden_states",
            "pooled_projections",
            "timestep",
            "block_controlnet_hidden_states",
        ),
        # Its attention hands on slices, which are contiguous for one row only; for more, torch adds a Linear's bias
        # after rounding and not before. So one row, which is a call without guidance, depends on whether it is alone.
        rows_min=2,
    ),
    "UNet2DConditionModel": MergeRule(
        rows=(
            "sample",
            "encoder_hidden_states",
            "timestep",
            "timestep_cond",
            "added_cond_kwargs",
            "down_block_additional_residuals",
            "mid_block_additional_residual",
        ),
    ),
    "ZImageTransformer2DModel": MergeRule(
        rows=("t",),
        lists={"x": 1, "cap_feats": 32},
    ),
    "QwenImageTransformer2DModel": MergeRule(
        rows=("hidden_states", "encoder_hidden_states", "encoder_hidden_states_mask", "timestep", "guidance"),
        lists={"img_shapes": 1},
    ),
}

LATENTS = ("hidden_states", "sample", "x")
"""Names of the argument that has a row for every picture."""

TEXTS = ("encoder_hidden_states", "cap_feats")
