"""OpenAI's image wire as structs, with the extensions that other clients of this wire send."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from calotype_adapters.pictures import ImageInputs
from calotype_provider.call_checks import PARTIAL_IMAGES_MAX
from calotype_provider.model_card import ModelCard
from calotype_provider.types import CallWarning, OutputFormat

Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""Wide enough for every field; bounded, since printing an endless number in a message is an attack."""

PartialImages = Annotated[int, msgspec.Meta(ge=0, le=PARTIAL_IMAGES_MAX)]

ResponseFormat = Literal["url", "b64_json", "base64"]
"""`base64` is Together's word for `b64_json`."""

Background = Literal["auto", "opaque", "transparent"]
AskedQuality = Literal["auto", "standard", "hd", "low", "medium", "high", "xhigh", "max"]
ServedQuality = Literal["auto", "low", "medium", "high", "xhigh", "max"]


class ImageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What all requests for pictures may hold. `None` is "not given"."""

    model: str | None = None
    """An id, in any case; without one the server's default."""
    n: Integer | None = None
    """Pictures, 1 to 10. Picture k has the seed `seed + k`."""
    size: str | None = None
    """`WIDTHxHEIGHT` or `auto`; a size that the model does not paint is served by its nearest, with a warning."""
    response_format: ResponseFormat | None = None
    """What the answer holds; without it both."""
    output_format: OutputFormat | None = None
    """Of the files: png without it."""
    output_compression: Integer | None = None
    """0 (smallest) to 100 (best), of JPEG and WebP."""
    quality: AskedQuality | None = None
    """Steps and pixels by the model's card, where they are not given."""
    background: Background | None = None
    """Pictures are opaque; `transparent` is a warning."""
    stream: bool | None = None
    """Server-sent events instead of one answer."""
    partial_images: PartialImages | None = None
    """Previews of each picture on the way, in a stream."""
    image: ImageInputs | None = None
    """What the model starts from, or what the prompt speaks of: one picture, or several in their order."""
    mask: ImageInputs | None = None
    """Transparent where something new is painted; without any transparency, white."""

    # What only OpenAI's own models have: accepted, and answered with a warning. The last two ask for nothing.
    style: Literal["vivid", "natural"] | None = None
    """A warning: say it in the prompt."""
    moderation: Literal["auto", "low"] | None = None
    """A warning: nothing is moderated."""
    input_fidelity: Literal["high", "low"] | None = None
    """A warning: `strength` says it here."""
    complexity: Literal["low", "medium", "high"] | None = None
    """A warning."""
    frame_count: Integer | None = None
    """A warning: one picture is one frame."""
    frame_duration_ms: Integer | None = None
    """A warning."""
    svg: Any = None
    """A warning."""
    markup: ImageInputs | None = None
    """A warning."""
    user: str | None = None
    """Asks for nothing."""
    safety_identifier: str | None = None
    """Asks for nothing."""

    # Extensions, by the names that hosts of open models use on this wire.
    aspect_ratio: str | None = None
    """`16:9`; the nearest shape on the model's card."""
    width: Integer | None = None
    """In pixels; with `height` the same as `size`."""
    height: Integer | None = None
    """In pixels; with `width` the same as `size`."""
    seed: Integer | None = None
    """Drawn where it is not given. The same request and seed give the same picture."""
    num_inference_steps: Integer | None = None
    """By the model's card."""
    guidance: float | None = None
    """By the model's card; a warning where it has none."""
    negative_prompt: str | None = None
    """What the picture should not show; a warning where the model has no such thing."""
    strength: float | None = None
    """How far the picture given may be left, 0 to 1."""
    input_images: ImageInputs | None = None
    """More pictures, up to eight, after those of `image`."""
    control_image: ImageInputs | None = None
    """Edges or depth, for models that are led by them."""
    progress: bool | None = None
    """Events of the queue and of every step, in a stream."""
    strict: bool | None = None
    """Whatever would be a warning is refused, unless it is of what was done as asked."""


class ImageGenerationRequest(ImageRequest, frozen=True, kw_only=True):
    """`POST /v1/images/generations`."""

    prompt: str
    """Up to 32,000 characters."""


class ImageEditRequest(ImageRequest, frozen=True, kw_only=True):
    """`POST /v1/images/edits`: from one image or several."""

    prompt: str
    """Up to 32,000 characters."""


class ImageVariationRequest(ImageRequest, frozen=True, kw_only=True):
    """`POST /v1/images/variations`: of one image, without words."""


class ImageData(msgspec.Struct, frozen=True, kw_only=True):
    b64_json: msgspec.Raw | UnsetType = UNSET
    """JSON text, quotes and all: base64 is made once, off the event loop, and copied into the answer as it is."""
    url: str | UnsetType = UNSET
    """For an hour, unless the settings say otherwise."""
    seed: int
    """It paints this picture again."""
    steps: int | UnsetType = UNSET
    """Denoising steps."""
    milliseconds: float | UnsetType = UNSET
    """From its beginning to its file."""
    model_revision: str | UnsetType = UNSET
    """Of the model's files: another revision paints another picture."""
    cost: str | UnsetType = UNSET
    """In dollars, as a decimal: 0 for what this machine painted."""


class InputTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    text_tokens: int | UnsetType = UNSET
    """Of the prompt, without padding, as the encoder that reads most counts them."""
    image_tokens: int | UnsetType = UNSET
    """Latent tokens of the pictures given."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    input_tokens: int | UnsetType = UNSET
    """Text and image tokens."""
    input_tokens_details: InputTokensDetails | UnsetType = UNSET
    """The two apart."""
    output_tokens: int | UnsetType = UNSET
    """Latent tokens of the pictures painted."""
    total_tokens: int | UnsetType = UNSET
    """Input and output."""


class ImagesResponse(msgspec.Struct, frozen=True, kw_only=True):
    created: int
    """Seconds since 1970."""
    model: str
    """The canonical id of the model that painted."""
    data: tuple[ImageData, ...]
    """The pictures, in the order of their seeds."""
    size: str | UnsetType = UNSET
    """As it was painted."""
    output_format: OutputFormat | UnsetType = UNSET
    """Of the files."""
    background: Literal["opaque"] = "opaque"
    """Always opaque."""
    quality: ServedQuality = "auto"
    """As it was served; `auto` where the model has but one."""
    usage: Usage | UnsetType = UNSET
    """Where the backend counts."""
    warnings: tuple[CallWarning, ...]
    """What was not done, or not exactly as asked."""


EventPrefix = Literal["image_generation", "image_edit"]


class PartialImageEvent(msgspec.Struct, frozen=True, kw_only=True):
    """How one picture of a stream looks so far."""

    type: str
    b64_json: msgspec.Raw
    """The file."""
    partial_image_index: int
    """From 0, of this picture."""
    image_index: int
    """Which of the call's pictures, from 0."""
    created_at: int
    """Seconds since 1970."""
    size: str
    """Of the picture that is being painted."""
    quality: ServedQuality
    """As it is served."""
    background: Literal["opaque"] = "opaque"
    """Always opaque."""
    output_format: OutputFormat
    """Of this very file."""


class QueuedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The call waits for its turn. Ours: for those who ask for `progress`."""

    type: str
    position: int
    """So many are before it."""
    seconds: float | UnsetType = UNSET
    """About how long that takes."""


class ProgressEvent(msgspec.Struct, frozen=True, kw_only=True):
    """How far one picture of a stream is. Ours: for those who ask for `progress`."""

    type: str
    image_index: int
    """Which of the call's pictures, from 0."""
    step: int
    """Denoising steps that are done."""
    steps: int
    """Of so many."""


class CompletedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One finished picture of a stream."""

    type: str
    b64_json: msgspec.Raw
    """The file."""
    url: str | UnsetType = UNSET
    """Where URLs were asked for."""
    image_index: int
    """Which of the call's pictures, from 0."""
    seed: int
    """It paints this picture again."""
    steps: int | UnsetType = UNSET
    """Denoising steps."""
    milliseconds: float | UnsetType = UNSET
    """From its beginning to its file."""
    model_revision: str | UnsetType = UNSET
    """Of the model's files: another revision paints another picture."""
    cost: str | UnsetType = UNSET
    """In dollars, as a decimal: 0 for what this machine painted."""
    model: str
    """The canonical id of the model that painted."""
    created_at: int
    """Seconds since 1970."""
    size: str
    """As it was painted."""
    quality: ServedQuality
    """As it was served."""
    background: Literal["opaque"] = "opaque"
    """Always opaque."""
    output_format: OutputFormat
    """Of the file."""
    usage: Usage | UnsetType = UNSET
    """This picture's share: those of a call's pictures add up to what the call used."""
    warnings: tuple[CallWarning, ...]
    """What was not done, or not exactly as asked."""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    """Its name in requests."""
    object: Literal["model"] = "model"
    """OpenAI's word for what this is."""
    created: int
    """When the server began, in seconds since 1970."""
    owned_by: str
    """The id's first part."""
    calotype: ModelCard
    """What the model can do; no other server of this wire says it."""


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    object: Literal["list"] = "list"
    """OpenAI's word for what this is."""
    data: tuple[Model, ...]
    """In the order of the settings."""


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    message: str
    """What was wanted, and what came."""
    type: str
    param: str | None = None
    """The field that is wrong."""
    code: str | None = None
    """What happened, for programs."""


class ErrorResponse(msgspec.Struct, frozen=True):
    error: ErrorBody
    """What went wrong."""
