"""Pictures as a request holds them: texts and uploaded files, whatever the wire. Looks at no bytes."""

from __future__ import annotations

from calotype_provider.errors import InvalidCallError
from calotype_provider.types import ImageFile, ImageSource

PICTURES_MAX = 16
INPUT_IMAGES_MAX = 8

UNREAD_MEDIA_TYPE = "application/octet-stream"
"""Of an uploaded file until the runtime has looked at its bytes."""


class FilePart:
    """A file of a form. Its name and media type are the sender's claims: only the bytes count."""

    __slots__ = ("data", "filename", "media_type")

    def __init__(self, data: bytes, *, filename: str | None = None, media_type: str | None = None) -> None:
        self.data = data
        self.filename = filename
        self.media_type = media_type

    def __repr__(self) -> str:
        return f"FilePart({len(self.data)} bytes)"


class ImageInputs:
    """One picture or several, each a text (base64, data URI, URL) or an uploaded file."""

    # Neither this nor FilePart is a Struct, lest a JSON object pass for one.
    __slots__ = ("items",)

    def __init__(self, items: tuple[str | FilePart, ...]) -> None:
        self.items = items

    def __repr__(self) -> str:
        return f"ImageInputs({len(self.items)})"


def picture_in(item: object) -> str | FilePart | None:
    """The picture that one value of a request is, or that its JSON object points to; None when it is none.

    `{"url": ...}` is xAI's, `{"image_url": "..."}` OpenAI's, `{"image_url": {"url": ...}}` that of chats.
    """
    match item:
        case str() | FilePart():
            return item
        case {"url": str(text)} | {"image_url": str(text)} | {"image_url": {"url": str(text)}}:
            return text
        case _:
            return None


def to_images(
    inputs: ImageInputs | None, *, parameter: str, pictures_max: int = PICTURES_MAX
) -> tuple[ImageFile | ImageSource, ...]:
    """`parameter` is what errors name. Raises InvalidCallError for too many."""
    if inputs is None:
        return ()
    if len(inputs.items) > pictures_max:
        raise InvalidCallError(
            f"{parameter} must be at most {pictures_max} pictures, got {len(inputs.items)}", parameter=parameter
        )
    return tuple(
        ImageFile(item.data, UNREAD_MEDIA_TYPE) if isinstance(item, FilePart) else ImageSource(item, parameter)
        for item in inputs.items
    )


def to_image(inputs: ImageInputs | None, *, parameter: str) -> ImageFile | ImageSource | None:
    if inputs is None:
        return None
    if len(inputs.items) != 1:
        raise InvalidCallError(f"{parameter} must be one picture, got {len(inputs.items)}", parameter=parameter)
    return to_images(inputs, parameter=parameter)[0]
