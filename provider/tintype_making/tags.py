"""Prints what the icon sets' tags offer beyond nouns.py: words that one noun alone has. For whoever extends the table.

python -m tintype_making.tags
"""

import json
import re
from collections import defaultdict
from pathlib import Path

from .drawings import fetch_packages
from .nouns import NOUNS
from .plurals import plural
from .vocabulary import RESERVED


def main() -> None:
    known = {form for noun in NOUNS.values() for word in noun.words for form in (word, plural(word))}
    names = {noun.drawing: name for name, noun in NOUNS.items()}
    meant = defaultdict(set)
    for drawing, tags in read_tags(fetch_packages()).items():
        for tag in tags:
            # Tags of drawings that are no noun here make a word ambiguous all the same.
            meant[tag].add(names.get(drawing, ""))
    for name in NOUNS:
        new = sorted(tag for tag, nouns in meant.items() if nouns == {name} and tag not in known | RESERVED)
        if new:
            print(f"{name}: {', '.join(new)}")


def read_tags(packages: Path) -> dict[str, list[str]]:
    """The tags of each drawing, named as the icon sets name it."""
    rows = json.loads((packages / "emojibase-data" / "en" / "data.json").read_text())
    return {re.sub(r"[^a-z0-9]+", "-", row["label"].lower().replace("\u2019", "")): row.get("tags", []) for row in rows}


if __name__ == "__main__":
    main()
