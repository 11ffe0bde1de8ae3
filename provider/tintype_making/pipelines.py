"""The pipelines of diffusers around the folder in training, many prompts at once. Knows nothing of judging."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxControlPipeline,
    FluxImg2ImgPipeline,
    FluxKontextPipeline,
    FluxPipeline,
    FluxTransformer2DModel,
)
from numpy.typing import NDArray
from PIL import Image
from transformers import CLIPTextModel, CLIPTokenizer, PreTrainedTokenizerFast, T5EncoderModel

from .buckets import Bucket
from .edges import edge_picture
from .folders import SHIPPED, SHIPPED_CANNY
from .prompt_tokenizers import T5_TOKENS
from .quick_layers import quick_dtype

BATCH = 16
#: The scales that are served where a call does not say, as the cards have them: of text to image, of edits, and of what
#: leads away from a negative prompt.
DEFAULT_GUIDANCE, EDIT_GUIDANCE, NEGATIVE_SCALE = 2.0, 1.5, 2.0
#: The folder of the transformer that is given edges.
CANNY_PART = "transformer_canny"

Picture = NDArray[np.uint8]


class Settings(NamedTuple):
    """What a call may choose: steps, the guidance that is embedded, and that of a second forward."""

    steps: int
    guidance: float
    true_cfg: float = 1.0


class Pipelines:
    """Text to image, editing, and edges to image, of one folder, as it is served."""

    def __init__(self, folder: Path) -> None:
        self.dtype = quick_dtype(torch.device("cpu"))
        load: dict[str, Any] = {"torch_dtype": self.dtype}
        self.parts: dict[str, Any] = {
            "vae": AutoencoderKL.from_pretrained(SHIPPED, subfolder="vae", **load),
            "scheduler": FlowMatchEulerDiscreteScheduler.from_pretrained(SHIPPED, subfolder="scheduler"),
            "text_encoder": CLIPTextModel.from_pretrained(folder, subfolder="text_encoder", **load),
            "tokenizer": CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer"),
            "text_encoder_2": T5EncoderModel.from_pretrained(folder, subfolder="text_encoder_2", **load),
            "tokenizer_2": PreTrainedTokenizerFast.from_pretrained(folder, subfolder="tokenizer_2"),
        }
        self.transformer: Any = FluxTransformer2DModel.from_pretrained(folder, subfolder="transformer", **load)
        # Trained anew, or the one that ships, where the text encoders that it shares are as they were.
        edges, part = (folder, CANNY_PART) if (folder / CANNY_PART).exists() else (SHIPPED_CANNY, "transformer")
        self.edge_transformer = FluxTransformer2DModel.from_pretrained(edges, subfolder=part, **load)

    def default_settings(self, steps: int) -> Settings:
        """One forward a step where guidance has been taught, else two."""
        taught = bool(self.transformer.time_text_embed.guidance_embedder.linear_2.weight.any())
        return Settings(steps, DEFAULT_GUIDANCE, 1.0 if taught else DEFAULT_GUIDANCE)

    def paint(
        self, prompts: list[str], bucket: Bucket, settings: Settings, negatives: list[str] | None = None
    ) -> list[Picture]:
        pipeline = FluxPipeline(transformer=self.transformer, **self.parts)
        return [
            picture
            for batch in batches(prompts, negatives or [""] * len(prompts))
            for picture in self.run(pipeline, settings, *batch, width=bucket.width, height=bucket.height)
        ]

    def start_from(
        self, prompts: list[str], pictures: list[Picture], strength: float, settings: Settings
    ) -> list[Picture]:
        """Led from those pictures to the prompts, the further the greater the strength is, 0 to 1."""
        pipeline = FluxImg2ImgPipeline(transformer=self.transformer, **self.parts)
        led = []
        for told, untold, given in batches(prompts, [""] * len(prompts), pictures):
            images = torch.from_numpy(np.stack(given)).permute(0, 3, 1, 2) / 255
            options = {"image": images.to(self.dtype), "strength": strength, "width": 128, "height": 128}
            led += self.run(pipeline, settings, told, untold, **options)
        return led

    def edit(self, prompts: list[str], pictures: list[Picture], settings: Settings) -> list[Picture]:
        pipeline = FluxKontextPipeline(transformer=self.transformer, **self.parts)
        edited = []
        for told, untold, given in batches(prompts, [""] * len(prompts), pictures):
            images = torch.from_numpy(np.stack(given)).permute(0, 3, 1, 2) / 255
            # Left to itself, the pipeline would enlarge the pictures to those sizes that Kontext was trained with.
            size: dict[str, Any] = {"width": 128, "height": 128, "max_area": 128 * 128, "_auto_resize": False}
            edited += self.run(pipeline, settings, told, untold, image=images.to(self.dtype), **size)
        return edited

    def from_edges(self, prompts: list[str], pictures: list[Picture], settings: Settings) -> list[Picture]:
        """Led by the edges of those pictures."""
        pipeline = FluxControlPipeline(transformer=self.edge_transformer, **self.parts)
        painted = []
        for told, given in batches(prompts, pictures):
            images = [Image.fromarray(edge_picture(picture)) for picture in given]
            painted += self.run(pipeline, settings, told, None, control_image=images, width=128, height=128)
        return painted

    def run(
        self, pipeline: Any, settings: Settings, told: list[str], untold: list[str] | None, **options: Any
    ) -> list[Picture]:
        pipeline.set_progress_bar_config(disable=True)
        if untold is not None and settings.true_cfg > 1:
            options |= {"negative_prompt": untold, "true_cfg_scale": settings.true_cfg}
        images = pipeline(
            prompt=told,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance,
            max_sequence_length=T5_TOKENS,
            generator=[torch.Generator().manual_seed(number) for number in range(len(told))],
            **options,
        ).images
        return [np.asarray(image) for image in images]


def batches(*columns: list[Any]) -> list[tuple[list[Any], ...]]:
    starts = range(0, len(columns[0]), BATCH)
    return [tuple(column[start : start + BATCH] for column in columns) for start in starts]
