"""Who paints the lines of a batch: the engine here, or a server."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from calotype_provider.catalog import known_model
from calotype_provider.errors import APICallError, CalotypeError, ConfigError
from calotype_provider.types import CallWarning
from calotype_runtime.assembly import Assembly
from calotype_runtime.batch_lines import BatchLine
from calotype_runtime.config import FileSettings, JobSettings, Settings, model_folders
from calotype_runtime.generate_image import DRAWN_SEED_BITS, fit
from calotype_runtime.request_log import new_record
from calotype_runtime.server_client import ServerAnswer, ServerClient

TOO_MANY = 429
TRIES_MAX = 8
UNREACHED_TRIES_MAX = 3
PAUSE_SECONDS_MAX = 30.0
"""Before another try; it doubles from one second on."""

PAUSE_SECONDS_MIN = 0.1
"""Whatever a busy server says."""

BUSY_SECONDS_MAX = 24 * 3600.0
"""How long one line waits for a server that is busy with others: a night and more, since nobody sits beside a batch."""

ADVICE_SECONDS_MAX = 300.0
"""A longer advice to come back is not waited for in one go."""

Tell = Callable[[str], None]
"""Is told that a line waits, and for what; an empty text when it waits no more."""


class Painted(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of a line."""

    data: bytes
    seed: int | None
    size: str
    model: str
    warnings: tuple[CallWarning, ...]


class BatchStoppedError(CalotypeError):
    """Not this line's failure: nobody is there who could paint the others. They are left for the next run."""


class Painter(Protocol):
    def fit(self, line: BatchLine) -> BatchLine:
        """The line with its seed drawn. Raises CalotypeError for what cannot be painted."""

    async def begin(self) -> None: ...

    async def paint(self, line: BatchLine, *, tell: Tell) -> Sequence[Painted]:
        """Raises BatchStoppedError, or another CalotypeError that is about this line."""

    async def aclose(self) -> None: ...


class LocalPainter:
    def __init__(self, settings: Settings, model_ids: Collection[str]) -> None:
        """Loads nothing yet. Raises ConfigError."""
        self._assembly = _assembly(settings, model_ids)
        self._runtime = self._assembly.runtime

    def fit(self, line: BatchLine) -> BatchLine:
        return with_seed(line, fit(self._runtime.image_model(line.model_id), line.call).call.seed)

    async def begin(self) -> None:
        self._assembly.engine.start()

    async def paint(self, line: BatchLine, *, tell: Tell) -> Sequence[Painted]:
        record = new_record(method="BATCH", path=f"/{line.number}", request_id=None)
        painting = await self._runtime.paint(line.model_id, line.call, delivery="b64_json", record=record)
        result = painting.result
        warnings = (*line.warnings, *result.warnings)
        return [
            Painted(data=image.data, seed=image.seed, size=str(image.size), model=result.model_id, warnings=warnings)
            for image in result.images
        ]

    async def aclose(self) -> None:
        await self._runtime.aclose()


class ServerPainter:
    def __init__(self, server: str, *, busy_seconds_max: float = BUSY_SECONDS_MAX) -> None:
        self._busy_seconds_max = busy_seconds_max
        self._client = ServerClient(server)

    def fit(self, line: BatchLine) -> BatchLine:
        """What its model can do is the server's to say, when it comes to the line."""
        return line if line.call.seed is not None else with_seed(line, secrets.randbits(DRAWN_SEED_BITS))

    async def begin(self) -> None:
        await self._client.__aenter__()

    async def paint(self, line: BatchLine, *, tell: Tell) -> Sequence[Painted]:
        body: dict[str, object] = {**line.fields, "seed": line.call.seed}
        if line.model_id is not None:
            body["model"] = line.model_id
        answer = await self._ask_patiently(body, tell)
        return [
            Painted(
                data=picture.data, seed=picture.seed, size=answer.size, model=answer.model, warnings=answer.warnings
            )
            for picture in answer.pictures
        ]

    async def aclose(self) -> None:
        await self._client.__aexit__(None, None, None)

    async def _ask_patiently(self, body: Mapping[str, object], tell: Tell) -> ServerAnswer:
        tries = 0
        busy_seconds = 0.0
        while True:
            try:
                return await self._client.generate(body)
            except APICallError as error:
                advice = error.retry_after_seconds
                if error.status_code == TOO_MANY:
                    # No failure: others are before it.
                    if busy_seconds >= self._busy_seconds_max:
                        raise
                    advice = PAUSE_SECONDS_MAX if advice is None else advice
                    pause = min(max(advice, PAUSE_SECONDS_MIN), ADVICE_SECONDS_MAX)
                    busy_seconds += pause
                    tell(f"the server is busy: waiting {pause:.3g} s")
                    await asyncio.sleep(pause)
                    tell("")
                    continue
                tries += 1
                is_gone = error.status_code is None and not isinstance(error.__cause__, TimeoutError)
                if is_gone and tries >= UNREACHED_TRIES_MAX:
                    raise BatchStoppedError(str(error)) from error
                if not error.is_retryable or tries >= TRIES_MAX:
                    raise
            pause = min(2.0 ** (tries - 1), PAUSE_SECONDS_MAX)
            await asyncio.sleep(max(pause, min(advice or 0.0, ADVICE_SECONDS_MAX)))


def with_seed(line: BatchLine, seed: int | None) -> BatchLine:
    return msgspec.structs.replace(line, call=msgspec.structs.replace(line.call, seed=seed))


def _assembly(settings: Settings, model_ids: Collection[str]) -> Assembly:
    """Only what paints is loaded: the models that are named, and those that stand in for some of them."""
    folders = {name.casefold(): (name, folder) for name, folder in model_folders(settings).items()}
    wanted = {model_id.casefold() for model_id in model_ids}
    known = [known_model(model_id) for model_id in model_ids] if settings.demo else []
    wanted |= {model.painted_by(settings.default_model).casefold() for model in known if model}
    chosen = dict(folders[model_id] for model_id in sorted(wanted) if model_id in folders)
    # What only a server keeps is not opened: one may be running.
    settings = msgspec.structs.replace(settings, files=FileSettings(), jobs=JobSettings())
    own = settings.default_model.casefold()
    if own not in wanted:
        # An assembly wants a default model that is there: one of those which paint anyway.
        for default in (*chosen, *model_ids):
            with contextlib.suppress(ConfigError):
                return Assembly(msgspec.structs.replace(settings, default_model=default), folders=chosen)
    return Assembly(settings, folders=chosen | dict(filter(None, [folders.get(own)])))
