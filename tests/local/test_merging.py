"""Which calls of a denoiser can share a forward, and that joining and parting their rows loses nothing."""

from __future__ import annotations

from typing import Any

import pytest
import tiny_models
import torch

from calotype_provider.local.merging import CallReader, DenoiserCall, run_calls


@pytest.fixture(scope="module")
def transformer() -> Any:
    return tiny_models.flux().transformer


@pytest.fixture(scope="module")
def unet() -> Any:
    return tiny_models.sdxl().unet


@pytest.fixture(scope="module")
def z_transformer() -> Any:
    return tiny_models.z_image().transformer


def flux_arguments(**others: Any) -> dict[str, Any]:
    return {
        "hidden_states": torch.zeros(1, 16, 64),
        "encoder_hidden_states": torch.zeros(1, 8, 64),
        "pooled_projections": torch.zeros(1, 64),
        "timestep": torch.zeros(1),
        "guidance": torch.ones(1),
        "img_ids": torch.zeros(16, 3),
        "txt_ids": torch.zeros(8, 3),
        "return_dict": False,
        **others,
    }


def unet_arguments(**others: Any) -> dict[str, Any]:
    condition = {"text_embeds": torch.zeros(2, 32), "time_ids": torch.zeros(2, 6)}
    return {
        "sample": torch.zeros(2, 4, 8, 8),
        "timestep": torch.tensor(1.0),
        "encoder_hidden_states": torch.zeros(2, 8, 64),
        "added_cond_kwargs": condition,
        **others,
    }


def read(denoiser: Any, *args: Any, alone: bool = False, **kwargs: Any) -> DenoiserCall:
    with torch.no_grad():
        return CallReader(denoiser).read(args, kwargs, alone=alone)


def test_calls_of_two_requests_share_a_forward(transformer: Any) -> None:
    first = read(transformer, **flux_arguments())
    second = read(transformer, **flux_arguments(guidance=torch.tensor([7.0]), timestep=torch.tensor([0.5])))
    assert first.merge_key is not None
    assert first.merge_key == second.merge_key


@pytest.mark.parametrize(
    "others",
    [
        {"hidden_states": torch.zeros(1, 32, 64), "img_ids": torch.zeros(32, 3)},
        {"hidden_states": torch.zeros(1, 16, 64, dtype=torch.bfloat16)},
        {"hidden_states": torch.zeros(1, 64, 16).transpose(1, 2)},
        {"encoder_hidden_states": torch.zeros(1, 9, 64)},
        {"img_ids": torch.ones(16, 3)},
        {"guidance": None},
        {"return_dict": True},
        {"joint_attention_kwargs": {"scale": 0.5}},
    ],
    ids=["size", "dtype", "memory layout", "text length", "positions", "no guidance", "answer", "lora scale"],
)
def test_unlike_calls_do_not(transformer: Any, others: dict[str, Any]) -> None:
    first = read(transformer, **flux_arguments())
    second = read(transformer, **flux_arguments(**others))
    assert second.merge_key is not None
    assert first.merge_key != second.merge_key


@pytest.mark.parametrize(
    "others",
    [
        {"joint_attention_kwargs": {"ip_adapter_image_embeds": torch.zeros(1)}},
        {"pooled_projections": torch.zeros(3, 64)},
    ],
    ids=["a tensor that no rule speaks of", "other rows than the latents'"],
)
def test_calls_that_no_rule_describes_run_alone(transformer: Any, others: dict[str, Any]) -> None:
    assert read(transformer, **flux_arguments(**others)).merge_key is None


def test_an_exact_call_runs_alone(transformer: Any) -> None:
    assert read(transformer, alone=True, **flux_arguments()).merge_key is None


def test_calls_of_two_models_never_meet(transformer: Any) -> None:
    other = tiny_models.flux().transformer
    assert read(transformer, **flux_arguments()).merge_key != read(other, **flux_arguments()).merge_key


def test_how_an_argument_was_given_makes_no_difference(unet: Any) -> None:
    named = unet_arguments()
    positional = unet_arguments(class_labels=None)
    sample, timestep = positional.pop("sample"), positional.pop("timestep")
    call = read(unet, sample, timestep, **positional)
    assert call.merge_key == read(unet, **named).merge_key


def test_channels_last_rows_do_not_join_contiguous_ones(unet: Any) -> None:
    turned = unet_arguments(sample=torch.zeros(2, 4, 8, 8).to(memory_format=torch.channels_last))
    assert read(unet, **unet_arguments()).merge_key != read(unet, **turned).merge_key


def test_each_call_gets_its_own_rows(unet: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    calls = []
    for step in (1.0, 500.0, 900.0):
        sample = torch.randn(2, 4, 8, 8, generator=generator)
        calls.append(read(unet, **unet_arguments(sample=sample, timestep=torch.tensor(step))))
    with torch.no_grad():
        together = run_calls(calls)
        for call, answer in zip(calls, together, strict=True):
            [expected] = run_calls([call])
            assert type(answer) is type(expected)
            assert answer.sample.shape == (2, 4, 8, 8)
            torch.testing.assert_close(answer.sample, expected.sample, rtol=0, atol=1e-5)


def test_lists_join_when_the_denoiser_fills_them_up_to_the_same_length(z_transformer: Any) -> None:
    def call(words: int, *, side: int = 8) -> DenoiserCall:
        return read(z_transformer, [torch.zeros(16, 1, side, side)], torch.zeros(1), [torch.ones(words, 16)])

    assert call(3).merge_key == call(32).merge_key
    assert call(32).merge_key != call(33).merge_key
    assert call(3).merge_key != call(3, side=16).merge_key
    with torch.no_grad():
        answers = run_calls([call(3), call(5)])
    assert [len(answer.sample) for answer in answers] == [1, 1]


def test_rows_and_tokens_are_counted(transformer: Any, unet: Any, z_transformer: Any) -> None:
    call = read(transformer, **flux_arguments())
    assert (call.rows, call.tokens) == (1, 16 + 8)
    call = read(unet, **unet_arguments())
    assert (call.rows, call.tokens) == (2, 2 * (8 * 8 + 8))
    # Patches of 2 x 2.
    call = read(z_transformer, [torch.zeros(16, 1, 8, 8)] * 2, torch.zeros(2), [torch.ones(5, 16)] * 2)
    assert (call.rows, call.tokens) == (2, 2 * (16 + 5))
