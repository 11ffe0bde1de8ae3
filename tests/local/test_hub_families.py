"""A picture depends on its request alone, never on who shared its forwards: every family against its plain pipeline.

Six requests join at different steps and differ in all that the family lets them differ in.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hub_cases import QUICKEST, Case, paint_in_hub, paint_plain
from hub_families import FAMILIES

# What diffusers itself uses, and is leaving behind.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning", "ignore:`FluxPosEmbed` is deprecated:FutureWarning"
)

ALL = pytest.mark.parametrize("pipeline", FAMILIES, indirect=True)


@pytest.fixture(scope="module")
def pipeline(request: pytest.FixtureRequest) -> tuple[str, Any]:
    return request.param, FAMILIES[request.param].build()


@ALL
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=["bfloat16", "float32"])
def test_pictures_are_bit_equal_to_those_painted_alone(pipeline: tuple[str, Any], dtype: torch.dtype) -> None:
    if dtype == torch.bfloat16 and dtype != QUICKEST:
        pytest.skip("nothing is painted in bf16 on a CPU without instructions for it")
    name, painter = pipeline
    painter.to(dtype)
    cases = FAMILIES[name].cases()
    alone = [paint_plain(painter, case) for case in cases]
    together, stats = paint_in_hub(painter, cases)
    for image, (expected, _) in zip(together, alone, strict=True):
        assert torch.equal(image, expected)
    forwards_alone = sum(calls for _, calls in alone)
    assert stats.forwards < 0.7 * forwards_alone
    assert sum(calls * count for calls, count in stats.batch_sizes.items()) == forwards_alone


@ALL
def test_exact_pictures_share_no_forward(pipeline: tuple[str, Any]) -> None:
    name, painter = pipeline
    painter.to(torch.float32)
    cases = FAMILIES[name].cases()
    exact, stats = paint_in_hub(painter, cases, exact=True)
    for image, case in zip(exact, cases, strict=True):
        assert torch.equal(image, paint_plain(painter, case)[0])
    assert set(stats.batch_sizes) == {1}


def test_stable_diffusion_3_without_guidance_is_bit_equal_as_its_single_rows_are_not_merged() -> None:
    family = FAMILIES["sd3"]
    painter = family.build().to(QUICKEST)
    cases = [Case({**case.arguments, "guidance_scale": 0.0}, case.seed, case.pipeline_class) for case in family.cases()]
    alone = [image for image, _ in (paint_plain(painter, case) for case in cases)]
    together, _ = paint_in_hub(painter, cases)
    for image, expected in zip(together, alone, strict=True):
        assert torch.equal(image, expected)


def test_the_six_pictures_of_a_family_differ() -> None:
    family = FAMILIES["flux"]
    painter = family.build()
    images = [paint_plain(painter, case)[0] for case in family.cases()]
    assert all(not torch.equal(images[0], image) for image in images[1:])
