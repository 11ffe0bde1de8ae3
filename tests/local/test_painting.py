from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from engine_requests import FLUX, paint

from calotype_provider.local.loader import load_pipeline
from calotype_provider.local.painting import Pipeline, call_arguments, pipeline_arguments, to_pixels


@pytest.fixture(scope="module")
def pipeline(folders: dict[str, Path]) -> Pipeline:
    return load_pipeline(folders[FLUX], model_id=FLUX, dtype="bfloat16", on_progress=lambda progress: None).pipeline


def test_pixels_are_those_of_the_pipeline_itself(pipeline: Pipeline) -> None:
    request = paint(steps=3)
    asked = {name: value for name, value in call_arguments(request).items() if value is not None}
    for not_its_own in ("negative_prompt", "max_area"):
        asked.pop(not_its_own, None)
    plain = pipeline(**asked).images[0]
    pixels = to_pixels(pipeline(**pipeline_arguments(pipeline, request)).images)
    assert pixels.shape == (64, 64, 3)
    assert np.array_equal(pixels, np.asarray(plain))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_black_and_white_are_black_and_white(dtype: torch.dtype) -> None:
    images = torch.tensor([[[[0.0, 1.0]]] * 3], dtype=dtype).reshape(1, 3, 1, 2)
    assert to_pixels(images).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_values_that_are_no_numbers_are_no_picture() -> None:
    with pytest.raises(ValueError, match="not numbers"):
        to_pixels(torch.full((1, 3, 2, 2), torch.nan))


def test_parameters_are_aligned_after_loading(pipeline: Pipeline) -> None:
    transformer = pipeline.components["transformer"]
    assert isinstance(transformer, torch.nn.Module)
    parameters = [parameter for parameter in transformer.parameters() if parameter.nbytes >= 64]
    assert all(parameter.data_ptr() % 64 == 0 for parameter in parameters)
