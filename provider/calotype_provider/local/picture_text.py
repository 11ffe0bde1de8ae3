"""What a PNG says of how it was painted, under the keys that viewers read.

No time and no ids, so that equal requests give equal bytes.
"""

from __future__ import annotations

import json
import re

from calotype_provider.local.messages import Paint

SOFTWARE = "Calotype"

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_MARKS = re.compile(r"\b(Negative prompt|Steps)(?=:)", re.IGNORECASE)


def picture_text(paint: Paint) -> dict[str, str]:
    """`parameters` is as AUTOMATIC1111's web UI writes it, the others are the PNG specification's own keywords."""
    text = {"parameters": _parameters(paint), "Software": SOFTWARE}
    return {**text, "Description": prompt} if (prompt := _plain(paint.prompt)) else text


def _parameters(paint: Paint) -> str:
    settings = ", ".join(f"{name}: {_quoted(value)}" for name, value in _settings(paint).items())
    # Without a negative prompt too: ComfyUI takes nothing from a text that lacks the line.
    return f"{_unmarked(paint.prompt)}\nNegative prompt: {_unmarked(paint.negative_prompt or '')}\n{settings}"


def _settings(paint: Paint) -> dict[str, str]:
    guidance = paint.true_cfg_scale if paint.guidance_scale is None else paint.guidance_scale
    settings = {
        "Steps": str(paint.num_inference_steps),
        "CFG scale": None if guidance is None else _number(guidance),
        "Seed": str(paint.seed),
        "Size": f"{paint.width}x{paint.height}",
        "Model": _plain(paint.model_id),
        "Denoising strength": None if paint.strength is None else _number(paint.strength),
        "Version": SOFTWARE,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _unmarked(prompt: str) -> str:
    # Readers look for these words to see where a prompt ends, some anywhere in the text, and so not for "Steps :".
    return _MARKS.sub(r"\1 ", _plain(prompt))


def _plain(text: str) -> str:
    """Lines end in LF, the one end of line that PNG knows; what else is not to be seen becomes a space."""
    return _CONTROL_CHARACTERS.sub(" ", re.sub(r"\r\n?", "\n", text)).strip()


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if re.search(r'[,:\n"]', value) else value


def _number(value: float) -> str:
    return str(value).removesuffix(".0")
