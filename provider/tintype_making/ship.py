"""Copies what was trained over what ships. Cards, README and figures are written by whoever has judged it better.

python -m tintype_making.ship
"""

import shutil

from .folders import SHIPPED, TRAINED, UNFINISHED


def main() -> None:
    for name in TRAINED:
        shutil.copytree(UNFINISHED / name, SHIPPED / name, dirs_exist_ok=True)
        print(f"{name}: {sum(path.stat().st_size for path in (SHIPPED / name).iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
