"""calotype generate and calotype models: the engine, or a server, for somebody at a terminal."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import msgspec
import pybase64
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from calotype_adapters.pictures import UNREAD_MEDIA_TYPE
from calotype_provider.call_checks import check
from calotype_provider.catalog import known_model
from calotype_provider.errors import CalotypeError, InvalidCallError, NoImageGeneratedError
from calotype_provider.geometry import parse_aspect_ratio, parse_size
from calotype_provider.image_model import ImageModel, StreamingImageModel
from calotype_provider.types import (
    CallWarning,
    ImageFile,
    ImageFinished,
    ImageModelCall,
    ImageModelResult,
    ImageQueued,
    ImageSource,
    ImageStep,
    OutputFormat,
)
from calotype_runtime.assembly import Assembly
from calotype_runtime.config import Settings, model_folders
from calotype_runtime.generate_image import fit, merge
from calotype_runtime.server_client import ServerClient

FORMATS: dict[str, OutputFormat] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


def generate(settings: Settings, options: argparse.Namespace) -> int:
    """Paint one picture into `options.output`, with a progress bar; `--server` names a server to paint instead."""
    model_id, folder = options.models[-1] if options.models else (None, None)
    if options.server and folder:
        raise InvalidCallError("--model ID=FOLDER loads a model here; --server takes --model ID", parameter="model")
    call = _call(options)
    check(call)
    painted = asyncio.run(
        _ask_server(options.server, call, model_id) if options.server else _paint_here(settings, call, model_id)
    )
    try:
        options.output.write_bytes(painted.data)
    except OSError as error:
        raise CalotypeError(f"{options.output} cannot be written: {error.strerror}") from error
    console = Console(stderr=True)
    for warning in painted.warnings:
        console.print(f"{warning.type} {warning.feature}: {warning.details or ''}", style="yellow", markup=False)
    said = f"{options.output}: {painted.size}, seed {painted.seed}, by {painted.model_id}"
    console.print(said, highlight=False, markup=False)
    return 0


def print_models(settings: Settings) -> int:
    """A table of every model that `calotype serve` would offer with these settings."""
    assembly = Assembly(settings)
    table = Table("model", "sizes", "steps", "guidance", "what it is")
    for model_id in assembly.registry.model_ids():
        card = assembly.registry.image_model(model_id).card
        steps, guidance = card.num_inference_steps, card.guidance_scale
        table.add_row(
            card.model_id,
            str(card.default_size),
            f"{steps.min}-{steps.max} ({steps.default})" if steps else "-",
            f"{guidance.min:g}-{guidance.max:g} ({guidance.default:g})" if guidance else "-",
            card.description,
        )
    Console().print(table)
    return 0


class _Painted(msgspec.Struct):
    data: bytes
    size: str
    seed: int | None
    model_id: str
    warnings: tuple[CallWarning, ...]


async def _paint_here(settings: Settings, call: ImageModelCall, model_id: str | None) -> _Painted:
    wanted = settings.default_model if model_id is None else model_id
    # Only what paints is loaded: the model itself, or the one that may stand in for it.
    folders = {name.casefold(): {name: folder} for name, folder in model_folders(settings).items()}
    known = known_model(wanted) if settings.demo else None
    stand_in = known.painted_by(settings.default_model) if known else settings.default_model
    chosen = folders.get(wanted.casefold()) or folders.get(stand_in.casefold(), {})
    default = next(iter(chosen), settings.default_model)
    assembly = Assembly(msgspec.structs.replace(settings, default_model=default), folders=chosen)
    model = assembly.runtime.image_model(wanted)
    # Once before any picture is read, so that what is refused anyway is refused at once.
    fitted = fit(model, call)
    assembly.engine.start()
    try:
        fitted = fit(model, await assembly.runtime.pictures.resolve(call))
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=Console(stderr=True), transient=True,
        ) as progress:  # fmt: skip
            result = await _follow(model, fitted.call, progress)
    finally:
        await assembly.runtime.aclose()
    result = merge([result], asked=fitted.call, warnings=fitted.warnings)
    image = result.images[0]
    return _Painted(image.data, str(image.size), image.seed, result.model_id, result.warnings)


async def _follow(model: ImageModel, call: ImageModelCall, progress: Progress) -> ImageModelResult:
    if not isinstance(model, StreamingImageModel):
        return await model.do_generate(call)
    bar = progress.add_task("loading the model", total=None)
    async for event in model.do_stream(call):
        match event:
            case ImageQueued():
                progress.update(bar, description="loading the model")
            case ImageStep(step=step, steps=steps):
                progress.update(bar, description="painting", completed=step, total=steps)
            case ImageFinished(result=result):
                return result
    raise NoImageGeneratedError("the model ended without a picture")


def _call(options: argparse.Namespace) -> ImageModelCall:
    return ImageModelCall(
        prompt=options.prompt,
        size=parse_size(options.size) if options.size else None,
        aspect_ratio=parse_aspect_ratio(options.aspect_ratio) if options.aspect_ratio else None,
        seed=options.seed,
        num_inference_steps=options.num_inference_steps,
        guidance_scale=options.guidance,
        negative_prompt=options.negative_prompt,
        quality=options.quality,
        strength=options.strength,
        images=tuple(_picture(path) for path in options.images),
        mask=_picture(options.mask) if options.mask else None,
        control_image=_picture(options.control_image) if options.control_image else None,
        output_format=_format_of(options.output),
    )


def _picture(path: Path) -> ImageFile:
    try:
        return ImageFile(path.read_bytes(), UNREAD_MEDIA_TYPE)
    except OSError as error:
        raise InvalidCallError(f"{path} cannot be read: {error.strerror}", parameter="images") from error


def _format_of(path: Path) -> OutputFormat:
    output_format = FORMATS.get(path.suffix.lower())
    if output_format is None:
        raise InvalidCallError(f"the file must end in {', '.join(FORMATS)}, got {path.name!r}", parameter="output")
    return output_format


async def _ask_server(server: str, call: ImageModelCall, model_id: str | None) -> _Painted:
    wishes = {
        "model": model_id,
        "prompt": call.prompt,
        "size": call.size and str(call.size),
        "aspect_ratio": call.aspect_ratio and str(call.aspect_ratio),
        "seed": call.seed,
        "num_inference_steps": call.num_inference_steps,
        "guidance": call.guidance_scale,
        "negative_prompt": call.negative_prompt,
        "quality": call.quality,
        "strength": call.strength,
        "image": [_base64(image) for image in call.images] or None,
        "mask": call.mask and _base64(call.mask),
        "control_image": call.control_image and _base64(call.control_image),
        "output_format": call.output_format,
    }
    body = {name: wish for name, wish in wishes.items() if wish is not None}
    with Console(stderr=True).status("the server paints"):
        async with ServerClient(server) as client:
            answer = await client.generate(body)
    picture = answer.pictures[0]
    return _Painted(picture.data, answer.size, picture.seed, answer.model, answer.warnings)


def _base64(image: ImageFile | ImageSource) -> str:
    assert isinstance(image, ImageFile), "the terminal reads files"
    return pybase64.b64encode(image.data).decode("ascii")
