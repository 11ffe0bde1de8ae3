"""What a figure depends on besides the code: printed before every benchmark."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path


def print_conditions(*packages: str) -> None:
    """Processor, cores, load, versions: without these a figure is an anecdote."""
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"  {_processor()}, {os.cpu_count()} cores, load {load}; Python {platform.python_version()}, {versions}")
    print(f"  OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}")


def _processor() -> str:
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        for line in cpu_info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
