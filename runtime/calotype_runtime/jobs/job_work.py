"""What a job has to paint, and how its answer is written: all that a server started anew needs to know."""

from __future__ import annotations

from typing import Literal

import msgspec

from calotype_adapters.vercel.types import SpecVersion
from calotype_provider.errors import EngineError
from calotype_provider.model_card import FittedCall
from calotype_provider.types import CallWarning, ImageModelCall


class JobWork(msgspec.Struct, frozen=True, kw_only=True):
    model_id: str
    fitted: FittedCall
    """Its seed is drawn, and its pictures are clean files."""
    delivery: Literal["url", "b64_json"] | None
    """None wants both, where there is room for both."""
    origin: str
    """What URLs in the answer begin with."""
    warnings: tuple[CallWarning, ...] = ()
    """What of the request the call does not carry."""
    spec: SpecVersion | None = None
    """Whose words the answer is in: OpenAI's, or those of the AI SDK's gateway in this version."""

    @property
    def call(self) -> ImageModelCall:
        return self.fitted.call


def encode_work(work: JobWork) -> bytes:
    return msgspec.msgpack.encode(work)


def decode_work(data: bytes) -> JobWork:
    """Raises EngineError for what another version of Calotype has left."""
    try:
        return msgspec.msgpack.decode(data, type=JobWork)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EngineError("this job was stored by another version of Calotype, and cannot be read") from error
