"""The bytes of a picture -> a clean PNG: upright, in sRGB, 8 bits a channel, without metadata."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

from calotype_provider.errors import InvalidCallError
from calotype_provider.types import SIDE_PIXELS_MAX, ImageFile, Size
from calotype_runtime.containers import take_apart
from calotype_runtime.containers.parts import PictureParts, UnfitPictureError
from calotype_runtime.containers.png import check_rows

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile as OpenedFile


def read_parts(data: bytes, *, parameter: str, pixels_max: int) -> PictureParts:
    """What is known of a picture before it is decoded. Raises InvalidCallError, for one that is too large too."""
    try:
        parts = take_apart(data)
    except UnfitPictureError as error:
        raise InvalidCallError(str(error), parameter=parameter) from error
    size = parts.size
    if not size.pixels:
        raise InvalidCallError(f"a picture must have pixels, this one is {size}", parameter=parameter)
    if size.pixels > pixels_max or max(size.width, size.height) > SIDE_PIXELS_MAX:
        raise InvalidCallError(
            f"a picture must have at most {pixels_max / 1e6:g} megapixels and {SIDE_PIXELS_MAX} pixels a side, "
            f"this one is {size}",
            parameter=parameter,
        )
    return parts


def to_clean_file(parts: PictureParts, *, parameter: str, is_mask: bool = False) -> ImageFile:
    """Decode, turn upright, bring to sRGB, and encode as PNG: RGB, or RGBA where something is transparent.

    A mask always comes out as RGBA, and what is transparent in it is painted anew (OpenAI's convention). One without
    any transparency is read by the convention of diffusers, white is painted anew, and its alpha is made of that:
    255 - luminance. Raises InvalidCallError.
    """
    # Pillow and numpy are imported at the first picture, here and below: a server starts without them.
    import numpy as np
    from PIL.Image import DecompressionBombError

    from calotype_provider.png import encode_png

    try:
        if parts.kind == "png":
            check_rows(parts)
        picture = _eight_bit(_decoded(parts), parts)
    except UnfitPictureError as error:
        raise InvalidCallError(str(error), parameter=parameter) from error
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error) as error:
        raise InvalidCallError("the picture is broken: it cannot be decoded", parameter=parameter) from error
    except DecompressionBombError as error:
        raise InvalidCallError("the picture is too large", parameter=parameter) from error
    picture = _upright(_in_srgb(picture, parts.profile), parts.orientation)
    if is_mask:
        picture = _with_mask_alpha(picture)
    return ImageFile(encode_png(np.asarray(picture)), "image/png", Size(*picture.size))


def _decoded(parts: PictureParts) -> Image:
    # Each kind has its own class, since Image.open would try others, and warn of sizes that are checked here.
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile
    from PIL.WebPImagePlugin import WebPImageFile

    kinds: dict[str, type[OpenedFile]] = {"png": PngImageFile, "jpeg": JpegImageFile, "webp": WebPImageFile}
    with io.BytesIO(parts.data) as file:
        picture = kinds[parts.kind](file)
        if picture.size != (parts.size.width, parts.size.height):
            raise ValueError("the decoder reads another size")
        picture.load()
    return picture


def _eight_bit(picture: Image, parts: PictureParts) -> Image:
    """RGB, RGBA, L, LA or CMYK, with the one transparent colour of a PNG as alpha."""
    transparent = picture.info.get("transparency")
    if picture.mode.startswith("I"):
        return _eight_bit_grey(picture, transparent)
    if isinstance(transparent, int) and picture.mode == "L":
        # Pillow spreads 2 and 4 bits over 8, and leaves this as it was.
        picture.info["transparency"] = transparent * 255 // (2**parts.bits - 1)
    if isinstance(transparent, tuple) and parts.bits == 16:
        picture.info["transparency"] = tuple(value >> 8 for value in transparent)
    if picture.mode in ("RGB", "RGBA", "L", "LA", "CMYK") and transparent is None:
        return picture
    if picture.mode == "1" and transparent is None:
        return picture.convert("L")
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _eight_bit_grey(picture: Image, transparent: object) -> Image:
    import numpy as np
    from PIL import Image

    # Pillow's own conversion cuts off what is above 255.
    deep = np.asarray(picture)
    grey = Image.fromarray((deep >> 8).astype(np.uint8))
    if isinstance(transparent, int):
        grey.putalpha(Image.fromarray(np.where(deep == transparent, 0, 255).astype(np.uint8)))
    return grey


_MODE_OF_SPACE = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}


def _in_srgb(picture: Image, profile: bytes | None) -> Image:
    """RGB or, where something is transparent, RGBA. A profile that cannot be read or is of other colours is dropped."""
    from PIL.ImageCms import ImageCmsProfile, PyCMSError, createProfile, profileToProfile

    alpha = picture.getchannel("A") if picture.mode in ("LA", "RGBA") else None
    colours = picture.convert(picture.mode.removesuffix("A")) if alpha else picture
    if profile and colours.mode == _MODE_OF_SPACE.get(profile[16:20]) and not _names_srgb(profile):
        try:
            told = ImageCmsProfile(io.BytesIO(profile))
            colours = profileToProfile(colours, told, createProfile("sRGB"), outputMode="RGB") or colours
        except (PyCMSError, OSError, ValueError, TypeError):
            pass
    colours = colours if colours.mode == "RGB" else colours.convert("RGB")
    if alpha and alpha.getextrema() != (255, 255):
        colours.putalpha(alpha)
    return colours


def _names_srgb(profile: bytes) -> bool:
    """Most profiles are sRGB's own: converting them would only round."""
    return b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile


def _upright(picture: Image, orientation: int) -> Image:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return picture if orientation == 1 else picture.transpose(turns[orientation])


def _with_mask_alpha(picture: Image) -> Image:
    if picture.mode == "RGBA":
        return picture
    from PIL.ImageChops import invert

    alpha = invert(picture.convert("L"))
    masked = picture.convert("RGBA")
    masked.putalpha(alpha)
    return masked
