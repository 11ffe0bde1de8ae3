"""The calotype command: serve, generate, batch, models. Each imports its own half: `serve` must listen at once."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from calotype_provider.errors import CalotypeError
from calotype_provider.model_card import QUALITIES
from calotype_runtime.config import ModelSettings, Settings, load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command: 0 when it did what was asked, 1 when it could not, 2 for wrong usage, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options, _settings(options))
    except CalotypeError as error:
        sys.stderr.write(f"calotype: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace, settings: Settings) -> int:
    match options.command:
        case "serve":
            from calotype_runtime.serve import serve

            return serve(settings)
        case "models":
            from calotype_runtime.terminal import print_models

            return print_models(settings)
        case "batch":
            from calotype_runtime.batch import batch

            return batch(settings, options)
        case _:
            from calotype_runtime.terminal import generate

            return generate(settings, options)


def _settings(options: argparse.Namespace) -> Settings:
    path = options.config or os.environ.get("CALOTYPE_CONFIG")
    given = {name: getattr(options, name, None) for name in ("host", "port", "demo")}
    folders = [model for model in options.models if model[1] is not None]
    return load_settings(
        Path(path) if path else None,
        os.environ,
        models={model_id: ModelSettings(folder) for model_id, folder in folders},
        **given,
    )


def _model(text: str) -> tuple[str, str | None]:
    """'ID=FOLDER', or 'ID' alone."""
    model_id, equals, folder = text.partition("=")
    if not model_id or (equals and not folder):
        raise argparse.ArgumentTypeError(f"must look like ID=FOLDER, got {text!r}")
    return model_id, folder or None


def _folder_model(text: str) -> tuple[str, str | None]:
    model = _model(text)
    if model[1] is None:
        raise argparse.ArgumentTypeError(f"must look like ID=FOLDER, got {text!r}")
    return model


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="calotype", description="Pictures from your own device, in OpenAI's words.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve models over HTTP")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (default 8000; 0: any free one)")
    serve.add_argument(
        "--demo", action="store_true", default=None, help="let the models in the box paint for those that are not here"
    )
    models = commands.add_parser("models", help="list the models that would be served")
    for command in (serve, models):
        command.add_argument(
            "--model", dest="models", action="append", default=[], type=_folder_model, metavar="ID=FOLDER",
            help="serve a diffusers folder under this id (repeatable)",
        )  # fmt: skip
    _add_generate(commands.add_parser("generate", help="paint one prompt into a file"))
    _add_batch(commands.add_parser("batch", help="paint a file of requests into a folder"))
    for command in commands.choices.values():
        command.add_argument("--config", metavar="FILE", help="settings in TOML (default: $CALOTYPE_CONFIG)")
    return parser


def _add_generate(command: argparse.ArgumentParser) -> None:
    command.add_argument("prompt")
    command.add_argument(
        "-o", "--output", type=Path, default=Path("image.png"), help="the file; its ending decides the format"
    )
    command.add_argument("--model", dest="models", action="append", default=[], type=_model, metavar="ID[=FOLDER]")
    command.add_argument("--seed", type=int)
    command.add_argument("--size", help="WIDTHxHEIGHT")
    command.add_argument("--aspect-ratio", help="WIDTH:HEIGHT")
    command.add_argument("--steps", type=int, dest="num_inference_steps")
    command.add_argument("--guidance", type=float)
    command.add_argument("--negative-prompt")
    command.add_argument("--quality", choices=QUALITIES, help="steps and pixels, where they are not given")
    command.add_argument(
        "--image", dest="images", action="append", default=[], type=Path, metavar="FILE",
        help="a picture to start from, or to edit (repeatable)",
    )  # fmt: skip
    command.add_argument("--mask", type=Path, metavar="FILE", help="transparent where something new is painted")
    command.add_argument("--control-image", type=Path, metavar="FILE", help="edges or depth to follow")
    command.add_argument("--strength", type=float, help="how far the picture may be left, 0 to 1")
    command.add_argument("--server", metavar="URL", help="ask a running server instead of loading the model here")


def _add_batch(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "file", type=Path, help="a request a line, in JSON, as for POST /v1/images/generations; 'id' names its picture"
    )
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER",
        help="for pictures and manifest.jsonl; what it has stays",
    )  # fmt: skip
    command.add_argument(
        "--model", dest="models", action="append", default=[], type=_model, metavar="ID[=FOLDER]",
        help="load a folder under this id (repeatable); the last one is for lines that name no model",
    )  # fmt: skip
    command.add_argument(
        "--demo", action="store_true", default=None, help="let the models in the box paint for those that are not here"
    )
    command.add_argument("--server", metavar="URL", help="ask a running server instead of loading the models here")


if __name__ == "__main__":
    sys.exit(main())
