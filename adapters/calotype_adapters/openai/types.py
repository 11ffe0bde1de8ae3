"""OpenAI's image wire as structs, with the extensions that other clients of this wire send."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from calotype_adapters.pictures import ImageInputs
from calotype_provider.model_card import ModelCard
from calotype_provider.types import CallWarning, OutputFormat

Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""Wide enough for every field; bounded, since printing an endless number in a message is an attack."""

ResponseFormat = Literal["url", "b64_json"]
Background = Literal["auto", "opaque", "transparent"]
Quality = Literal["auto", "standard", "hd", "low", "medium", "high", "xhigh", "max"]


class ImageGenerationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /v1/images/generations`. `None` is "not given"."""

    prompt: str
    model: str | None = None
    n: Integer | None = None
    size: str | None = None
    response_format: ResponseFormat | None = None
    output_format: OutputFormat | None = None
    output_compression: Integer | None = None
    quality: Quality | None = None
    background: Background | None = None
    style: Literal["vivid", "natural"] | None = None
    moderation: Literal["auto", "low"] | None = None
    stream: bool | None = None
    partial_images: Integer | None = None
    user: str | None = None
    safety_identifier: str | None = None

    # Extensions, by the names that hosts of open models use on this wire.
    aspect_ratio: str | None = None
    width: Integer | None = None
    height: Integer | None = None
    seed: Integer | None = None
    num_inference_steps: Integer | None = None
    guidance: float | None = None
    negative_prompt: str | None = None
    strength: float | None = None
    image: ImageInputs | None = None
    input_images: ImageInputs | None = None
    mask: ImageInputs | None = None
    control_image: ImageInputs | None = None


class ImageData(msgspec.Struct, frozen=True, kw_only=True):
    b64_json: msgspec.Raw | UnsetType = UNSET
    """JSON text, quotes and all: base64 is made once, off the event loop, and copied into the answer as it is."""
    url: str | UnsetType = UNSET
    seed: int


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    input_tokens: int | UnsetType = UNSET
    output_tokens: int | UnsetType = UNSET
    total_tokens: int | UnsetType = UNSET


class ImagesResponse(msgspec.Struct, frozen=True, kw_only=True):
    created: int
    model: str
    """The canonical id of the model that painted."""
    data: tuple[ImageData, ...]
    size: str | UnsetType = UNSET
    output_format: OutputFormat | UnsetType = UNSET
    background: Literal["opaque"] = "opaque"
    quality: Literal["auto"] = "auto"
    usage: Usage | UnsetType = UNSET
    warnings: tuple[CallWarning, ...]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    calotype: ModelCard
    """What the model can do; no other server of this wire says it."""


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    object: Literal["list"] = "list"
    data: tuple[Model, ...]


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorResponse(msgspec.Struct, frozen=True):
    error: ErrorBody
