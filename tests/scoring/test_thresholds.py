"""Thresholds and node metrics against scikit-learn, decision by decision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from attractor.errors import InputError
from attractor.scoring.thresholds import GRID, best_threshold, macro_f1, node_metrics

probabilities = st.floats(0, 1) | st.sampled_from(GRID.tolist())
labelled = st.lists(st.tuples(st.integers(0, 1), probabilities), min_size=2, max_size=40).filter(
    lambda rows: {label for label, _ in rows} == {0, 1}
)


@settings(max_examples=30)
@given(labelled)
def test_metrics_and_grid_equal_scikit_learn(rows):
    y, p = map(np.array, zip(*rows, strict=True))
    slow = [theirs.f1_score(y, p > threshold, average="macro", zero_division=0) for threshold in GRID]
    assert macro_f1(y, p, GRID) == pytest.approx(np.array(slow))
    threshold = best_threshold(y, p)
    found = node_metrics(y, p, threshold)
    assert found["macro_f1"] == pytest.approx(max(slow))
    assert found["auc"] == pytest.approx(theirs.roc_auc_score(y, p))
    assert found["ap"] == pytest.approx(theirs.average_precision_score(y, p))
    assert found["precision"] == pytest.approx(theirs.precision_score(y, p > threshold, zero_division=0))
    assert found["recall"] == pytest.approx(theirs.recall_score(y, p > threshold))


def test_the_grid_is_the_published_one():
    assert [round(float(t), 2) for t in GRID] == [round(0.05 * i, 2) for i in range(1, 20)]


def test_of_equally_good_thresholds_the_middle_one_is_taken():
    assert best_threshold([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == 0.5  # 0.20 to 0.75 part them
    assert best_threshold([0, 1], [0.62, 0.78]) == 0.7  # 0.65, 0.70, 0.75
    assert best_threshold([0, 1], [0.5, 0.5]) in GRID


@pytest.mark.parametrize(
    ("y", "p", "reason"),
    [([1, 1], [0.1, 0.2], "both 0"), ([0, 1], [0.1, np.nan], "not finite"), ([0, 1], [0.1], "differ in shape")],
)
def test_degenerate_input_is_refused(y, p, reason):
    with pytest.raises(InputError, match=reason):
        best_threshold(y, p)
    with pytest.raises(InputError, match=reason):
        node_metrics(y, p, 0.5)
