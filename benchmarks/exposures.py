"""How many magnetic tiles to test are among those to train on, in another exposure, as results/exposures.json.

    python benchmarks/exposures.py --data DIR

Every tile was photographed up to six times. The names say in which exposure and with which number, and the numbers of
one tile follow each other, exposures rising: a new tile begins where they do not, or after a gap. A detector can tell a
good tile for one it has seen. By names alone; nothing is chosen by these figures.
"""

from __future__ import annotations

import argparse
import re
from itertools import pairwise
from pathlib import Path

from attractor.data.sets.one_class import one_class_splits
from attractor.errors import InputError
from attractor.files import write_json
from attractor.provenance import provenance

NAME = re.compile(r"exp(\d+)_num_(\d+)")
GAP = 1500  # between the numbers of two tiles, at the least; from 1,000 to 100,000 it makes no difference
RESULT = Path(__file__).parents[1] / "results" / "exposures.json"

Image = tuple[int, int]  # number and exposure


def tiles(images: set[Image]) -> dict[Image, int]:
    """Which tile every image is of."""
    ordered = sorted(images)
    found, tile = dict.fromkeys(ordered[:1], 0), 0
    for (number, exposure), image in pairwise(ordered):
        tile += image[1] <= exposure or image[0] - number > GAP
        found[image] = tile
    return found


def named(path: str) -> Image:
    """Number and exposure."""
    match = NAME.search(path)
    if not match:
        raise InputError(f"{path} is not named by exposure and number; give the set as it was published")
    return int(match[2]), int(match[1])


def main() -> None:
    """Parse, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    [split] = one_class_splits("magnetic-tile", arguments.data)
    train = [named(path) for path in split.train.names]
    test = [named(path) for path in split.test.source.names]
    tile = tiles({*train, *test})
    seen = {tile[image] for image in train}
    rows: dict[str, dict[str, int]] = {}
    for image, category, odd in zip(test, split.test.categories, split.test.labels, strict=True):
        row = rows.setdefault(category if odd else "good", {"images": 0, "seen": 0})
        row["images"] += 1
        row["seen"] += tile[image] in seen
    known = {"name": "magnetic-tile", "command": "python benchmarks/exposures.py --data DIR", "gap": GAP, "rows": rows}
    write_json(arguments.output, {**known, **provenance()})
    print(rows)


if __name__ == "__main__":
    main()
