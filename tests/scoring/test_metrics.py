"""Metrics against scikit-learn and against slow, exact versions written out."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import norm
from sklearn import metrics as theirs

from attractor.errors import InputError
from attractor.scoring import metrics
from attractor.scoring.metrics import image_metrics, pixel_metrics, roc_interval

labelled = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-4, 4) | st.floats(-9, 9)), min_size=2, max_size=60
).filter(lambda rows: {label for label, _ in rows} == {0, 1})


def draw(normal: int, anomalous: int, shift: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat([0, 1], [normal, anomalous])
    return labels, np.random.default_rng(seed).normal(size=len(labels)) + shift * labels


@settings(max_examples=40)
@given(labelled)
def test_image_metrics_equal_scikit_learn(rows):
    y, s = map(np.array, zip(*rows, strict=True))
    found = image_metrics(y, s, s > 0, bootstrap=5)
    assert found["auroc"] == pytest.approx(theirs.roc_auc_score(y, s))
    assert found["ap"] == pytest.approx(theirs.average_precision_score(y, s))
    assert found["f1"] == pytest.approx(theirs.f1_score(y, s > 0, zero_division=0))
    assert found["precision"] == pytest.approx(theirs.precision_score(y, s > 0, zero_division=0))
    assert found["recall"] == pytest.approx(theirs.recall_score(y, s > 0))
    assert found["false_alarm_rate"] == pytest.approx((s[y == 0] > 0).mean())
    best = max(theirs.f1_score(y, s >= value, zero_division=0) for value in s)
    assert found["oracle_f1"] == pytest.approx(best)
    assert theirs.f1_score(y, s >= found["oracle_threshold"], zero_division=0) == pytest.approx(best)


def test_without_decisions_there_are_no_calibrated_metrics():
    found = image_metrics(*draw(20, 20), bootstrap=10)
    assert set(found) == {"auroc", "auroc_interval", "ap", "oracle_f1", "oracle_threshold"}
    assert all(type(value) is float for name, value in found.items() if name != "auroc_interval")


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    truth = norm.cdf(1 / np.sqrt(2))
    intervals = [image_metrics(*draw(60, 60, seed=seed), bootstrap=200)["auroc_interval"] for seed in range(200)]
    covered = np.mean([low <= truth <= high for low, high in intervals])
    assert 0.89 <= covered <= 0.99


def test_the_interval_equals_a_plain_bootstrap():
    y, s = draw(40, 30)
    generator = np.random.default_rng(1)
    picks = [np.concatenate([generator.choice(40, 40), 40 + generator.choice(30, 30)]) for _ in range(600)]
    plain = np.quantile([theirs.roc_auc_score(y[pick], s[pick]) for pick in picks], [0.025, 0.975])
    np.testing.assert_allclose(image_metrics(y, s, bootstrap=4000)["auroc_interval"], plain, atol=0.02)


def test_blocks_change_nothing_and_the_seed_fixes_the_interval(monkeypatch):
    data = draw(50, 50)
    first = image_metrics(*data, bootstrap=300, seed=4)
    assert first == image_metrics(*data, bootstrap=300, seed=4)
    assert first["auroc_interval"] != image_metrics(*data, bootstrap=300, seed=5)["auroc_interval"]
    monkeypatch.setattr(metrics, "BLOCK", 1000)
    blocks = [tpr.shape for _, tpr in metrics._resampled(np.ones(100, int), np.ones(100, int), 12, 0)]
    assert blocks == [(5, 101), (5, 101), (2, 101)]
    np.testing.assert_allclose(
        image_metrics(*data, bootstrap=300, seed=4)["auroc_interval"], first["auroc_interval"], atol=0.02
    )


def test_the_bootstrap_of_eight_thousand_scores_takes_seconds():
    data, start = draw(800, 7200), time.process_time()
    low, high = image_metrics(*data)["auroc_interval"]
    assert time.process_time() - start < 10
    assert 0 < high - low < 0.05


@pytest.mark.parametrize(
    ("labels", "scores", "reason"),
    [
        ([0, 0], [1, 2], "both 0"),
        ([1, 1], [1, 2], "both 0"),
        ([0, 2], [1, 2], "both 0"),
        ([0, 1], [1, np.nan], "1 scores are not finite"),
        ([0, 1, 1], [1, 2], "differ in shape"),
        ([], [], "both 0"),
    ],
)
def test_degenerate_input_is_refused(labels, scores, reason):
    for measure in (image_metrics, roc_interval):
        with pytest.raises(InputError, match=reason):
            measure(labels, scores)


def test_decisions_of_another_length_are_refused():
    with pytest.raises(InputError, match="decisions"):
        image_metrics([0, 1], [1, 2], [True])


def test_roc_band_holds_the_curve_and_its_area():
    y, s = draw(300, 200)
    fpr, tpr, low, high = roc_interval(y, s, bootstrap=300)
    assert fpr.shape == tpr.shape == low.shape == high.shape == (201,)
    inner = slice(5, 195)
    assert (low <= tpr)[inner].all() and (tpr <= high)[inner].all()
    assert (high - low)[inner].mean() > 0.03
    assert theirs.auc(fpr, tpr) == pytest.approx(theirs.roc_auc_score(y, s), abs=0.005)
    their_fpr, their_tpr, _ = theirs.roc_curve(y, s, drop_intermediate=False)
    np.testing.assert_allclose(tpr, np.interp(fpr, their_fpr, their_tpr))


def slow_aupro(masks: list[np.ndarray], heats: list[np.ndarray], limit: float) -> float:
    """Every threshold, every region, one at a time."""
    values = np.unique(np.concatenate([heat.ravel() for heat in heats]))[::-1]
    rates, overlaps = [0.0], [0.0]
    for value in values:
        found, false, normal = [], 0, 0
        for mask, heat in zip(masks, heats, strict=True):
            regions, count = ndimage.label(mask, structure=np.ones((3, 3)))
            found += [(heat >= value)[regions == r].mean() for r in range(1, count + 1)]
            false, normal = false + (heat >= value)[~mask].sum(), normal + (~mask).sum()
        rates.append(false / normal)
        overlaps.append(np.mean(found))
    x = np.unique(np.append(np.linspace(0, limit, 200_001), [r for r in rates if r <= limit]))
    return theirs.auc(x, np.interp(x, rates, overlaps)) / limit


def pictures(count: int, seed: int, levels: int | None = None) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Masks with a large and a small defect, or none, and heat that more or less finds them; sizes differ."""
    generator = np.random.default_rng(seed)
    masks, heats = [], []
    for i in range(count):
        mask = np.zeros((20 + i, 24), dtype=bool)
        if i % 3:
            mask[2:9, 3:9] = mask[15, 15] = mask[16, 16] = True
        heat = (generator.normal(size=mask.shape) + 1.5 * mask).astype(np.float32)
        masks.append(mask)
        heats.append(heat if levels is None else np.round(heat * levels) / levels)
    return masks, heats


@pytest.mark.parametrize("levels", [None, 2])
@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_pixel_metrics_are_exact_on_small_sets(levels, limit):
    masks, heats = pictures(4, 0, levels)
    found = pixel_metrics(masks, heats, limit)
    y, s = (np.concatenate([a.ravel() for a in arrays]) for arrays in (masks, heats))
    assert found["pixel_auroc"] == pytest.approx(theirs.roc_auc_score(y, s))
    assert found["aupro"] == pytest.approx(slow_aupro(masks, heats, limit), abs=2e-5)


def test_thresholds_by_quantile_stay_close(monkeypatch):
    masks, heats = pictures(30, 1)
    exact = pixel_metrics(masks, heats)
    monkeypatch.setattr(metrics, "THRESHOLDS", 2**10)
    monkeypatch.setattr(metrics, "SAMPLE", 2**12)
    assert len(metrics._thresholds(masks, heats)) <= 2**10
    for name, value in pixel_metrics(masks, heats).items():
        assert value == pytest.approx(exact[name], abs=1e-3)


def test_each_defect_counts_the_same_whatever_its_size():
    mask = np.zeros((40, 40), dtype=bool)
    mask[:20, :20] = mask[30, 30] = mask[31, 31] = True  # corners touch: one region
    large, small = np.zeros((2, 40, 40))
    large[:20, :20] = small[30:32, 30:32] = 1
    assert pixel_metrics([mask], [large])["aupro"] == pytest.approx(0.5 + 0.5 * 0.15, abs=0.01)
    assert pixel_metrics([mask], [small])["aupro"] == pytest.approx(0.5 + 0.5 * 0.15, abs=0.01)


def test_a_perfect_map_gets_one_and_an_inverted_one_nothing():
    masks, _ = pictures(3, 0)
    assert pixel_metrics(masks, [mask.astype(float) for mask in masks]) == {"pixel_auroc": 1.0, "aupro": 1.0}
    found = pixel_metrics(masks, [1.0 - mask for mask in masks])
    assert found["pixel_auroc"] == 0
    assert found["aupro"] == 0


def test_bad_maps_are_refused():
    masks, heats = pictures(3, 0)
    for bad_masks, bad_heats, reason in (
        (masks, [*heats[:2], heats[2] * np.nan], "heat map 2 "),
        (masks, [heats[0], heats[1].T, heats[2]], "heat map 1 "),
        (masks[:2], heats, "2 masks for 3"),
        ([], [], "0 masks"),
        ([np.zeros_like(mask) for mask in masks], heats, "no defect"),
        ([np.ones_like(mask) for mask in masks], heats, "no normal pixel"),
    ):
        with pytest.raises(InputError, match=reason):
            pixel_metrics(bad_masks, bad_heats)
