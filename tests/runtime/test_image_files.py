"""The bytes of pictures, good and odd: what becomes of colours, transparency, orientation and metadata."""

from __future__ import annotations

import struct
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from picture_files import (
    END,
    JPEG,
    PNG,
    WEBP,
    canvas,
    chunk,
    header,
    noise,
    opened,
    pixels,
    png,
    riff,
    saved,
    segment,
)
from PIL import Image, ImageCms

from calotype_provider.errors import InvalidCallError
from calotype_provider.types import ImageFile, Size
from calotype_runtime.image_files import read_parts, to_clean_file

PIXELS_MAX = 1_000_000


def clean(data: bytes, *, is_mask: bool = False) -> ImageFile:
    return to_clean_file(read_parts(data, parameter="mask", pixels_max=PIXELS_MAX), parameter="mask", is_mask=is_mask)


def cleaned(data: bytes, *, is_mask: bool = False) -> Image.Image:
    return opened(clean(data, is_mask=is_mask).data)


def values(data: bytes) -> list[tuple[int, ...]]:
    picture = cleaned(data)
    return [tuple(pixel) for pixel in np.asarray(picture).reshape(-1, len(picture.mode)).tolist()]


@cache
def turned() -> tuple[bytes, ...]:
    """EXIF for each orientation."""
    entry = struct.Struct(">4sIHHHIHHI")
    return tuple(entry.pack(b"MM\0*", 8, 1, 0x0112, 3, 1, value, 0, 0) for value in range(10))


@pytest.mark.parametrize("data", [PNG, JPEG, WEBP], ids=["PNG", "JPEG", "WebP"])
def test_a_picture_comes_back_as_it_was(data: bytes) -> None:
    file = clean(data)
    assert (file.media_type, file.size) == ("image/png", Size(60, 40))
    assert np.array_equal(np.asarray(opened(file.data)), np.asarray(opened(data)))
    assert clean(data) == file


MODES = {"PNG": ("RGB", "L", "P", "1", "LA", "RGBA", "I;16"), "JPEG": ("RGB", "L", "1", "CMYK")}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind, modes in MODES.items() for mode in modes])
def test_every_mode_becomes_rgb(kind: str, mode: str) -> None:
    picture = cleaned(saved(noise(mode=mode), kind))
    assert picture.mode == "RGB"
    assert picture.size == (60, 40)
    assert picture.info == {}


@pytest.mark.parametrize(("kind", "lossless"), [("PNG", {}), ("WEBP", {"lossless": True, "exact": True})])
def test_transparency_stays(kind: str, lossless: dict[str, bool]) -> None:
    picture = noise(mode="RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    back = cleaned(saved(picture, kind, **lossless))
    assert back.mode == "RGBA"
    assert np.array_equal(np.asarray(back), np.asarray(picture))


def test_transparency_of_a_lossy_webp_stays() -> None:
    picture = noise(mode="RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    assert np.array_equal(np.asarray(cleaned(saved(picture, "WEBP")))[..., 3], np.asarray(picture)[..., 3])


def test_one_transparent_colour_becomes_alpha() -> None:
    def with_colour(row: bytes, colour: bytes, **options: int) -> bytes:
        width = options.pop("width")
        return png(header(width, 1, **options), chunk(b"tRNS", colour), pixels(b"\0" + row), END)

    grey = with_colour(b"\x08\x09", b"\0\x08", width=2, colours=0)
    assert values(grey) == [(8, 8, 8, 0), (9, 9, 9, 255)]
    two_bits = with_colour(b"\x1b", b"\0\x02", width=4, colours=0, bits=2)
    assert values(two_bits) == [(0, 0, 0, 255), (85, 85, 85, 255), (170, 170, 170, 0), (255, 255, 255, 255)]
    one_bit = with_colour(b"\x40", b"\0\x01", width=2, colours=0, bits=1)
    assert values(one_bit) == [(0, 0, 0, 255), (255, 255, 255, 0)]
    rgb = with_colour(b"\1\2\3\1\2\4", b"\0\1\0\2\0\3", width=2, colours=2)
    assert values(rgb) == [(1, 2, 3, 0), (1, 2, 4, 255)]
    deep_grey = with_colour(b"\x12\x34\x12\x35", b"\x12\x34", width=2, colours=0, bits=16)
    assert values(deep_grey) == [(18, 18, 18, 0), (18, 18, 18, 255)]
    deep = with_colour(bytes(range(0x10, 0x1C)), bytes(range(0x10, 0x16)), width=2, colours=2, bits=16)
    assert values(deep) == [(16, 18, 20, 0), (22, 24, 26, 255)]


def test_a_palette_with_alpha() -> None:
    palette = chunk(b"PLTE", bytes([9, 8, 7, 6, 5, 4]))
    data = png(header(2, 1, colours=3), palette, chunk(b"tRNS", b"\x80"), pixels(b"\0\0\1"), END)
    assert values(data) == [(9, 8, 7, 128), (6, 5, 4, 255)]


def test_sixteen_bits_become_eight() -> None:
    grey = png(header(2, 1, bits=16, colours=0), pixels(b"\0\x12\x34\xfe\xdc"), END)
    assert values(grey) == [(0x12,) * 3, (0xFE,) * 3]
    with_alpha = png(header(1, 1, bits=16, colours=6), pixels(b"\0" + bytes(range(0x10, 0x18))), END)
    assert values(with_alpha) == [(16, 18, 20, 22)]
    grey_with_alpha = png(header(1, 1, bits=16, colours=4), pixels(b"\0" + bytes(range(0x10, 0x14))), END)
    assert values(grey_with_alpha) == [(16, 16, 16, 18)]


def test_alpha_that_hides_nothing_is_dropped() -> None:
    assert cleaned(saved(noise(mode="RGBA"), "PNG")).mode == "RGB"


@pytest.mark.parametrize("orientation", range(10))
def test_a_picture_is_turned_as_its_exif_says(orientation: int) -> None:
    turns = (None, None, 0, 3, 1, 5, 4, 6, 2, None)
    turn = turns[orientation]
    upright = noise() if turn is None else noise().transpose(Image.Transpose(turn))
    exif = turned()[orientation]
    in_png = png(*_chunks_before_pixels(PNG), chunk(b"eXIf", exif), *_chunks_from_pixels(PNG))
    assert np.array_equal(np.asarray(cleaned(in_png)), np.asarray(upright))
    for data, expected in (
        (JPEG[:2] + segment(0xE1, b"Exif\0\0" + exif) + JPEG[2:], opened(JPEG)),
        (riff(canvas(60, 40, flags=8), (b"VP8 ", WEBP[20:]), (b"EXIF", exif)), opened(WEBP)),
    ):
        file = clean(data)
        expected = expected if turn is None else expected.transpose(Image.Transpose(turn))
        assert file.size == Size(*expected.size)
        assert np.array_equal(np.asarray(opened(file.data)), np.asarray(expected))


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff" + b"x" * 99,
        b"MM\0*\0\0\0\x08\0\1\1\x12\0\4" + bytes(20),
    ],
)
def test_exif_that_cannot_be_read_turns_nothing(exif: bytes) -> None:
    data = JPEG[:2] + segment(0xE1, b"Exif\0\0" + exif) + JPEG[2:]
    assert clean(data) == clean(JPEG)


def test_metadata_are_dropped() -> None:
    secret = b"latitude 52.5, longitude 13.4"
    marked = [
        png(*_chunks_before_pixels(PNG), chunk(b"tEXt", b"Comment\0" + secret), *_chunks_from_pixels(PNG), secret),
        JPEG[:2] + segment(0xFE, secret) + segment(0xE1, secret) + segment(0xED, secret) + JPEG[2:] + secret,
        riff(canvas(60, 40, flags=4), (b"VP8 ", WEBP[20:]), (b"XMP ", secret)) + secret,
    ]
    for data in marked:
        file = clean(data)
        assert secret not in file.data
        assert opened(file.data).info == {}
        assert secret not in read_parts(data, parameter="mask", pixels_max=PIXELS_MAX).data


def test_colours_are_brought_to_srgb() -> None:
    swapped = _swapped_srgb()
    red = Image.new("RGB", (4, 4), (250, 10, 10))
    for kind in ("PNG", "JPEG", "WEBP"):
        plain, told = saved(red, kind), saved(red, kind, icc_profile=swapped)
        first, green = values(plain)[0], values(told)[0]
        assert first[0] > 240
        assert green[1] > 200
        assert green[0] < 100


def test_a_profile_keeps_transparency() -> None:
    picture = Image.new("RGBA", (2, 2), (250, 10, 10, 77))
    red, green, _, alpha = values(saved(picture, "PNG", icc_profile=_swapped_srgb()))[0]
    assert (red < green, alpha) == (True, 77)


@pytest.mark.parametrize("profile", [b"x", b"x" * 500, bytes(128), b"\0\0\1\0" + bytes(12) + b"RGB " + b"\xff" * 300])
def test_a_profile_that_cannot_be_read_changes_nothing(profile: bytes) -> None:
    for kind, data in (("PNG", PNG), ("JPEG", JPEG), ("WEBP", WEBP)):
        assert clean(saved(noise(), kind, icc_profile=profile)) == clean(data)


def test_a_profile_of_other_colours_changes_nothing() -> None:
    assert clean(saved(noise(mode="L"), "PNG", icc_profile=_swapped_srgb())) == clean(saved(noise(mode="L"), "PNG"))
    assert clean(saved(noise(mode="CMYK"), "JPEG", icc_profile=_swapped_srgb())) == clean(
        saved(noise(mode="CMYK"), "JPEG")
    )


def test_a_mask_without_transparency_is_painted_where_it_is_white() -> None:
    for mode in ("L", "RGB", "1", "P", "RGBA"):
        picture = Image.new("L", (4, 1), 0)
        picture.putpixel((0, 0), 255)
        mask = cleaned(saved(picture.convert(mode), "PNG"), is_mask=True)
        assert mask.mode == "RGBA"
        assert np.asarray(mask)[0, :, 3].tolist() == [0, 255, 255, 255]


def test_a_mask_with_transparency_is_painted_where_it_is_transparent() -> None:
    picture = Image.new("RGBA", (2, 1), (255, 255, 255, 255))
    picture.putpixel((1, 0), (255, 255, 255, 40))
    assert np.asarray(cleaned(saved(picture, "PNG"), is_mask=True))[0, :, 3].tolist() == [255, 40]


def test_a_black_mask_is_painted_nowhere() -> None:
    mask = cleaned(saved(Image.new("RGB", (3, 3)), "PNG"), is_mask=True)
    assert (mask.mode, mask.getchannel("A").getextrema()) == ("RGBA", (255, 255))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("options", [{}, {"progressive": True, "lossless": True, "optimize": True}])
def test_a_picture_that_is_cut_off_anywhere_is_refused(kind: str, options: dict[str, bool]) -> None:
    data = saved(noise(30, 20), kind, **options)
    for length in range(len(data)):
        with pytest.raises(InvalidCallError):
            clean(data[:length])


def test_the_bounds_are_met_exactly() -> None:
    data = png(header(1000, 1000), pixels(bytes(1000 * 3001)), END)
    assert clean(data).size == Size(1000, 1000)
    with pytest.raises(InvalidCallError, match=r"at most 1 megapixels .* 1000x1001"):
        clean(png(header(1000, 1001), pixels(bytes(1001 * 3001)), END))
    assert clean(png(header(16_384, 1), pixels(bytes(1 + 3 * 16_384)), END)).size == Size(16_384, 1)
    with pytest.raises(InvalidCallError, match="16384 pixels a side"):
        clean(png(header(16_385, 1), pixels(bytes(1 + 3 * 16_385)), END))


def test_one_pixel_is_a_picture() -> None:
    assert values(png(header(1, 1), pixels(b"\0\1\2\3"), END)) == [(1, 2, 3)]


def test_pieces_in_an_order_of_their_own() -> None:
    """A palette behind the pixels is put before them; nothing else is read there."""
    palette = chunk(b"PLTE", bytes([9, 8, 7]))
    data = png(header(1, 1, colours=3), pixels(b"\0\0"), palette, END)
    assert values(data) == [(9, 8, 7)]


HEADS = [PNG[:33], JPEG[:24], WEBP[:30], PNG, JPEG, WEBP, saved(noise(5, 5), "WEBP", lossless=True)]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([b"", *HEADS]), st.binary(max_size=300), st.booleans())
@example(PNG, b"", True)
def test_any_bytes_are_a_clean_picture_or_refused(head: bytes, rest: bytes, is_mask: bool) -> None:
    _clean_or_refused(head + rest, is_mask=is_mask)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([PNG, JPEG, WEBP, saved(noise(9, 9, "P"), "PNG"), saved(noise(9, 9), "JPEG", progressive=True)]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4), st.integers(0, 4)), max_size=6),
)
def test_any_damage_leaves_a_clean_picture_or_is_refused(data: bytes, damages: list[tuple[float, bytes, int]]) -> None:
    for place, put, taken in damages:
        at = int(place * len(data))
        data = data[:at] + put + data[at + taken :]
    _clean_or_refused(data)
    if data.startswith(b"\x89PNG"):
        _clean_or_refused(_with_right_checksums(data))


def test_no_picture_library_is_loaded_before_there_is_a_picture() -> None:
    script = (
        "import sys, calotype_runtime.image_inputs, calotype_runtime.config\n"
        "print({'PIL', 'numpy', 'aiohttp', 'isal'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert done.stdout == "set()\n"


def _clean_or_refused(data: bytes, *, is_mask: bool = False) -> None:
    try:
        file = clean(data, is_mask=is_mask)
    except InvalidCallError:
        return
    picture = opened(file.data)
    assert file.media_type == "image/png"
    assert picture.format is None or picture.format == "PNG"
    assert picture.mode in ("RGB", "RGBA")
    assert file.size == Size(*picture.size)
    assert picture.info == {}


def _chunks_before_pixels(data: bytes) -> list[bytes]:
    return [data[8:33]]


def _chunks_from_pixels(data: bytes) -> list[bytes]:
    return [data[33:]]


def _with_right_checksums(data: bytes) -> bytes:
    chunks, position = list[bytes](), 8
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4])
        chunks.append(chunk(data[position + 4 : position + 8], data[position + 8 : end - 4]))
        position = end
    return png(*chunks)


@cache
def _swapped_srgb() -> bytes:
    """sRGB, but what is called red is green."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in (b"sRGB", "sRGB".encode("utf-16-be")):
        profile = profile.replace(name, b"x" * len(name))
    return profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
