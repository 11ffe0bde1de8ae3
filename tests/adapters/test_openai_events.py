"""Events of a stream: all fields of OpenAI's, and ours beside them."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from calotype_adapters.openai.events import to_completed_event, to_partial_event, usage_share
from calotype_provider.types import (
    CallWarning,
    GeneratedImage,
    ImageFile,
    ImageModelCall,
    ImageModelResult,
    ImagePreview,
    ImageUsage,
    Size,
)

CALL = ImageModelCall(prompt="a fox", size=Size(144, 112), quality="high", output_format="webp")


def encoded(event: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(event))


def result(**changes: Any) -> ImageModelResult:
    images = tuple(GeneratedImage(b"picture", "image/webp", seed, Size(144, 112)) for seed in (7, 8))
    return msgspec.structs.replace(ImageModelResult(images=images, model_id="acme/brush"), **changes)


def test_a_preview() -> None:
    preview = ImagePreview(index=1, step=4, image=ImageFile(b"jpeg", "image/jpeg"))
    event = to_partial_event(
        preview, prefix="image_edit", call=CALL, partial_image_index=2, created=9, base64=msgspec.Raw(b'"QUE="')
    )
    assert encoded(event) == {
        "type": "image_edit.partial_image",
        "b64_json": "QUE=",
        "partial_image_index": 2,
        "image_index": 1,
        "created_at": 9,
        "size": "144x112",
        "quality": "high",
        "background": "opaque",
        "output_format": "jpeg",
    }


def test_a_finished_picture() -> None:
    event = to_completed_event(
        result(
            warnings=(CallWarning("other", "n", "two"),),
            usage=ImageUsage(input_tokens=5, text_tokens=5, image_tokens=0, output_tokens=8, total_tokens=13),
        ),
        0,
        prefix="image_generation",
        call=CALL,
        created=9,
        base64=msgspec.Raw(b'"QUE="'),
        url="http://localhost/a",
        warnings=[CallWarning("unsupported", "style")],
    )
    assert encoded(event) == {
        "type": "image_generation.completed",
        "b64_json": "QUE=",
        "url": "http://localhost/a",
        "image_index": 0,
        "seed": 7,
        "model": "acme/brush",
        "created_at": 9,
        "size": "144x112",
        "quality": "high",
        "background": "opaque",
        "output_format": "webp",
        "usage": {
            "input_tokens": 5,
            "input_tokens_details": {"text_tokens": 5, "image_tokens": 0},
            "output_tokens": 4,
            "total_tokens": 9,
        },
        "warnings": [
            {"type": "unsupported", "feature": "style"},
            {"type": "other", "feature": "n", "details": "two"},
        ],
    }


def test_what_was_not_counted_or_kept_is_absent() -> None:
    event = to_completed_event(
        result(), 1, prefix="image_edit", call=ImageModelCall(prompt=""), created=9, base64=msgspec.Raw(b'""'), url=None
    )
    known = encoded(event)
    assert (known["type"], known["quality"], known["seed"]) == ("image_edit.completed", "auto", 8)
    assert not {"usage", "url"} & set(known)


COUNTS = st.none() | st.integers(0, 10_000)


@given(COUNTS, COUNTS, COUNTS, st.integers(1, 10))
def test_the_shares_of_a_calls_pictures_add_up(
    text: int | None, images: int | None, output: int | None, count: int
) -> None:
    read = None if text is None and images is None else (text or 0) + (images or 0)
    usage = ImageUsage(
        input_tokens=read,
        text_tokens=text,
        image_tokens=images,
        output_tokens=output,
        total_tokens=None if read is None or output is None else read + output,
    )
    shares = [usage_share(usage, index, count) for index in range(count)]
    for name in ImageUsage.__struct_fields__:
        whole = getattr(usage, name)
        assert [getattr(share, name) is None for share in shares] == [whole is None] * count
        assert sum(getattr(share, name) or 0 for share in shares) == (whole or 0)
