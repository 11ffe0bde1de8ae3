"""Paintings -> the bytes of answers and of events. Slow: base64 and JSON of megabytes, made in the codec threads."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import msgspec
import pybase64

from calotype_adapters.openai.convert import to_response
from calotype_adapters.openai.events import to_completed_event, to_partial_event, to_progress_event
from calotype_adapters.openai.types import (
    CompletedEvent,
    EventPrefix,
    PartialImageEvent,
    ProgressEvent,
    QueuedEvent,
)
from calotype_adapters.vercel.convert import to_response as to_gateway_response
from calotype_adapters.vercel.types import SpecVersion
from calotype_provider.types import (
    CallWarning,
    GeneratedImage,
    ImageModelCall,
    ImagePreview,
    ImageQueued,
    ImageStep,
)
from calotype_runtime.event_stream import event

if TYPE_CHECKING:
    from calotype_runtime.image_runtime import Painting


def encode_answer(
    painting: Painting, *, warnings: Sequence[CallWarning], origin: str, with_base64: bool = True
) -> list[bytes]:
    """JSON in pieces. `warnings` are what the call did not carry; `origin` is what URLs begin with."""
    images = painting.result.images
    place = _place()
    response = to_response(
        painting.result,
        created=painting.created,
        base64=[place] * len(images) if with_base64 else None,
        urls=None if painting.paths is None else [urljoin(origin, path) for path in painting.paths],
        quality=painting.call.quality,
        warnings=warnings,
    )
    return _in_pieces(response, place, images)


def encode_gateway_answer(
    painting: Painting, *, warnings: Sequence[CallWarning], spec: SpecVersion, request_id: str
) -> list[bytes]:
    """The same in the words of the AI SDK's gateway."""
    images, place = painting.result.images, _place()
    response = to_gateway_response(
        painting.result, base64=[place] * len(images), spec=spec, request_id=request_id, warnings=warnings
    )
    return _in_pieces(response, place, images)


def _place() -> msgspec.Raw:
    """Where a picture will be. Nobody can have written this into any other text of the answer."""
    return msgspec.Raw(f'"{secrets.token_hex(16)}"'.encode())


def _in_pieces(response: msgspec.Struct, place: msgspec.Raw, images: Sequence[GeneratedImage]) -> list[bytes]:
    # Ten pictures as one text would be copied whole, more than once, and nothing else could run meanwhile.
    first, *others = msgspec.json.encode(response).split(bytes(place))
    pieces = [first]
    for image, between in zip(images, others, strict=False):
        pieces += (b'"', pybase64.b64encode(image.data), b'"' + between)
    return pieces


def encode_partial(
    preview: ImagePreview, *, call: ImageModelCall, prefix: EventPrefix, partial_image_index: int
) -> bytes:
    """`call` is the fitted one."""
    base64 = _base64(preview.image.data)
    return _event(
        to_partial_event(
            preview,
            prefix=prefix,
            call=call,
            partial_image_index=partial_image_index,
            created=int(time.time()),
            base64=base64,
        )
    )


def encode_progress(told: ImageQueued | ImageStep, *, prefix: EventPrefix) -> bytes:
    return _event(to_progress_event(told, prefix=prefix))


def encode_completed(
    painting: Painting, index: int, *, prefix: EventPrefix, warnings: Sequence[CallWarning], origin: str
) -> bytes:
    """Picture `index` of the painting."""
    return _event(
        to_completed_event(
            painting.result,
            index,
            prefix=prefix,
            call=painting.call,
            created=painting.created,
            base64=_base64(painting.result.images[index].data),
            url=None if painting.paths is None else urljoin(origin, painting.paths[index]),
            warnings=warnings,
        )
    )


def _event(told: PartialImageEvent | QueuedEvent | ProgressEvent | CompletedEvent) -> bytes:
    return event(msgspec.json.encode(told), name=told.type)


def _base64(data: bytes) -> msgspec.Raw:
    """JSON text: made once, it goes into the answer as it is."""
    return msgspec.Raw(b'"%b"' % pybase64.b64encode(data))
