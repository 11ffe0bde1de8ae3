"""A diffusers folder -> a pipeline in memory, on the device."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import DiffusionPipeline

from calotype_provider.local.borrowed_parts import borrowed_parts
from calotype_provider.local.forms import class_for
from calotype_provider.local.messages import Dtype, MadeWith, Paint
from calotype_provider.local.model_folder import check_weights, part_names, revision_of
from calotype_provider.local.painting import Pipeline
from calotype_provider.local.precision import quickest_dtype
from calotype_provider.local.siblings import sibling_of

TORCH_DTYPES: dict[Dtype, torch.dtype] = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float32": torch.float32,
}


@dataclass(frozen=True)
class LoadedPipeline:
    folder: Path
    pipeline: Pipeline
    revision: str
    dtype: Dtype
    device: str
    resident_bytes: int
    """Without the parts that it shares with another, for which they were loaded."""
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


def load_pipeline(
    folder: Path,
    *,
    model_id: str,
    dtype: Dtype | None,
    on_progress: Callable[[float], None],
    others: Iterable[LoadedPipeline] = (),
) -> LoadedPipeline:
    """`others` are loaded already: what the folder borrows from one of theirs is shared with it, in memory too.

    Raises ModelLoadError for a file that is missing or broken, and whatever the libraries raise for the rest.
    """
    check_weights(folder, model_id=model_id)
    on_progress(0.1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = dtype or quickest_dtype(device)
    borrowed = borrowed_parts(folder, model_id=model_id)
    shared = _shared_parts(borrowed, dtype, others)
    pipeline = _read_pipeline(folder, dtype, shared or _read_parts(borrowed, dtype, model_id=model_id))
    pipeline.set_progress_bar_config(disable=True)
    on_progress(0.7)
    pipeline.to(device)
    own = _modules(pipeline, without=shared)
    if device == "cpu":
        _realign(own)
    return LoadedPipeline(
        folder=folder.resolve(),
        pipeline=pipeline,
        revision=revision_of(folder),
        dtype=dtype,
        device=device,
        resident_bytes=sum(tensor.nbytes for tensor in _tensors(own)),
    )


def _shared_parts(borrowed: Mapping[str, Path], dtype: Dtype, others: Iterable[LoadedPipeline]) -> Mapping[str, object]:
    """All that is borrowed, as its lender has it in memory; nothing where the lender is not loaded, or has changed."""
    lenders = {part.parent for part in borrowed.values()}
    for other in others:
        if other.folder in lenders and other.dtype == dtype and other.revision == revision_of(other.folder):
            return {name: other.pipeline.components[name] for name in borrowed}
    return {}


def _read_parts(borrowed: Mapping[str, Path], dtype: Dtype, *, model_id: str) -> Mapping[str, object]:
    """All that is borrowed, from the lender's files: its pipeline without the rest."""
    if not borrowed:
        return {}
    lender = next(iter(borrowed.values())).parent
    left_out = [name for name in part_names(lender, model_id=model_id) if name not in borrowed]
    components = _read_pipeline(lender, dtype, dict.fromkeys(left_out)).components
    return {name: components[name] for name in borrowed}


def _read_pipeline(folder: Path, dtype: Dtype, parts: Mapping[str, object]) -> Any:
    """`parts` are there already, or None where the pipeline should do without."""
    return DiffusionPipeline.from_pretrained(  # type: ignore[no-untyped-call]  # diffusers leaves it so
        folder, dtype=TORCH_DTYPES[dtype], local_files_only=True, use_safetensors=True, **parts
    )


def _realign(modules: Iterable[torch.nn.Module]) -> None:
    """Copy every parameter once: safetensors maps them at odd offsets, where AVX-512 rounds differently."""
    for module in modules:
        for parameter in module.parameters():
            parameter.data = parameter.data.clone()


def _modules(pipeline: Pipeline, *, without: Collection[str]) -> list[torch.nn.Module]:
    parts = (part for name, part in pipeline.components.items() if name not in without)
    return [part for part in parts if isinstance(part, torch.nn.Module)]


def _tensors(modules: Iterable[torch.nn.Module]) -> Iterator[torch.Tensor]:
    for module in modules:
        yield from module.parameters()
        yield from module.buffers()


def _usable_cores() -> int:
    # Not os.cpu_count(): in a container most of the machine's cores are somebody else's.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
