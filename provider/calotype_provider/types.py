"""The abstract call: what a caller asks of an image model, and what comes back. Frozen values, no behaviour."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SEED_MAX = 2**53 - 1
"""The largest integer that JavaScript and JSON carry exactly."""

PROMPT_CHARACTERS_MAX = 32_000
SIDE_PIXELS_MAX = 16_384

OutputFormat = Literal["png", "jpeg", "webp"]
MEDIA_TYPES: dict[OutputFormat, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


Quality = Literal["low", "medium", "high", "xhigh", "max"]
"""OpenAI's words for how much work goes into a picture, the least first; each model's card says what they mean."""


class Size(msgspec.Struct, frozen=True, order=True):
    """Width and height of a picture in pixels, each from 1 to `SIDE_PIXELS_MAX`."""

    width: int
    """In pixels."""
    height: int
    """In pixels."""

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class AspectRatio(msgspec.Struct, frozen=True):
    """Width to height, as two positive integers: 16:9 is `AspectRatio(16, 9)`."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}:{self.height}"


class ImageFile(msgspec.Struct, frozen=True, tag="file"):
    """A picture as bytes, its media type decided by those bytes."""

    data: bytes
    media_type: str
    size: Size | None = None
    """Known where somebody has looked: of every picture that a model is given."""

    def __repr__(self) -> str:
        return f"ImageFile({self.media_type}, {len(self.data)} bytes)"


class ImageSource(msgspec.Struct, frozen=True, tag="source"):
    """A picture as a caller named it: base64, a data URI or a URL. Hostile until the runtime has read it."""

    text: str
    parameter: str
    """The call's field that it came in, for errors: `images`, `mask` or `control_image`."""

    def __repr__(self) -> str:
        return f"ImageSource({self.parameter}, {len(self.text)} characters)"


class Caller(msgspec.Struct, frozen=True):
    """Who asks: the name of the key, never the key, and the id of the request."""

    name: str = "anonymous"
    request_id: str | None = None


class ImageModelCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of an image model. `None` means "not asked": the model's card says what happens then.

    Before a model sees a call, the runtime has fitted it to the model's card (`ModelCard.fit`): `size`, `seed` and,
    where the card has them, `num_inference_steps` and `guidance_scale` are set, and every image is an `ImageFile`.
    """

    prompt: str
    """1 to `PROMPT_CHARACTERS_MAX` characters."""
    n: int = 1
    """Images asked for, 1 to 10. Image k has the seed `seed + k`."""
    size: Size | None = None
    aspect_ratio: AspectRatio | None = None
    seed: int | None = None
    """0 to `SEED_MAX`."""
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    negative_prompt: str | None = None
    quality: Quality | None = None
    """How much work to put in, where steps and size leave it open."""
    strength: float | None = None
    """How far an image-to-image model may leave its input, 0 to 1."""
    images: tuple[ImageFile | ImageSource, ...] = ()
    mask: ImageFile | ImageSource | None = None
    """Of the first image: what is transparent in it is painted anew, the rest stays."""
    control_image: ImageFile | ImageSource | None = None
    output_format: OutputFormat = "png"
    output_compression: int | None = None
    """0 (smallest file) to 100 (best picture) for JPEG and WebP, as OpenAI's API has it."""
    partial_images: int = 0
    """Previews on the way to each image, for those who stream, 0 to 3."""
    strict: bool = False
    """Anything that could not be done exactly as asked is an InvalidCallError instead of a warning."""
    provider_options: dict[str, Any] = {}
    """What only one provider understands, by the provider's name."""
    caller: Caller = Caller()


WarningType = Literal["unsupported", "compatibility", "deprecated", "other"]


class CallWarning(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was not done, or not exactly as asked (the AI SDK's warning types, @ai-sdk/provider 4.0)."""

    type: WarningType
    feature: str
    """The call's field, or what else it is about."""
    details: str | None = None
    """What was asked and what was done."""


class CostWarning(CallWarning, frozen=True, omit_defaults=True):
    """All of it was done as asked, at a price. It refuses no strict call; on a wire it is a warning like any other."""


class GeneratedImage(msgspec.Struct, frozen=True):
    """One painted picture: the encoded file, its true size, and the seed that paints it again."""

    data: bytes
    media_type: str
    seed: int
    size: Size

    def as_file(self) -> ImageFile:
        """To start another picture from."""
        return ImageFile(self.data, self.media_type, self.size)

    def __repr__(self) -> str:
        return f"GeneratedImage({self.media_type}, {self.size}, seed={self.seed}, {len(self.data)} bytes)"


class ImageUsage(msgspec.Struct, frozen=True):
    """Tokens read and painted, as far as the backend counts them."""

    input_tokens: int | None = None
    """The sum of the next two."""
    text_tokens: int | None = None
    """Of the prompt, without padding, as the longest of the model's encoders counts them."""
    image_tokens: int | None = None
    """Latent tokens of the pictures given."""
    output_tokens: int | None = None
    total_tokens: int | None = None


class ImageModelResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a model answers: `n` images in the order of their seeds."""

    images: tuple[GeneratedImage, ...]
    model_id: str
    """The canonical id of the model that painted."""
    warnings: tuple[CallWarning, ...] = ()
    provider_metadata: dict[str, Any] = {}
    usage: ImageUsage | None = None


class ImageQueued(msgspec.Struct, frozen=True, tag="queued"):
    """The call waits; `position` others are before it, for about `seconds` where somebody can tell."""

    position: int
    seconds: float | None = None


class ImageStep(msgspec.Struct, frozen=True, tag="step"):
    """Image `index` (from 0) has done `step` of `steps` denoising steps."""

    index: int
    step: int
    steps: int


class ImagePreview(msgspec.Struct, frozen=True, tag="preview"):
    """How image `index` looks so far."""

    index: int
    step: int
    image: ImageFile


class ImageFinished(msgspec.Struct, frozen=True, tag="finished"):
    """The last event of every stream that did not raise."""

    result: ImageModelResult


ImageEvent = ImageQueued | ImageStep | ImagePreview | ImageFinished
