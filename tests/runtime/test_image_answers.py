"""Answers in pieces are the answer, and the large pieces are the pictures alone."""

from __future__ import annotations

import base64
import json

import pytest

from calotype_provider.types import CallWarning, GeneratedImage, ImageModelCall, ImageModelResult, Size
from calotype_runtime.image_answers import encode_answer, encode_completed
from calotype_runtime.image_runtime import Painting

PICTURES = [b"\x00first", b"second" * 1000, b""]


@pytest.fixture
def painting() -> Painting:
    images = tuple(GeneratedImage(data, "image/png", seed, Size(8, 8)) for seed, data in enumerate(PICTURES))
    result = ImageModelResult(images=images, model_id='acme/"quoted"')
    return Painting(ImageModelCall(prompt="a", quality="low"), result, ("/files/0", "/files/1", "/files/2"), 7)


def test_the_pieces_are_one_json_text(painting: Painting) -> None:
    warnings = [CallWarning("other", "n", '"b64_json"')]
    pieces = encode_answer(painting, warnings=warnings, origin="http://localhost")
    answer = json.loads(b"".join(pieces))
    assert [base64.b64decode(item["b64_json"]) for item in answer["data"]] == PICTURES
    assert [item["url"] for item in answer["data"]] == [f"http://localhost/files/{k}" for k in range(3)]
    assert (answer["model"], answer["quality"]) == ('acme/"quoted"', "low")
    assert answer["warnings"] == [{"type": "other", "feature": "n", "details": '"b64_json"'}]
    assert base64.b64encode(PICTURES[1]) in pieces


def test_without_base64_there_is_one_piece(painting: Painting) -> None:
    [piece] = encode_answer(painting, warnings=(), origin="http://localhost", with_base64=False)
    assert [set(item) for item in json.loads(piece)["data"]] == [{"url", "seed"}] * 3


def test_an_event_is_one_line_of_json(painting: Painting) -> None:
    chunk = encode_completed(painting, 1, prefix="image_edit", warnings=(), origin="http://localhost")
    name, data, *rest = chunk.split(b"\n")
    assert (name, rest) == (b"event: image_edit.completed", [b"", b""])
    completed = json.loads(data.removeprefix(b"data: "))
    assert base64.b64decode(completed["b64_json"]) == PICTURES[1]
    assert (completed["url"], completed["image_index"]) == ("http://localhost/files/1", 1)
