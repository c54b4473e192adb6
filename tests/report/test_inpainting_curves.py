"""The training curves of an in-painter, with and without validation images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attractor.errors import InputError
from attractor.report import write_inpainting_figure
from attractor.report.inpainting_curves import curves

HISTORY = [
    {"epoch": e, "lr": 0.1, "seconds": 1.0, "train_mse": 1 / e, "val_psnr_random": 10 + e, "val_psnr_block": 9.0 + e}
    for e in range(1, 5)
]


def test_curves_show_the_numbers() -> None:
    top, bottom = curves(HISTORY).axes
    np.testing.assert_allclose(top.lines[0].get_ydata(), [1 / e for e in range(1, 5)])
    assert {line.get_label(): list(line.get_ydata()) for line in bottom.lines} == {
        "half of the patches": [11, 12, 13, 14],
        "central block": [10, 11, 12, 13],
    }
    assert len(curves([{"epoch": 1, "train_mse": 0.5}]).axes) == 1


def test_the_figure_is_written_and_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    path = write_inpainting_figure(HISTORY, tmp_path / "run")
    assert np.ptp(np.asarray(Image.open(path).convert("L"))) > 100
    assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(InputError, match="at least one epoch"):
        write_inpainting_figure([], tmp_path)
