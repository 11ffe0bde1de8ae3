"""Pixels -> the bytes of a PNG file, ten times as fast as Pillow and about as small. Knows nothing of models."""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEY_BYTES_MAX = 79

COLOUR_TYPES = {3: 2, 4: 6}
"""Samples of a pixel -> PNG's number for RGB and RGBA."""

DEFLATE_LEVEL = 1
"""Of isal's 0 to 3. At 3 photographs are no smaller, and drawings take four times as long (docs/decisions/0005)."""

WINDOW_BITS = (9, 15)
"""How far back deflate looks for what it has seen. In grain all such finds are accidents that cost more than they save,
so the smallest window is best for photographs; drawings and letters want the largest."""

SAMPLE_STRIPES = 4
SAMPLE_PART = 16
"""One row in so many is tried in all ways, to choose the way for all rows."""

BAND_BYTES = 256 * 1024
"""Rows that are filtered at once: their neighbours and differences too fit the processor's cache."""

Bytes = NDArray[np.uint8]


def encode_png(pixels: Bytes, *, text: Mapping[str, str] | None = None) -> bytes:
    """`pixels` is [height, width, 3] or [height, width, 4]. The same arguments give the same bytes.

    `text` is keys of 1 to 79 Latin-1 characters -> what viewers show beside them. Raises ValueError for what a PNG
    cannot hold.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in COLOUR_TYPES or not pixels.size:
        raise ValueError(
            f"pixels must be uint8 [height, width, 3 or 4], none of them 0, got {pixels.dtype} {pixels.shape}"
        )
    height, width, samples = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[samples], 0, 0, 0)
    chunks = [
        _chunk(b"IHDR", header),
        # Before the pixels: some readers look for no text behind them.
        *(_text_chunk(key, value) for key, value in (text or {}).items()),
        _chunk(b"IDAT", _deflated(pixels)),
        _chunk(b"IEND", b""),
    ]
    return SIGNATURE + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)))


def _text_chunk(key: str, value: str) -> bytes:
    name = _checked_key(key)
    if "\0" in value:
        raise ValueError(f"the text of {key!r} must not hold NUL")
    try:
        return _chunk(b"tEXt", name + b"\0" + value.encode("latin-1"))
    except UnicodeEncodeError:
        # Not compressed, in no language, its key not translated.
        return _chunk(b"iTXt", name + b"\0\0\0\0\0" + value.encode())


def _checked_key(key: str) -> bytes:
    printable = re.fullmatch(r"[!-~\xa1-\xff]+( [!-~\xa1-\xff]+)*", key)
    if not printable or len(key) > KEY_BYTES_MAX:
        raise ValueError(
            f"a key must be 1 to {KEY_BYTES_MAX} printable Latin-1 characters and single spaces, got {key!r}"
        )
    return key.encode("latin-1")


class _Rows(NamedTuple):
    """Some rows of a picture, each [row, byte], and what is beside and above every byte; 0 where that is outside."""

    here: Bytes
    left: Bytes
    above: Bytes
    corner: Bytes

    def at(self, rows: slice | NDArray[np.intp]) -> _Rows:
        return _Rows(self.here[rows], self.left[rows], self.above[rows], self.corner[rows])


def _deflated(pixels: Bytes) -> bytes:
    rows = _rows_of(pixels)
    sample = rows.at(_sample(len(rows.here)))
    filtered = [_filtered(sample, number) for number in range(len(FILTERS))]
    tried = {
        (number, window_bits): len(isal_zlib.compress(filtered[number], DEFLATE_LEVEL, window_bits))
        for number, window_bits in itertools.product(range(len(FILTERS)), WINDOW_BITS)
    }
    number, window_bits = min(tried, key=tried.__getitem__)
    return isal_zlib.compress(_filtered(rows, number), DEFLATE_LEVEL, window_bits)


def _rows_of(pixels: Bytes) -> _Rows:
    height, width, samples = pixels.shape
    # One row and one pixel of zeros around, so that all neighbours are views.
    padded = np.zeros((height + 1, (width + 1) * samples), np.uint8)
    padded[1:, samples:] = pixels.reshape(height, width * samples)
    return _Rows(padded[1:, samples:], padded[1:, :-samples], padded[:-1, samples:], padded[:-1, :-samples])


def _sample(height: int) -> NDArray[np.intp]:
    """Stripes of rows, so that what repeats from row to row is seen to. Not the first row, which has none above it."""
    starts = (2 * np.arange(SAMPLE_STRIPES) + 1) * height // (2 * SAMPLE_STRIPES)
    stripe = np.arange(max(1, height // (SAMPLE_STRIPES * SAMPLE_PART)))
    return (starts[:, None] + stripe).ravel()


def _filtered(rows: _Rows, number: int) -> Bytes:
    """What deflate is given: the filter's number and the row's differences, row after row."""
    height, width = rows.here.shape
    filtered = np.empty((height, 1 + width), np.uint8)
    filtered[:, 0] = number
    step = max(1, BAND_BYTES // width)
    for top in range(0, height, step):
        band = slice(top, top + step)
        filtered[band, 1:] = FILTERS[number](rows.at(band))
    return filtered


def _average(rows: _Rows) -> Bytes:
    # (left + above) // 2, which would not fit a byte.
    return rows.here - ((rows.left & rows.above) + ((rows.left ^ rows.above) >> 1))


def _paeth(rows: _Rows) -> Bytes:
    """Less whichever neighbour is nearest to left + above - corner, all in bytes.

    With the corner moved to the nearest between left and above, that is the lower one of them, the higher one or the
    corner itself; the lower one if the corner is at least twice as far from it as from the higher one.
    """
    low, high = np.minimum(rows.left, rows.above), np.maximum(rows.left, rows.above)
    middle = np.minimum(np.maximum(rows.corner, low), high)
    differences = rows.here - middle
    above_low, below_high = middle - low, high - middle
    differences += above_low * (below_high <= above_low >> 1).view(np.uint8)
    differences -= below_high * (above_low <= below_high >> 1).view(np.uint8)
    return differences


FILTERS: tuple[Callable[[_Rows], Bytes], ...] = (
    lambda rows: rows.here,
    lambda rows: rows.here - rows.left,
    lambda rows: rows.here - rows.above,
    _average,
    _paeth,
)
"""In the order of PNG's numbers."""
