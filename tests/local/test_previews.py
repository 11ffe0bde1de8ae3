"""Previews are real pictures: what the pipeline's own picture would be if the predicted clean latents were its last."""

from __future__ import annotations

import copy
import functools
from typing import Any

import diffusers
import pytest
import tiny_models
import torch
from hub_cases import QUICKEST, SIDE, Recorder, UnheardOf, call_arguments, denoiser_of, hub_request, paint_plain
from hub_families import FAMILIES

from calotype_provider.local.hub import Hub
from calotype_provider.local.previews import can_preview, predicted_clean, preview

# What diffusers itself uses, and is leaving behind.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning", "ignore:`FluxPosEmbed` is deprecated:FutureWarning"
)

SAME_AS_OTHERS = (
    "flux schnell",
    "flux control",
    "flux fill",
    "flux controlnet",
    "flux2",
    "flux2 klein distilled",
    "sd3 controlnet",
    "sdxl controlnet",
)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in SAME_AS_OTHERS])
def test_the_preview_of_the_last_step_is_the_picture(name: str) -> None:
    pipeline = FAMILIES[name].build().to(torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    assert can_preview(pipeline)
    scheduler = pipeline.scheduler = copy.deepcopy(pipeline.scheduler)
    make_step, clean_latents, last_call = scheduler.step, [], {}

    @functools.wraps(make_step)
    def step(model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        output = make_step(model_output, timestep, sample, *args, **kwargs)
        clean_latents.append(predicted_clean(scheduler, model_output, sample))
        return output

    def watch(_module: object, _args: object, kwargs: dict[str, Any]) -> None:
        last_call.update(kwargs)

    scheduler.step = step
    denoiser_of(pipeline).register_forward_pre_hook(watch, with_kwargs=True)
    picture = pipeline(**call_arguments(FAMILIES[name].cases()[0])).images
    assert clean_latents[-1] is not None
    torch.testing.assert_close(preview(pipeline, clean_latents[-1], last_call), picture, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["flux", "flux kontext", "flux2 klein", "sd3", "z-image", "qwen-image"])
def test_previews_come_on_the_way_and_change_nothing(name: str) -> None:
    pipeline = FAMILIES[name].build().to(QUICKEST)
    hub = Hub()
    cases = FAMILIES[name].cases()
    recorders = [Recorder() for _ in cases]
    for index, (case, recorder) in enumerate(zip(cases, recorders, strict=True)):
        hub.submit(hub_request(pipeline, case, request_id=str(index), previews=2), recorder)
    while hub.run_step():
        pass
    for case, recorder in zip(cases, recorders, strict=True):
        assert torch.equal(recorder.image(), paint_plain(pipeline, case)[0])
        steps = recorder.steps[-1][1]
        assert [step for step, _ in recorder.previews] == sorted({steps // 3, steps * 2 // 3} - {0})
        for _, images in recorder.previews:
            assert images.shape == (1, 3, SIDE, SIDE)
            assert 0 <= images.min() < images.max() <= 1


def test_a_scheduler_that_does_not_tell_the_clean_latents_has_no_previews() -> None:
    assert not can_preview(tiny_models.sdxl(diffusers.DDIMScheduler))
    pipeline = tiny_models.sdxl(diffusers.DPMSolverMultistepScheduler)
    assert can_preview(pipeline)
    pipeline.scheduler.register_to_config(algorithm_type="dpmsolver")
    assert not can_preview(pipeline)


def test_an_autoencoder_that_is_cast_to_decode_has_no_previews() -> None:
    pipeline = tiny_models.sdxl()
    pipeline.vae.register_to_config(force_upcast=True)
    assert can_preview(pipeline)
    pipeline.vae.to(torch.float16)
    assert not can_preview(pipeline)


def test_a_family_without_an_entry_has_no_previews() -> None:
    pipeline = tiny_models.flux()
    assert can_preview(pipeline)
    pipeline.transformer.__class__ = UnheardOf
    assert not can_preview(pipeline)
    hub, recorder = Hub(), Recorder()
    hub.submit(hub_request(pipeline, FAMILIES["flux"].cases()[0], request_id="0", previews=2), recorder)
    while hub.run_step():
        pass
    assert recorder.previews == []
    assert recorder.image().shape == (1, 3, SIDE, SIDE)
