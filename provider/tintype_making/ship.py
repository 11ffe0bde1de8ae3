"""Copies what was trained over what ships. Cards, README and figures are written by whoever has judged it better.

python -m tintype_making.ship
python -m tintype_making.ship transformer   (after a training that left the text as it is)
"""

import argparse
import shutil

from .folders import SHIPPED, SHIPPED_CANNY, TRAINED, UNFINISHED
from .pipelines import CANNY_PART


def main() -> None:
    places = {name: SHIPPED / name for name in TRAINED} | {CANNY_PART: SHIPPED_CANNY / "transformer"}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {tuple(places)}; all by default")
    for name in parser.parse_args().parts or places:
        shutil.copytree(UNFINISHED / name, places[name], dirs_exist_ok=True)
        print(f"{name}: {sum(path.stat().st_size for path in places[name].iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
