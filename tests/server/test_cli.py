"""calotype generate and calotype models, as somebody at a terminal runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from server_process import ServerProcess

from calotype_provider.catalog import EMBEDDED


def calotype(*arguments: str, cwd: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "calotype_runtime", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | (environment or {}),
    )  # fmt: skip


def test_generate_paints_here_what_a_server_paints(server: ServerProcess, tmp_path: Path) -> None:
    wish = ["a red fox on a blue background", "--seed", "7", "--aspect-ratio", "1:1", "--steps", "3"]
    here = calotype("generate", *wish, "-o", "here.png", cwd=tmp_path)
    assert here.returncode == 0, here.stderr
    assert "seed 7" in here.stderr
    there = calotype("generate", *wish, "-o", "there.png", "--server", server.url, cwd=tmp_path)
    assert there.returncode == 0, there.stderr
    assert (tmp_path / "here.png").read_bytes() == (tmp_path / "there.png").read_bytes()
    with Image.open(tmp_path / "here.png") as image:
        assert image.size == (128, 128)


def test_generate_starts_from_a_picture_and_keeps_what_a_mask_keeps(server: ServerProcess, tmp_path: Path) -> None:
    with Image.new("RGB", (128, 128), "blue") as image, Image.new("RGBA", (128, 128), "white") as mask:
        mask.paste((0, 0, 0, 0), (64, 0, 128, 128))
        image.save(tmp_path / "blue.png")
        mask.save(tmp_path / "mask.png")
    wish = ["a red circle", "--image", "blue.png", "--mask", "mask.png", "--seed", "7", "--quality", "low"]
    here = calotype("generate", *wish, "-o", "here.png", cwd=tmp_path)
    assert here.returncode == 0, here.stderr
    there = calotype("generate", *wish, "-o", "there.png", "--server", server.url, cwd=tmp_path)
    assert there.returncode == 0, there.stderr
    assert (tmp_path / "here.png").read_bytes() == (tmp_path / "there.png").read_bytes()
    with Image.open(tmp_path / "here.png") as painted:
        assert painted.crop((0, 0, 56, 128)).getextrema() == ((0, 0), (0, 0), (255, 255))


def test_generate_says_what_was_not_done_as_asked(server: ServerProcess, tmp_path: Path) -> None:
    ended = calotype(
        "generate", "a fox", "--size", "1792x1024", "--steps", "1", "-o", "fox.webp", "--server", f"{server.url}/v1",
        cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "1792x1024" in ended.stderr
    with Image.open(tmp_path / "fox.webp") as image:
        assert image.format == "WEBP"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["a fox", "--size", "banana"], "size"),
        (["a fox", "--image", "nowhere.png"], "nowhere.png"),
        (["a fox", "--strength", "2"], "strength"),
        (["a fox", "--steps", "0"], "num_inference_steps"),
        (["a fox", "-o", "fox.gif"], "gif"),
        (["a fox", "--model", "acme/brush"], "acme/brush"),
        (["", "--seed", "7"], "prompt"),
        (["a fox", "--guidance", "nan", "--server", "http://127.0.0.1:1"], "guidance_scale"),
        (["a fox", "--model", "a/b=folder", "--server", "http://127.0.0.1:1"], "--server"),
        (["a fox", "--model", "black-forest-labs/FLUX.1-dev"], "hf download"),
        (["a fox", "--server", "http://127.0.0.1:1"], "127.0.0.1:1"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_1(tmp_path: Path, arguments: list[str], named: str) -> None:
    ended = calotype("generate", *arguments, cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("calotype: ")
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())


def test_a_servers_refusal_is_told_in_its_words(server: ServerProcess, tmp_path: Path) -> None:
    ended = calotype("generate", "a fox", "--model", "acme/brush", "--server", server.url, cwd=tmp_path)
    assert ended.returncode == 1
    assert "acme/brush" in ended.stderr
    assert "404" in ended.stderr


def test_models_lists_what_would_be_served(tmp_path: Path) -> None:
    ended = calotype("models", cwd=tmp_path, environment={"COLUMNS": "200"})
    assert ended.returncode == 0
    assert all(model_id in ended.stdout for model_id in EMBEDDED)
