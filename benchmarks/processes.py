"""Measurements that each take a process of their own, so that memory is that of one alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any


def each_alone(script: str, values: Sequence[int]) -> list[dict[str, Any]]:
    """What ``script --one VALUE`` prints as JSON, for every value in turn."""
    rows: list[dict[str, Any]] = []
    for value in values:
        done = subprocess.run([sys.executable, script, "--one", str(value)], stdout=subprocess.PIPE, check=True)
        rows.append(json.loads(done.stdout))
        print(rows[-1], flush=True)
    return rows
