"""The AI SDK gateway's image wire as structs. Its clients refuse `null`: what is not there is left out."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, UnsetType

from calotype_adapters.pictures import ImageInputs
from calotype_provider.types import OutputFormat

SpecVersion = Literal["v2", "v3", "v4"]
"""Of the image-model specification: that of AI SDK 5, 6 and 7."""

SPEC_VERSIONS: tuple[SpecVersion, ...] = get_args(SpecVersion)

BASES: dict[str, SpecVersion] = {"/v1/ai": "v2", "/v3/ai": "v3", "/v4/ai": "v4"}
"""Each major's default base path. `GET /config` can only be told apart by it."""

Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
AskedQuality = Literal["auto", "standard", "hd", "low", "medium", "high", "xhigh", "max"]


class FileInput(msgspec.Struct, frozen=True, tag="file"):
    """Bytes. What the client calls them (`mediaType`) is a guess of its own: only the bytes count."""

    data: str
    """Base64."""


class UrlInput(msgspec.Struct, frozen=True, tag="url"):
    """A picture that the server fetches: the client never does."""

    url: str
    """With https or http, on a public host."""


PictureInput = FileInput | UrlInput


class GatewayImageRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`POST {base}/image-model`. The model's id is not in it, but in the header `ai-model-id`."""

    prompt: str = ""
    """Up to 32,000 characters. Without it there must be files."""
    n: Integer | None = None
    """Pictures, 1 to 10: the client never splits them. Picture k has the seed `seed + k`."""
    size: str | None = None
    """`WIDTHxHEIGHT`; a size that the model does not paint is served by its nearest, with a warning."""
    aspect_ratio: str | None = None
    """`16:9`; the nearest shape on the model's card. It may stand beside a size of that shape."""
    seed: Integer | None = None
    """Drawn where it is not given. The same request and seed give the same picture."""
    files: tuple[PictureInput, ...] | None = None
    """What the model starts from, or what the prompt speaks of, in their order."""
    mask: PictureInput | None = None
    """Transparent where something new is painted; without any transparency, white."""
    provider_options: dict[str, dict[str, msgspec.Raw] | None] | None = None
    """By the name of a provider: `calotype`, or another whose options mean the same here."""


class CalotypeOptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`providerOptions.calotype`: what the AI SDK has no words of its own for."""

    num_inference_steps: Integer | None = None
    """By the model's card."""
    guidance: float | None = None
    """By the model's card; a warning where it has none."""
    negative_prompt: str | None = None
    """What the picture should not show; a warning where the model has no such thing."""
    strength: float | None = None
    """How far the picture given may be left, 0 to 1."""
    control_image: ImageInputs | None = None
    """Edges or depth, for models that are led by them."""
    input_images: ImageInputs | None = None
    """More pictures, up to eight, after those of `files`."""
    output_format: OutputFormat | None = None
    """Of the files: png without it."""
    output_compression: Integer | None = None
    """0 (smallest) to 100 (best), of JPEG and WebP."""
    quality: AskedQuality | None = None
    """Steps and pixels by the model's card, where they are not given."""
    strict: bool | None = None
    """Whatever would be a warning is refused, unless it is of what was done as asked."""


class GatewayWarning(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was not done, or not exactly as asked, in the AI SDK's shapes; AI SDK 5 knows `other` alone."""

    type: Literal["unsupported", "compatibility", "deprecated", "other"]
    feature: str | UnsetType = UNSET
    """Of `unsupported` and `compatibility`: the setting it is about."""
    details: str | UnsetType = UNSET
    """What was asked and what was done."""
    setting: str | UnsetType = UNSET
    """Of `deprecated`."""
    message: str | UnsetType = UNSET
    """Of `deprecated` and `other`."""


class GatewayUsage(msgspec.Struct, frozen=True, rename="camel"):
    """Tokens, as far as the backend counts them."""

    input_tokens: int | UnsetType = UNSET
    """Of the prompt and of the pictures given."""
    output_tokens: int | UnsetType = UNSET
    """Of the pictures painted."""
    total_tokens: int | UnsetType = UNSET
    """Their sum."""


class GatewayImageResponse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to a request for pictures."""

    images: tuple[msgspec.Raw, ...]
    """The files, in base64 without a `data:` prefix."""
    warnings: tuple[GatewayWarning, ...]
    """What was not done, or not exactly as asked."""
    provider_metadata: dict[str, Any] | UnsetType = UNSET
    """Under `calotype.images[i]` what there is to know of picture i; of the call, under `gateway`."""
    usage: GatewayUsage | UnsetType = UNSET
    """Where the backend counts."""
    is_retryable: bool | UnsetType = UNSET
    """Of an answer without pictures: false where another try would end so too."""


class ImageMetadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """`providerMetadata.calotype.images[i]`."""

    seed: int
    """It paints this picture again."""
    size: str
    """As it was painted."""
    media_type: str
    """Of the file."""
    model: str
    """The canonical id of the model that painted."""
    steps: int | None = None
    """Denoising steps."""
    milliseconds: float | None = None
    """Of painting this picture, as the engine measured it."""
    model_revision: str | None = None
    """Of the model's files: another revision paints another picture."""
    cost: str | None = None
    """In dollars, where it is known: 0 for what this machine painted."""


class ModelSpecification(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    specification_version: SpecVersion
    """The one that this base's clients insist on."""
    provider: str
    """The id's first part."""
    model_id: str
    """Its name in requests."""


class GatewayModel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    """Its name in requests."""
    name: str
    """For people."""
    description: str | UnsetType = UNSET
    """In a line."""
    specification: ModelSpecification
    """How clients speak to it."""
    model_type: Literal["image"] = "image"
    """All that there is here."""


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`GET {base}/config`."""

    models: tuple[GatewayModel, ...]
    """In the order of the settings."""


GatewayErrorType = Literal[
    "authentication_error",
    "invalid_request_error",
    "rate_limit_exceeded",
    "model_not_found",
    "not_found",
    "forbidden",
    "failed_dependency",
    "internal_server_error",
]
"""Each is a class of the client's errors."""


class GatewayErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    message: str
    """What was wanted, and what came."""
    type: GatewayErrorType
    param: str | dict[str, str] | UnsetType = UNSET
    """The field that is wrong, or `{"modelId": ...}`."""
    code: str | UnsetType = UNSET
    """What happened, for programs."""


class GatewayErrorResponse(msgspec.Struct, frozen=True):
    error: GatewayErrorBody
    """What went wrong."""
