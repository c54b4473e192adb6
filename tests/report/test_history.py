"""The four figures of a training run."""

import matplotlib
import numpy as np
import pytest
from PIL import Image

from attractor.errors import InputError
from attractor.report import write_training_figures
from attractor.report.history import _table, contributions, convergence


@pytest.mark.parametrize("epochs", [1, 5])
def test_four_figures_as_png_and_pdf(history, tmp_path, epochs):
    paths = write_training_figures(history[:epochs], tmp_path / "new" / "folder")
    assert len(paths) == 4
    for path in paths:
        assert np.ptp(np.asarray(Image.open(path).convert("L"))) > 100
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert len(list(paths[0].parent.iterdir())) == 8


def test_shares_fill_the_loss(history):
    axes = contributions(_table(history)).axes[0]
    heights = np.array([bar.get_height() for bar in axes.patches]).reshape(3, 5)
    np.testing.assert_allclose(heights, np.repeat([[0.25], [0.5], [0.25]], 5, axis=1))


def test_convergence_is_the_distance_to_the_best_epoch(history):
    top, bottom = convergence(_table(history)).axes
    np.testing.assert_allclose(top.lines[0].get_ydata(), [100 * (5 / e - 1) for e in range(1, 6)])
    np.testing.assert_allclose(bottom.lines[0].get_ydata(), [40, 30, 20, 10, 0], atol=1e-9)


def test_bad_history_is_refused_in_one_line(history, tmp_path):
    with pytest.raises(InputError, match="empty: train for at least one epoch"):
        write_training_figures([], tmp_path)
    del history[2]["val_accuracy"]
    with pytest.raises(InputError, match="lacks val_accuracy: pass"):
        write_training_figures(history, tmp_path)


def test_drawing_leaves_the_settings_of_matplotlib_alone(history):
    def settings():
        return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}

    before = settings()
    contributions(_table(history))
    assert settings() == before
