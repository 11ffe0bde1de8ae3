"""A diffusers folder -> a pipeline in memory, on the device."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import DiffusionPipeline

from calotype_provider.local.forms import class_for
from calotype_provider.local.messages import Dtype, MadeWith, Paint
from calotype_provider.local.model_folder import check_weights, revision_of
from calotype_provider.local.painting import Pipeline
from calotype_provider.local.siblings import sibling_of

TORCH_DTYPES: dict[Dtype, torch.dtype] = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float32": torch.float32,
}


@dataclass(frozen=True)
class LoadedPipeline:
    pipeline: Pipeline
    revision: str
    dtype: Dtype
    device: str
    resident_bytes: int
    _siblings: dict[str, Pipeline] = field(default_factory=dict)

    def pipeline_for(self, paint: Paint) -> Pipeline:
        """The loaded pipeline, or the sibling over the same weights that paints such requests."""
        own = type(self.pipeline).__name__
        wanted = class_for(own, paint)
        if wanted == own:
            return self.pipeline
        if wanted not in self._siblings:
            self._siblings[wanted] = sibling_of(self.pipeline, getattr(diffusers, wanted))
        return self._siblings[wanted]

    def made_with(self, *, exact: bool) -> MadeWith:
        return MadeWith(
            model_revision=self.revision,
            dtype=self.dtype,
            device=self.device,
            exact=exact,
            torch=str(torch.__version__),
            diffusers=diffusers.__version__,
        )


def prepare_torch(threads: int | None) -> None:
    """Once, on the thread that will own torch."""
    if threads or "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads or _usable_cores())
    # For the whole thread: pipelines switch it off for themselves too, but put back what they found.
    torch.set_grad_enabled(False)
    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()


def load_pipeline(folder: Path, *, model_id: str, dtype: Dtype, on_progress: Callable[[float], None]) -> LoadedPipeline:
    """Raises ModelLoadError for a file that is missing or broken, and whatever the libraries raise for the rest."""
    check_weights(folder, model_id=model_id)
    on_progress(0.1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pipeline = DiffusionPipeline.from_pretrained(  # type: ignore[no-untyped-call]  # diffusers leaves it so
        folder, dtype=TORCH_DTYPES[dtype], local_files_only=True, use_safetensors=True
    )
    pipeline.set_progress_bar_config(disable=True)
    on_progress(0.7)
    pipeline.to(device)
    if device == "cpu":
        _realign(pipeline)
    return LoadedPipeline(
        pipeline=pipeline,
        revision=revision_of(folder),
        dtype=dtype,
        device=device,
        resident_bytes=sum(tensor.nbytes for tensor in _tensors(pipeline)),
    )


def _realign(pipeline: Pipeline) -> None:
    """Copy every parameter once: safetensors maps them at odd offsets, where AVX-512 rounds differently."""
    for module in _modules(pipeline):
        for parameter in module.parameters():
            parameter.data = parameter.data.clone()


def _tensors(pipeline: Pipeline) -> Iterator[torch.Tensor]:
    for module in _modules(pipeline):
        yield from module.parameters()
        yield from module.buffers()


def _modules(pipeline: Pipeline) -> Iterator[torch.nn.Module]:
    return (part for part in pipeline.components.values() if isinstance(part, torch.nn.Module))


def _usable_cores() -> int:
    # Not os.cpu_count(): in a container most of the machine's cores are somebody else's.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
