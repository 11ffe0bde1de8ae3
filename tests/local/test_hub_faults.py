"""Requests that fail, want too much memory, or end early: what becomes of them, and that nobody else notices."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import tiny_models
import torch
from hub_cases import (
    QUICKEST,
    Case,
    Recorder,
    denoiser_of,
    hub_request,
    paint_in_hub,
    paint_plain,
    run,
    submit_all,
    until_forwards,
)
from hub_families import FAMILIES

from calotype_provider.local.hub import Hub


@pytest.fixture(scope="module")
def flux() -> Any:
    pipeline = tiny_models.flux().to(QUICKEST)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return FAMILIES["flux"].cases()


@pytest.fixture(scope="module")
def alone(flux: Any, cases: list[Case]) -> list[torch.Tensor]:
    return [paint_plain(flux, case)[0] for case in cases]


def test_a_request_that_raises_fails_alone(
    flux: Any, cases: list[Case], alone: list[torch.Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub()
    too_long = Case({"prompt": "a cat", "max_sequence_length": 9999}, seed=0)
    recorders = submit_all(hub, flux, [cases[0], too_long, cases[2]])
    run(hub)
    assert isinstance(recorders[1].error, ValueError)
    assert recorders[1].error.__traceback__ is None
    assert "request 1 failed" in caplog.text
    assert torch.equal(recorders[0].image(), alone[0])
    assert torch.equal(recorders[2].image(), alone[2])


def test_what_a_listener_raises_ends_its_request(
    flux: Any, cases: list[Case], alone: list[torch.Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    class Fragile(Recorder):
        def on_step(self, step: int, steps: int) -> None:
            raise RuntimeError("no more")

    hub, fragile, sound = Hub(), Fragile(), Recorder()
    hub.submit(hub_request(flux, cases[0], request_id="fragile"), fragile)
    hub.submit(hub_request(flux, cases[1], request_id="sound"), sound)
    run(hub)
    assert isinstance(fragile.error, RuntimeError)
    assert "no more" in caplog.text
    assert torch.equal(sound.image(), alone[1])


def test_a_forward_without_memory_is_split_and_every_picture_comes_out_right(
    flux: Any, cases: list[Case], alone: list[torch.Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    with raising_above(flux, rows=2):
        images, stats = paint_in_hub(flux, cases)
    assert stats.splits > 0
    assert max(stats.batch_sizes) == 2
    assert "OutOfMemoryError" in caplog.text
    for image, expected in zip(images, alone, strict=True):
        assert torch.equal(image, expected)


def test_a_request_too_large_alone_fails_and_the_others_do_not(
    flux: Any, cases: list[Case], alone: list[torch.Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub()
    pair = Case({**cases[0].arguments, "num_images_per_prompt": 2}, seed=0)
    with raising_above(flux, rows=1):
        recorders = submit_all(hub, flux, [cases[0], pair, cases[2]])
        run(hub)
    assert isinstance(recorders[1].error, torch.OutOfMemoryError)
    assert torch.equal(recorders[0].image(), alone[0])
    assert torch.equal(recorders[2].image(), alone[2])
    assert caplog.records


def test_a_picture_without_memory_to_decode_is_decoded_in_tiles(
    flux: Any, cases: list[Case], alone: list[torch.Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    def check(_module: object, args: tuple[torch.Tensor, ...]) -> None:
        if args[0].shape[-1] > 8:
            raise torch.OutOfMemoryError("no memory")

    hub = Hub()
    wide = Case({**cases[0].arguments, "width": 128}, seed=0)
    recorders = submit_all(hub, flux, [cases[0], wide])
    hook = flux.vae.decoder.register_forward_pre_hook(check)
    run(hub)
    hook.remove()
    assert "in tiles" in caplog.text
    assert recorders[1].image().shape == (1, 3, 64, 128)
    assert torch.equal(recorders[0].image(), alone[0])
    assert not flux.vae.use_tiling


@pytest.mark.parametrize("ending", ["cancelled", "failed", "done"])
def test_the_tensors_of_an_ended_request_are_free_at_once(
    flux: Any, cases: list[Case], ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    latents: list[weakref.ref[torch.Tensor]] = []

    def watch(_module: object, _args: object, kwargs: dict[str, Any]) -> None:
        latents.append(weakref.ref(kwargs["hidden_states"]))
        if ending == "failed" and len(latents) == 2:
            raise RuntimeError("out of luck")

    hub, recorder = Hub(), Recorder()
    hub.submit(hub_request(flux, cases[0], request_id="0", previews=2), recorder)
    hook = denoiser_of(flux).register_forward_pre_hook(watch, with_kwargs=True)
    gc.disable()
    try:
        run(hub, until=lambda: ending == "cancelled" and hub.stats().forwards == 2)
        hub.cancel("0")
        hub.run_step()
        assert [reference() for reference in latents] == [None] * len(latents)
    finally:
        gc.enable()
        hook.remove()
    assert len(latents) == 3 - (ending != "done")
    assert (recorder.error is None) == (ending == "done")


def test_hundreds_of_cancelled_requests_leave_no_tensor_behind(flux: Any, cases: list[Case]) -> None:
    hub = Hub()

    def cancel_many(first: int, last: int) -> int:
        for index in range(first, last):
            hub.submit(hub_request(flux, cases[index % 2], request_id=str(index)), Recorder())
            until_forwards(hub, hub.stats().forwards + 1)
            hub.cancel(str(index))
        run(hub)
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    warm = cancel_many(0, 10)
    assert cancel_many(10, 110) == warm


@contextlib.contextmanager
def raising_above(pipeline: Any, *, rows: int) -> Iterator[None]:
    """A device whose memory ends where a forward has more rows."""

    def check(_module: object, _args: object, kwargs: dict[str, Any]) -> None:
        if len(kwargs["hidden_states"]) > rows:
            raise torch.OutOfMemoryError("no memory")

    hook = denoiser_of(pipeline).register_forward_pre_hook(check, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
