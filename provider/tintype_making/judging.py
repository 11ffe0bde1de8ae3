"""What a picture shows, as far as pixels tell: backgrounds, occupied places, colours, what an edit changed."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scenes import Scene, background_pixels, box_of
from .vocabulary import COLOURS, GRADIENTS, PLACES

Picture = NDArray[np.uint8]

#: Mean difference of the three channels, of 255, from which a pixel is not the background's.
STANDS_OUT = 30
#: Share of a place's box that must stand out for it to hold something.
OCCUPIED = 0.08
#: Side of the squares in the corners where the background is looked for.
CORNER = 10


def nearest_background(picture: Picture) -> str:
    """The background, of all there are, nearest to the picture in its corners."""
    height, width = picture.shape[:2]
    painted = corners(picture)

    def distance(background: str) -> float:
        # Something may stand in one corner.
        away = np.abs(true_corners(background, width, height) - painted).sum(1)
        return float(np.sort(away)[:3].sum())

    return min((*COLOURS, *GRADIENTS), key=distance)


def corners(picture: Picture) -> NDArray[np.float64]:
    """The median colour of each, [4, 3]."""
    cuts = [picture[y, x] for y in (slice(CORNER), slice(-CORNER, None)) for x in (slice(CORNER), slice(-CORNER, None))]
    return np.array([np.median(cut.reshape(-1, 3), axis=0) for cut in cuts])


@cache
def true_corners(background: str, width: int, height: int) -> NDArray[np.float64]:
    return corners(background_pixels(background, width, height))


def differs(picture: Picture, other: Picture, limit: float = STANDS_OUT) -> NDArray[np.bool_]:
    """Where two pictures are not the same, [height, width]."""
    return np.asarray(np.abs(picture.astype(int) - other.astype(int)).mean(-1) > limit)


def standing_out(picture: Picture, background: str) -> NDArray[np.bool_]:
    """Where something is, [height, width]."""
    return differs(picture, background_pixels(background, picture.shape[1], picture.shape[0]))


def occupied_places(picture: Picture, scene: Scene) -> set[str]:
    """The places of the scene's layout, and those between them, where something stands out from its background."""
    height, width = picture.shape[:2]
    out = standing_out(picture, scene.background)
    covered = np.zeros_like(out)
    occupied = set()
    # Asked places first: what hangs over from one into its neighbour does not count there.
    for place in (*scene.places, *(place for place in PLACES if place not in scene.places)):
        box = box_of(scene.things[0].size, place, width, height)
        window = (slice(box.top, box.top + box.side), slice(box.left, box.left + box.side))
        if (out & ~covered)[window].mean() > OCCUPIED:
            occupied.add(place)
        if place in scene.places:
            covered[window] = True
    return occupied


def main_colour(picture: Picture, background: str) -> str:
    """The named colour nearest to the most of what stands out; the background's, where nothing does."""
    out = picture[standing_out(picture, background)]
    if not len(out):
        return background
    names = [name for name in COLOURS if name != background]
    distances = np.abs(out[:, None].astype(int) - np.array([COLOURS[name] for name in names])).sum(-1)
    return names[int(np.bincount(distances.argmin(1), minlength=len(names)).argmax())]


def changed_area(before: Picture, wanted: Picture) -> NDArray[np.bool_]:
    """Where the right answer is not what was there, and the next few pixels, [height, width]."""
    area = differs(before, wanted, limit=2)
    for _ in range(3):
        spread = area.copy()
        spread[1:] |= area[:-1]
        spread[:-1] |= area[1:]
        spread[:, 1:] |= area[:, :-1]
        spread[:, :-1] |= area[:, 1:]
        area = spread
    return area


def is_done(before: Picture, after: Picture, wanted: Picture) -> bool:
    """Whether the changed area came at least twice as near to the right answer as it was."""
    area = changed_area(before, wanted)
    left = np.abs(after.astype(int) - wanted)[area].mean()
    return bool(left < np.abs(before.astype(int) - wanted)[area].mean() / 2)


def rest_difference(before: Picture, after: Picture, wanted: Picture) -> float:
    """Mean difference, of 255, outside the area that was to change."""
    rest = ~changed_area(before, wanted)
    return float(np.abs(after.astype(int) - before.astype(int))[rest].mean()) if rest.any() else 0.0


def share(rows: list[dict[str, Any]], key: str) -> float:
    return round(sum(bool(row[key]) for row in rows) / max(1, len(rows)), 3)
