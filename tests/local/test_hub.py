"""The hub's promises that hold for every family, shown with one: who leaves, who fails, who does not notice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import diffusers
import pytest
import tiny_models
import torch
from hub_cases import (
    QUICKEST,
    Case,
    Recorder,
    UnheardOf,
    hub_request,
    paint_in_hub,
    paint_plain,
    run,
    submit_all,
    until_forwards,
)
from hub_families import FAMILIES

from calotype_provider.local.hub import Hub
from calotype_provider.local.hub_request import RequestCancelled
from calotype_provider.local.siblings import sibling_of
from calotype_provider.local.waiting_call import WaitingCall


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


def test_nothing_of_a_request_runs_before_a_step(flux: Any, cases: list[Case]) -> None:
    hub = Hub()
    [recorder] = submit_all(hub, flux, cases[:1])
    assert not recorder.begun
    hub.run_step()
    assert recorder.begun
    assert hub.stats().forwards == 0


def test_an_idle_hub_has_nothing_to_do() -> None:
    assert not Hub().run_step()


def test_every_step_is_told_once(flux: Any, cases: list[Case]) -> None:
    hub = Hub()
    recorders = submit_all(hub, flux, cases[:3])
    run(hub)
    # Asked for 3, 7 and 4: an image at strength 0.6 and an inpainting at 0.7 begin later.
    assert recorders[0].steps == [(1, 3), (2, 3), (3, 3)]
    assert recorders[1].steps == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert recorders[2].steps == [(1, 3), (2, 3), (3, 3)]
    assert hub.stats().requests == 0


def test_cancelling_stops_at_the_next_call_and_nobody_else_notices(
    flux: Any, cases: list[Case], alone: list[torch.Tensor]
) -> None:
    hub = Hub()
    recorders = submit_all(hub, flux, cases)
    until_forwards(hub, 2)
    hub.cancel("1")
    hub.cancel("1")
    hub.cancel("nobody")
    run(hub)
    assert isinstance(recorders[1].error, RequestCancelled)
    assert recorders[1].steps == [(1, 5), (2, 5)]
    for index in (0, 2, 3, 4, 5):
        assert torch.equal(recorders[index].image(), alone[index])


def test_a_cancelled_request_that_has_not_begun_never_does(flux: Any, cases: list[Case]) -> None:
    hub = Hub()
    [recorder] = submit_all(hub, flux, cases[:1])
    hub.cancel("0")
    assert not hub.run_step()
    assert isinstance(recorder.error, RequestCancelled)
    assert not recorder.begun


def test_a_request_can_be_cancelled_out_of_anothers_step(
    flux: Any, cases: list[Case], alone: list[torch.Tensor]
) -> None:
    hub = Hub()

    class Jealous(Recorder):
        def on_step(self, step: int, steps: int) -> None:
            hub.cancel("victim")

    jealous, victim = Jealous(), Recorder()
    hub.submit(hub_request(flux, cases[0], request_id="jealous"), jealous)
    hub.submit(hub_request(flux, cases[1], request_id="victim"), victim)
    run(hub)
    assert isinstance(victim.error, RequestCancelled)
    assert victim.steps == []
    assert torch.equal(jealous.image(), alone[0])


def test_several_images_of_one_call_are_rows_of_one_request(flux: Any, cases: list[Case]) -> None:
    pair = Case({**cases[0].arguments, "num_images_per_prompt": 2}, seed=7)
    expected, _ = paint_plain(flux, pair)
    [image, _], stats = paint_in_hub(flux, [pair, cases[1]])
    assert torch.equal(image, expected)
    assert stats.rows > stats.forwards


def test_a_prompt_is_encoded_once_and_the_picture_is_the_same(
    flux: Any, cases: list[Case], alone: list[torch.Tensor]
) -> None:
    encoded = 0

    def count(*_: object) -> None:
        nonlocal encoded
        encoded += 1

    hub = Hub()
    hook = flux.text_encoder_2.register_forward_hook(count)
    recorders = submit_all(hub, flux, [cases[0]] * 3)
    run(hub)
    hook.remove()
    assert encoded == 1
    assert hub.stats().prompts.hits == 2
    for recorder in recorders:
        assert torch.equal(recorder.image(), alone[0])


def test_an_unknown_denoiser_is_never_merged_but_takes_turns(cases: list[Case]) -> None:
    pipeline = tiny_models.flux()
    pipeline.transformer.__class__ = UnheardOf
    pipeline.set_progress_bar_config(disable=True)
    turns: list[str] = []

    def in_turn(waiting: Sequence[WaitingCall]) -> Sequence[WaitingCall]:
        assert all(call.merge_key is None for call in waiting)
        turn = min(waiting, key=lambda call: call.steps_done)
        turns.append(turn.request_id)
        return [turn]

    hub = Hub(in_turn)
    recorders = submit_all(hub, pipeline, cases[:2])
    run(hub)
    assert turns == ["0", "1", "0", "1", "0", "1", "1", "1"]
    for case, recorder in zip(cases, recorders, strict=False):
        assert torch.equal(recorder.image(), paint_plain(pipeline, case)[0])


def test_who_runs_next_is_the_policys_choice(flux: Any, cases: list[Case], alone: list[torch.Tensor]) -> None:
    seen: list[WaitingCall] = []

    def newest_alone(waiting: Sequence[WaitingCall]) -> Sequence[WaitingCall]:
        seen.append(waiting[-1])
        return waiting[-1:]

    images, stats = paint_in_hub(flux, cases, hub=Hub(newest_alone))
    assert set(stats.batch_sizes) == {1}
    assert all(torch.equal(image, expected) for image, expected in zip(images, alone, strict=True))
    # 16 tokens of the picture, 32 of the text.
    assert {(call.model_id, call.rows, call.tokens) for call in seen} == {("tiny", 1, 48)}
    assert [call.steps_left for call in seen if call.request_id == "5"] == [3, 2, 1]


def test_calls_that_share_no_forward_cannot_be_chosen_together(flux: Any, cases: list[Case]) -> None:
    hub = Hub(lambda waiting: waiting)
    submit_all(hub, flux, [cases[0], Case({**cases[0].arguments, "width": 128}, seed=0)])
    with pytest.raises(AssertionError, match="unlike calls"):
        run(hub)


def test_what_a_forward_cost_is_told(flux: Any, cases: list[Case]) -> None:
    told: list[tuple[int, float]] = []
    hub = Hub(on_forward=lambda calls, cost: told.append((len(calls), cost.seconds)))
    submit_all(hub, flux, cases[:2])
    run(hub)
    assert [calls for calls, _ in told] == [2, 2, 2, 1, 1]
    assert all(seconds > 0 for _, seconds in told)


def test_pipeline_and_modules_are_left_as_they_were(flux: Any, cases: list[Case]) -> None:
    before = {name: dict(vars(part)) for name, part in [("pipeline", flux), ("denoiser", flux.transformer)]}
    scheduler = dict(vars(flux.scheduler))
    paint_in_hub(flux, cases)
    assert {"pipeline": dict(vars(flux)), "denoiser": dict(vars(flux.transformer))} == before
    assert vars(flux.scheduler) == scheduler


def test_a_sibling_paints_with_the_very_weights() -> None:
    klein = tiny_models.flux2_klein_distilled()
    sibling: Any = sibling_of(klein, diffusers.Flux2KleinInpaintPipeline)
    assert sibling.transformer is klein.transformer
    assert sibling.config.is_distilled
