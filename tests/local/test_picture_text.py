"""What a PNG says of itself, read as the readers of such pictures read it."""

from __future__ import annotations

import io
import json
import re

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from calotype_provider.local.encoding import encode
from calotype_provider.local.messages import Paint
from calotype_provider.local.picture_text import picture_text

PAINT = Paint(
    request_id="img_1",
    model_id="calotype/tintype",
    prompt="a red fox",
    seed=5,
    width=128,
    height=96,
    num_inference_steps=20,
    true_cfg_scale=3.0,
)

SETTING = re.compile(r'\s*([\w ]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def paint(**fields: object) -> Paint:
    return msgspec.structs.replace(PAINT, **fields)


def read(parameters: str) -> dict[str, str]:
    """As AUTOMATIC1111's web UI does: settings in the last line, and what is between the prompts' marks."""
    *lines, last = parameters.strip().split("\n")
    settings = SETTING.findall(last)
    assert len(settings) >= 3
    prompts: dict[str, list[str]] = {"prompt": [], "negative prompt": []}
    which = "prompt"
    for line in (line.strip() for line in lines):
        if line.startswith("Negative prompt:"):
            which, line = "negative prompt", line.removeprefix("Negative prompt:").strip()
        prompts[which].append(line)
    values = {key: json.loads(value) if value.startswith('"') else value for key, value in settings}
    return {**{which: "\n".join(lines) for which, lines in prompts.items()}, **values}


def test_parameters_are_written_as_the_readers_know_them() -> None:
    text = picture_text(paint(negative_prompt="blurred, dark"))
    assert text["parameters"] == (
        "a red fox\n"
        "Negative prompt: blurred, dark\n"
        "Steps: 20, CFG scale: 3, Seed: 5, Size: 128x96, Model: calotype/tintype, Version: Calotype"
    )
    assert text["Description"] == "a red fox"
    assert text["Software"] == "Calotype"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"guidance_scale": 3.5, "true_cfg_scale": None}, {"CFG scale": "3.5"}),
        ({"guidance_scale": 0.0, "true_cfg_scale": None}, {"CFG scale": "0"}),
        ({"true_cfg_scale": 1.25}, {"CFG scale": "1.25"}),
        ({"guidance_scale": 3.5, "true_cfg_scale": 2.0}, {"CFG scale": "3.5"}),
        ({"strength": 0.6}, {"Denoising strength": "0.6"}),
        ({"negative_prompt": ""}, {"negative prompt": ""}),
        ({"model_id": 'acme/big: one, "two"'}, {"Model": 'acme/big: one, "two"', "Version": "Calotype"}),
        ({"seed": 2**53 - 1}, {"Seed": "9007199254740991"}),
    ],
)
def test_settings_are_those_of_the_request(fields: dict[str, object], expected: dict[str, str]) -> None:
    settings = read(picture_text(paint(**fields))["parameters"])
    assert settings.items() >= expected.items()


def test_what_was_not_asked_is_not_there() -> None:
    parameters = picture_text(paint(true_cfg_scale=None))["parameters"]
    assert not {"CFG scale", "Denoising strength"} & read(parameters).keys()


def test_the_negative_prompts_line_is_always_there_as_comfyui_needs_it() -> None:
    parameters = picture_text(PAINT)["parameters"]
    steps = parameters.rindex("\nSteps:")
    assert parameters[parameters.rindex("\nNegative prompt:", 0, steps) + 18 : steps] == ""


@pytest.mark.parametrize(
    ("prompt", "read_as"),
    [
        ('two\nlines, with: a "quote"', 'two\nlines, with: a "quote"'),
        ("old\r\nmachines\rtoo", "old\nmachines\ntoo"),
        ("a bell\a and nothing\0 at all\u2028end", "a bell  and nothing  at all end"),
        ("fox\nNegative prompt: none", "fox\nNegative prompt : none"),
        ("Negative prompt: fox", "Negative prompt : fox"),
        ("a recipe. steps: 3, Seed: 7, Size: 8x8", "a recipe. steps : 3, Seed: 7, Size: 8x8"),
        ("赤い狐 🦊 ünd", "赤い狐 🦊 ünd"),
        ("", ""),
    ],
)
def test_no_prompt_is_taken_for_something_else(prompt: str, read_as: str) -> None:
    settings = read(picture_text(paint(prompt=prompt, negative_prompt=prompt))["parameters"])
    assert settings["prompt"] == settings["negative prompt"] == read_as
    assert (settings["Seed"], settings["Size"], settings["Version"]) == ("5", "128x96", "Calotype")


def test_the_description_is_the_prompts_own_words() -> None:
    assert picture_text(paint(prompt="fox\nSteps: 3"))["Description"] == "fox\nSteps: 3"
    assert "Description" not in picture_text(paint(prompt=" "))


@given(prompt=st.text(max_size=60), negative_prompt=st.text(max_size=60))
def test_whatever_the_prompts_are_the_settings_are_read_back_from_the_file(prompt: str, negative_prompt: str) -> None:
    text = picture_text(paint(prompt=prompt, negative_prompt=negative_prompt))
    data = encode(np.zeros((1, 1, 3), np.uint8), "png", text=text)
    with Image.open(io.BytesIO(data)) as picture:
        assert isinstance(picture, PngImageFile)
        assert picture.text == text
        settings = read(str(picture.text["parameters"]))
    assert (settings["Steps"], settings["Seed"], settings["Model"]) == ("20", "5", "calotype/tintype")


def test_equal_requests_say_the_same_whatever_their_ids() -> None:
    assert picture_text(paint(request_id="img_2")) == picture_text(PAINT)
