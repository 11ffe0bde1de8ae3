"""docs/ai-sdk.md: each of its snippets runs as it stands, on each AI SDK that it names; its lists are whole."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import cast

import ai_sdk
import msgspec
import pytest
from ai_sdk import Major
from server_process import ServerProcess

from calotype_adapters.vercel.types import CalotypeOptions, ImageMetadata
from calotype_runtime.openapi import GATEWAY_ERRORS

DOCUMENT = (Path(__file__).parents[2] / "docs/ai-sdk.md").read_text()
HERE = "http://127.0.0.1:8000"
SECONDS_MAX = 60

SNIPPETS = [
    (int(major), code)
    for majors, code in re.findall(r"```js((?: ai\d)+)\n(.*?)```", DOCUMENT, re.DOTALL)
    for major in re.findall(r"\d", majors)
]


@pytest.mark.parametrize(("major", "code"), SNIPPETS)
def test_a_snippet_runs(server: ServerProcess, tmp_path: Path, major: int, code: str) -> None:
    assert HERE in code
    major_run = cast(Major, major)
    # The gateway's path is the version's own, as the table says.
    base = ai_sdk.GATEWAYS[major_run]
    here = re.sub(r"/v\d/ai", base, code).replace(HERE, server.url)
    (tmp_path / "node_modules").symlink_to(ai_sdk.CLIENTS / f"ai{major}/node_modules")
    (tmp_path / "snippet.mjs").write_text(here)
    command = [ai_sdk.node_for(major_run), "snippet.mjs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_every_version_has_a_snippet() -> None:
    assert {major for major, _ in SNIPPETS} == set(ai_sdk.MAJORS)
    assert len(SNIPPETS) == 9


def test_the_documents_lists_are_whole() -> None:
    options = DOCUMENT.split("`providerOptions.calotype`:")[1].split("Options of other providers")[0]
    named = {
        name for row in options.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }
    assert named == {field.encode_name for field in msgspec.structs.fields(CalotypeOptions)}
    said = DOCUMENT.split("`providerMetadata.calotype.images[i]`")[1].split("`providerMetadata.gateway`")[0]
    assert set(re.findall(r"`(\w+)`", said)) == {field.encode_name for field in msgspec.structs.fields(ImageMetadata)}
    rows = DOCUMENT.split("| status | class |")[1].split("Headers that the call")[0]
    statuses = {
        int(status)
        for row in rows.splitlines()
        for status in re.findall(r"\d{3}", row.split("|")[1] if "|" in row else "")
    }
    # 499 is for the log: nobody is there to read it.
    assert statuses == set(GATEWAY_ERRORS) - {499} | {200}
