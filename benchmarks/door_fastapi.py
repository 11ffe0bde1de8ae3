"""The same wire as most people would write it: FastAPI, pydantic models, base64 in the handler."""

from __future__ import annotations

import base64
import os
import sys
import time
from typing import Literal

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

from benchmarks.door import PICTURE_BYTES

PICTURE = os.urandom(PICTURE_BYTES)
app = FastAPI()


class ImageGenerationRequest(BaseModel):
    prompt: str = Field(min_length=1, max_length=32_000)
    model: str | None = None
    n: int = Field(default=1, ge=1, le=10)
    size: str | None = None
    response_format: Literal["url", "b64_json"] | None = None
    output_format: Literal["png", "jpeg", "webp"] = "png"
    output_compression: int | None = Field(default=None, ge=0, le=100)
    quality: str | None = None
    background: str | None = None
    style: str | None = None
    user: str | None = None
    aspect_ratio: str | None = None
    width: int | None = None
    height: int | None = None
    seed: int | None = Field(default=None, ge=0)
    num_inference_steps: int | None = Field(default=None, ge=1)
    guidance: float | None = None
    negative_prompt: str | None = None


class ImageData(BaseModel):
    b64_json: str | None = None
    url: str | None = None
    seed: int


class Warning(BaseModel):
    type: str
    feature: str
    details: str | None = None


class ImagesResponse(BaseModel):
    created: int
    model: str
    data: list[ImageData]
    size: str
    output_format: str
    background: str
    warnings: list[Warning]


@app.post("/v1/images/generations")
async def create_images(request: ImageGenerationRequest) -> ImagesResponse:
    image = ImageData(b64_json=base64.b64encode(PICTURE).decode(), seed=request.seed or 0)
    return ImagesResponse(
        created=int(time.time()),
        model=request.model or "bench/ready",
        data=[image],
        size=request.size or "1024x1024",
        output_format=request.output_format,
        background="opaque",
        warnings=[],
    )


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False)
