"""The first command a newcomer runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import run


def test_the_demo_finds_fills_in_and_reports(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    done = run("demo", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    ours, baseline = map(float, re.search(r"AUROC: attractor (\S+),.* (\S+)\n", done.stdout).groups())
    assert ours > baseline + 0.2
    flagged, found = re.search(r"flagged: (\S+) % of the normal images .*, (\S+) % of the anom", done.stdout).groups()
    assert float(flagged) <= 5 and float(found) > 15  # 1 % is asked for; 4 or more of 60 have a probability of 0.3 %
    for page in ("report/index.html", "descent/index.html"):
        assert (tmp_path / page).stat().st_size > 10_000 and str(tmp_path / page) in done.stdout
    assert (tmp_path / "descent" / "descent.gif").exists() and (tmp_path / "detector" / "model.safetensors").exists()
