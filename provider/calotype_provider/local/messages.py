"""What crosses the boundary between the server and the worker that owns the device, and how it is framed."""

from __future__ import annotations

import asyncio
from typing import BinaryIO, Literal

import msgspec

from calotype_provider.types import OutputFormat

FRAME_BYTES_MAX = 256 * 1024 * 1024
"""More than any picture of `SIDE_PIXELS_MAX` that a model here paints, encoded; less than what hurts the server."""

LENGTH_BYTES = 4

Dtype = Literal["bfloat16", "float16", "float32"]

FailureKind = Literal["not_loaded", "invalid", "out_of_memory", "too_large", "pipeline", "encoding"]
"""`invalid`: the request itself is wrong, in a way that only the model's own parts could tell. `out_of_memory`: beside
other pictures, `too_large`: even with the device for itself."""


class MadeWith(msgspec.Struct, frozen=True, kw_only=True):
    """What a picture depends on besides its request: another picture may come of anything that differs here."""

    model_revision: str
    """Of the pipeline's index, the headers of its weights and samples of them (SHA-256, shortened)."""
    dtype: Dtype
    device: str
    attention_backend: str = "native"
    compiled: bool = False
    cache: str | None = None
    exact: bool = False
    """Whether forwards were never shared."""
    torch: str
    diffusers: str


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is started with, as its one argument in JSON."""

    threads: int | None = None
    exact: bool = False
    hang_seconds_min: float = 60.0


class InputImage(msgspec.Struct, frozen=True, kw_only=True):
    """Decoded pixels, row by row: three bytes each, or one in a mask."""

    width: int
    height: int
    data: bytes

    def __repr__(self) -> str:
        return f"InputImage({self.width}x{self.height})"


class Paint(msgspec.Struct, frozen=True, kw_only=True, tag="paint"):
    """One picture: everything that it depends on, apart from the model's files."""

    request_id: str
    model_id: str
    prompt: str
    negative_prompt: str | None = None
    seed: int
    width: int
    height: int
    num_inference_steps: int
    guidance_scale: float | None = None
    true_cfg_scale: float | None = None
    max_sequence_length: int | None = None
    images: tuple[InputImage, ...] = ()
    """What it starts from, as large as the picture, or what an instruction speaks of, of any size."""
    mask: InputImage | None = None
    """As large as the picture: 255 is painted anew, 0 stays."""
    control_image: InputImage | None = None
    """As large as the picture."""
    references_fit: bool = False
    """What an instruction speaks of is as large as the picture too, and stays so."""
    strength: float | None = None
    strict: bool = False
    """A prompt that is longer than what the model reads is refused."""
    output_format: OutputFormat = "png"
    output_compression: int | None = None
    previews: int = 0
    """How many pictures of what it will look like, evenly spread over its steps."""
    with_parameters: bool = True
    """A PNG says in its text what it was painted from."""


class LoadModel(msgspec.Struct, frozen=True, kw_only=True, tag="load_model"):
    """Load the diffusers folder, and paint `warm_up` once and throw it away, so that "loaded" means "can paint"."""

    model_id: str
    folder: str
    dtype: Dtype | None = None
    """None is whatever the device multiplies quickest."""
    warm_up: Paint | None = None


class UnloadModel(msgspec.Struct, frozen=True, tag="unload_model"):
    model_id: str


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    request_id: str


Command = LoadModel | UnloadModel | Paint | Cancel


class WorkerReady(msgspec.Struct, frozen=True, tag="worker_ready"):
    """The first event: the worker listens. It has not loaded torch yet."""


class ModelLoading(msgspec.Struct, frozen=True, tag="model_loading"):
    model_id: str
    progress: float
    """From 0 to 1."""


class ModelLoaded(msgspec.Struct, frozen=True, tag="model_loaded"):
    model_id: str
    revision: str
    resident_bytes: int
    dtype: Dtype
    device: str


class ModelFailed(msgspec.Struct, frozen=True, tag="model_failed"):
    model_id: str
    reason: str


class Started(msgspec.Struct, frozen=True, tag="started"):
    request_id: str


class Priced(msgspec.Struct, frozen=True, tag="priced"):
    """What a picture's calls of the denoiser cost by the worker's table, each alone; told when the first one waits."""

    request_id: str
    seconds: float


class Forward(msgspec.Struct, frozen=True, tag="forward"):
    """The denoiser is about to run for these pictures, together. If nothing follows, one of them was fatal."""

    request_ids: tuple[str, ...]


class Step(msgspec.Struct, frozen=True, tag="step"):
    """`step` of `steps` denoising steps are done."""

    request_id: str
    step: int
    steps: int


class Preview(msgspec.Struct, frozen=True, kw_only=True, tag="preview"):
    """What the picture will look like, as far as that is known after `step` of `steps` steps."""

    request_id: str
    step: int
    steps: int
    data: bytes
    media_type: str


class Painted(msgspec.Struct, frozen=True, kw_only=True, tag="painted"):
    """The encoded picture, the time that it took, and what else it depends on."""

    request_id: str
    data: bytes
    media_type: str
    milliseconds: float
    made_with: MadeWith
    prompt_tokens: int = 0
    """Without padding, as the encoder that reads most counts them."""
    prompt_tokens_unread: int = 0
    """The last ones of a prompt that is longer than what the model reads."""
    image_tokens: int = 0
    """Latent tokens of the pictures given."""
    output_tokens: int = 0
    """Latent tokens of this one."""
    previews_unsupported: bool = False
    """Some were asked for, and the model cannot tell what its pictures will look like."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    request_id: str
    kind: FailureKind
    message: str


class Cancelled(msgspec.Struct, frozen=True, tag="cancelled"):
    request_id: str


class DeviceStats(msgspec.Struct, frozen=True, kw_only=True, tag="device_stats"):
    """What the worker has done since it began."""

    forwards: int = 0
    """Times that a denoiser ran."""
    rows: int = 0
    """Denoiser calls that the forwards answered, counted by rows."""
    batch_sizes: dict[int, int] = {}
    """Pictures in a forward -> how many forwards had so many."""
    splits: int = 0
    """Forwards that failed for several pictures and were tried again in halves."""
    prompt_cache_hits: int = 0
    """Prompts that were not encoded again."""
    prompt_cache_misses: int = 0
    """Prompts that were encoded."""


PaintEvent = Started | Step | Preview | Painted | Failed | Cancelled
Event = WorkerReady | ModelLoading | ModelLoaded | ModelFailed | Forward | Priced | DeviceStats | PaintEvent


def unread_words(tokens: int) -> str:
    """To the caller, as a warning or as a refusal."""
    return f"the prompt is longer than what the model reads: its last {tokens} tokens were left out"


_encoder = msgspec.msgpack.Encoder()
_commands = msgspec.msgpack.Decoder(Command)
_events = msgspec.msgpack.Decoder(Event)


class FrameError(Exception):
    """A frame is larger than its bound, torn, or holds no message: the other side is broken, or out of step."""


def encode_frame(message: Command | Event, *, bytes_max: int = FRAME_BYTES_MAX) -> bytes:
    """The message behind its length. Raises FrameError when it is larger than `bytes_max`."""
    body = _encoder.encode(message)
    return _checked(len(body), bytes_max).to_bytes(LENGTH_BYTES, "big") + body


def read_command(stream: BinaryIO, *, bytes_max: int = FRAME_BYTES_MAX) -> Command | None:
    """The next command of a blocking stream; None where the stream ends. Raises FrameError."""
    header = stream.read(LENGTH_BYTES)
    if not header:
        return None
    length = _checked(int.from_bytes(header, "big"), bytes_max)
    body = stream.read(length)
    if len(header) < LENGTH_BYTES or len(body) < length:
        raise FrameError("the stream ends inside a frame")
    try:
        command: Command = _commands.decode(body)
        return command
    except msgspec.MsgspecError as error:
        raise FrameError(f"the frame holds no command: {error}") from error


async def read_event(stream: asyncio.StreamReader, *, bytes_max: int = FRAME_BYTES_MAX) -> Event | None:
    """The next event of the worker; None where the stream ends. Raises FrameError."""
    try:
        header = await stream.readexactly(LENGTH_BYTES)
        body = await stream.readexactly(_checked(int.from_bytes(header, "big"), bytes_max))
        event: Event = _events.decode(body)
        return event
    except asyncio.IncompleteReadError as error:
        if not error.partial and error.expected == LENGTH_BYTES:
            return None
        raise FrameError("the stream ends inside a frame") from error
    except msgspec.MsgspecError as error:
        raise FrameError(f"the frame holds no event: {error}") from error


def _checked(length: int, bytes_max: int) -> int:
    if length > bytes_max:
        raise FrameError(f"a frame of {length} bytes is over the bound of {bytes_max}")
    return length
