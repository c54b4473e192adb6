"""The latent Gaussian against scikit-learn, the golden arrays and bad input."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save
from sklearn.covariance import LedoitWolf

from attractor.errors import InputError
from attractor.scoring.gaussian import MAX_CONDITION, LatentGaussian


def fitted(features: torch.Tensor, chunk: int = 64) -> LatentGaussian:
    gaussian = LatentGaussian(features.shape[1])
    for batch in features.split(chunk):
        gaussian.update(batch)
    return gaussian.finish()


def covariance(gaussian: LatentGaussian) -> np.ndarray:
    return (gaussian.cholesky @ gaussian.cholesky.T).numpy()


@pytest.mark.parametrize("name", ["well", "ill", "constant_dims"])
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_golden_float64(golden, name, chunk):
    arrays = golden(f"e_mahalanobis_{name}")
    gaussian = fitted(torch.from_numpy(arrays["features"]), chunk)
    np.testing.assert_allclose(gaussian.mean, arrays["mean_f64"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gaussian.shrinkage, arrays["lw_shrinkage_f64"], rtol=1e-9)
    np.testing.assert_allclose(gaussian.condition, arrays["condition_number_f64"], rtol=1e-8)
    assert (gaussian.condition > MAX_CONDITION) == bool(arrays["regularised_f64"])
    inverse, wanted = torch.cholesky_inverse(gaussian.cholesky).numpy(), arrays["cov_inv_f64"]
    np.testing.assert_allclose(inverse, wanted, rtol=1e-9, atol=1e-9 * abs(wanted).max())
    scores = gaussian.score(torch.from_numpy(arrays["test"]))
    assert scores.dtype == torch.float64
    np.testing.assert_allclose(scores, arrays["distances_f64"], rtol=1e-9)


@pytest.mark.parametrize("name", ["well", "ill", "constant_dims"])
def test_golden_float32(golden, name):
    """The published numbers, which were computed in float32 throughout."""
    arrays = golden(f"e_mahalanobis_{name}")
    gaussian = fitted(torch.from_numpy(arrays["features"]))
    assert (gaussian.condition > MAX_CONDITION) == bool(arrays["regularised"])
    scores = gaussian.score(torch.from_numpy(arrays["test"]))
    np.testing.assert_allclose(scores, arrays["distances"], rtol=1e-5)


@given(
    samples=st.integers(3, 60),
    dim=st.integers(1, 12),
    chunk=st.integers(1, 60),
    offset=st.sampled_from([0.0, -3.0, 1e4]),
    seed=st.integers(0, 999),
)
def test_equals_scikit_learn(samples, dim, chunk, offset, seed):
    generator = np.random.default_rng(seed)
    x = generator.standard_t(5, (samples, dim)) @ generator.normal(size=(dim, dim)) + offset
    gaussian, theirs = fitted(torch.from_numpy(x), chunk), LedoitWolf().fit(x)
    np.testing.assert_allclose(gaussian.shrinkage, theirs.shrinkage_, rtol=1e-9, atol=1e-12)
    if gaussian.condition <= MAX_CONDITION:
        scale = abs(theirs.covariance_).max()
        np.testing.assert_allclose(covariance(gaussian), theirs.covariance_, rtol=1e-9, atol=1e-9 * scale)


def test_a_first_batch_far_from_the_rest_costs_no_digits():
    x = np.random.default_rng(0).normal(size=(500, 6))
    x[:2] += 1e4
    np.testing.assert_allclose(fitted(torch.from_numpy(x), 2).shrinkage, LedoitWolf().fit(x).shrinkage_, rtol=1e-9)


def test_float32_features_with_an_offset_are_scored_in_float64():
    x = torch.randn(200, 5) + 1e4
    reference = LedoitWolf().fit(x.double().numpy())
    np.testing.assert_allclose(fitted(x).score(x), reference.mahalanobis(x.double().numpy()), rtol=1e-8)


def test_what_it_holds_does_not_grow_with_the_samples():
    gaussian = LatentGaussian(4)
    held = []
    for _ in range(3):
        gaussian.update(torch.randn(50, 4))
        held.append(sum(t.numel() for t in gaussian._moments if isinstance(t, torch.Tensor)))
    assert held == [4 * 4 + 4 + 4 + 1] * 3


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-8])
def test_two_samples_lift_a_singular_covariance_at_any_scale(scale):
    x = scale * torch.tensor([[0.0, 0, 1], [1, 2, 3]], dtype=torch.float64)
    gaussian = fitted(x)
    assert gaussian.condition > MAX_CONDITION
    assert np.linalg.cond(covariance(gaussian)) == pytest.approx(1e6, rel=1e-3)
    torch.testing.assert_close(gaussian.score(x), torch.ones(2).double(), rtol=1e-3, atol=0)


def test_some_constant_features_leave_a_finite_score():
    x = torch.randn(50, 4)
    x[:, 2] = 0.1
    scores = fitted(x).score(torch.cat([x, x + torch.eye(4)[2]]))
    assert scores.isfinite().all()
    assert scores[50:].min() > scores[:50].mean()


@pytest.mark.parametrize("value", [0.0, 0.7, 1e4, -1e-9])  # 7 times 0.7 rounds
def test_samples_that_are_all_the_same_are_refused(value):
    with pytest.raises(InputError, match="all 30 feature rows are the same"):
        fitted(torch.full((30, 4), value, dtype=torch.float64), 7)


@pytest.mark.parametrize("samples", [0, 1])
def test_too_few_samples_are_refused(samples):
    gaussian = LatentGaussian(4)
    gaussian.update(torch.randn(samples, 4))
    with pytest.raises(InputError, match=f"it got {samples}"):
        gaussian.finish()


def test_bad_features_are_refused_and_leave_the_fit_alone():
    gaussian, x = LatentGaussian(4), torch.randn(40, 4)
    with pytest.raises(InputError, match="not fitted"):
        gaussian.score(x)
    gaussian.update(x)
    for bad in (x / 0, x[:, :3]):
        with pytest.raises(InputError):
            gaussian.update(bad)
    gaussian.finish()
    for bad in (x / 0, x[:, :3]):
        with pytest.raises(InputError):
            gaussian.score(bad)
    torch.testing.assert_close(gaussian.score(x), fitted(x).score(x))


def test_a_batch_after_finish_begins_a_new_fit():
    gaussian, first, second = LatentGaussian(3), torch.randn(30, 3), torch.randn(30, 3) + 5
    for x in (first, second):
        gaussian.update(x)
        gaussian.finish()
    assert gaussian.count == 30
    torch.testing.assert_close(gaussian.score(first), fitted(second).score(first))


def test_the_state_dict_is_all_that_scores():
    x = torch.randn(30, 3)
    gaussian, other = fitted(x), LatentGaussian(3)
    other.load_state_dict(load(save(gaussian.state_dict())))
    assert torch.equal(other.score(x), gaussian.score(x))
    assert (other.count, other.shrinkage, other.condition) == (30, gaussian.shrinkage, gaussian.condition)


def test_the_score_is_differentiable_and_its_gradient_is_the_whitened_way_to_the_mean():
    gaussian, x = fitted(torch.randn(30, 3)), torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(gaussian.score(x).sum(), x)
    wanted = 2 * (x - gaussian.mean) @ torch.cholesky_inverse(gaussian.cholesky)
    torch.testing.assert_close(gradient, wanted.detach())
