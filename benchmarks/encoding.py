"""Pictures of 1024x1024 into files: our PNG beside Pillow's, JPEG and WebP. Time, and size beside Pillow's default PNG.

One thread. Rounds of all encoders alternate; a time is the median of the rounds, "times" the median of their ratios.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.conditions import print_conditions
from benchmarks.pictures import Pixels, flat_drawing, grainy_photograph, smooth_photograph, soft_blobs
from calotype_provider.local.encoding import encode

ROUNDS = 7
TINTYPES = Path(__file__).parent.parent / "docs" / "pictures" / "tintype.png"

Encoder = Callable[[Pixels], bytes]


def main() -> None:
    print("encoding: pixels to files")
    print_conditions("isal", "numpy", "pillow")
    print(f"  {ROUNDS} rounds; times: how much sooner than Pillow's default PNG; size: beside its size")
    for name, pixels in _pictures().items():
        _measure(name, pixels)


def _pictures() -> dict[str, Pixels]:
    with Image.open(TINTYPES) as tintypes:
        painted = np.asarray(tintypes.convert("RGB"))
    return {
        "grainy photograph": grainy_photograph(),
        "smooth photograph": smooth_photograph(),
        "soft blobs": soft_blobs(),
        "flat drawing": flat_drawing(),
        "tintype's, a sheet": painted,
        "tintype's, one": painted[:128, :128],
    }


def _encoders() -> dict[str, Encoder]:
    return {
        "Pillow PNG": lambda pixels: _pillow_png(pixels),
        "Pillow PNG 3": lambda pixels: _pillow_png(pixels, compress_level=3),
        "our PNG": lambda pixels: encode(pixels, "png"),
        "JPEG 90": lambda pixels: encode(pixels, "jpeg"),
        "WebP 90": lambda pixels: encode(pixels, "webp"),
    }


def _measure(name: str, pixels: Pixels) -> None:
    encoders = _encoders()
    sizes = {encoder: len(encode_it(pixels)) for encoder, encode_it in encoders.items()}
    rounds = [
        {encoder: _milliseconds(encode_it, pixels) for encoder, encode_it in encoders.items()} for _ in range(ROUNDS)
    ]
    print(f"  {name}, {pixels.shape[1]}x{pixels.shape[0]}")
    for encoder, size in sizes.items():
        ratios = sorted(times["Pillow PNG"] / times[encoder] for times in rounds)
        median = statistics.median(times[encoder] for times in rounds)
        print(
            f"    {encoder:>12}: {median:6.1f} ms, {size / 1000:6.0f} KB; "
            f"{statistics.median(ratios):5.1f} times ({ratios[0]:.1f} to {ratios[-1]:.1f}), "
            f"size {size / sizes['Pillow PNG']:.2f}"
        )


def _pillow_png(pixels: Pixels, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def _milliseconds(encoder: Encoder, pixels: Pixels) -> float:
    started = time.perf_counter()
    encoder(pixels)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
