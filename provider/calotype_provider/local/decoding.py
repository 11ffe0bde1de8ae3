"""The last thing that a picture needs memory for, and more than any step: its autoencoder."""

from __future__ import annotations

import copy
import functools
import logging
from typing import Any

import torch

logger = logging.getLogger("calotype.hub")


def decoding_in_tiles(autoencoder: Any) -> Any:
    """The same autoencoder to whoever looks at it; what it has no memory to decode at once, it decodes in tiles."""
    stand_in = copy.copy(autoencoder)

    @functools.wraps(type(autoencoder).decode)
    def decode(*args: Any, **kwargs: Any) -> Any:
        try:
            return autoencoder.decode(*args, **kwargs)
        except torch.OutOfMemoryError:
            logger.warning("no memory to decode a picture at once: it is decoded in tiles")
        # Outside of the except block, whose exception's frames hold what was allocated; in a copy, because the
        # pictures of others have the memory that they need.
        tiled = copy.copy(autoencoder)
        tiled.enable_tiling()
        return tiled.decode(*args, **kwargs)

    vars(stand_in)["decode"] = decode
    return stand_in
