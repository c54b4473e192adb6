"""The reconstruction energy against the golden arrays, and on every kind of image."""

import numpy as np
import pytest
import torch

from attractor.errors import InputError
from attractor.scoring.reconstruction import _terms, reconstruction_energy


@pytest.mark.parametrize(("precision", "rtol"), [("f64", 1e-9), ("f32", 1e-4)])
def test_golden(golden, precision, rtol):
    arrays = golden(f"e_selyne_tiny_{precision}")
    recon = torch.from_numpy(arrays["recon"])
    x = torch.from_numpy(arrays["x"]).to(recon)
    terms, energy = _terms(x, recon), reconstruction_energy(x, recon)
    np.testing.assert_allclose(terms, arrays["score_components"], rtol=rtol)
    np.testing.assert_allclose(energy, arrays["score_diaphone"], rtol=rtol)
    np.testing.assert_allclose(energy.mean(), arrays["compute_loss"], rtol=rtol)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (33, 20), (5, 7), (1, 9), (1, 1)])
def test_any_size(channels, size):
    x, r = torch.rand(2, channels, *size), torch.rand(2, channels, *size)
    terms = _terms(x, r)
    assert terms.shape == (2, 4)
    assert terms.isfinite().all()
    assert (terms[:, [0, 2]] > 0).all()
    torch.testing.assert_close(terms.sum(1), reconstruction_energy(x, r))
    torch.testing.assert_close(terms[1:], _terms(x[1:], r[1:]))


def test_it_is_zero_only_for_the_same_image():
    x = torch.rand(3, 3, 16, 16)
    assert reconstruction_energy(x, x).tolist() == [0, 0, 0]
    assert (reconstruction_energy(x, x.flip(-1)) > 0).all()


def test_total_variation_of_a_known_image():
    x, r = torch.zeros(1, 1, 2, 3), torch.zeros(1, 1, 2, 3)
    x[0, 0, 0, 0] = 6.0  # one of 3 vertical and one of 4 horizontal differences
    squares, variation, *_ = _terms(x, r)[0]
    assert variation == pytest.approx(6 / 3 + 6 / 4)
    assert squares == pytest.approx(6.0)


def test_gradcheck():
    x, r = torch.rand(2, 1, 5, 6, dtype=torch.float64), torch.rand(2, 1, 5, 6, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda r: reconstruction_energy(x, r), r.requires_grad_())


def test_a_gradient_of_a_perfect_reconstruction_is_finite():
    x = torch.zeros(1, 1, 8, 8)
    r = x.clone().requires_grad_()
    reconstruction_energy(x, r).sum().backward()
    assert r.grad is not None and r.grad.isfinite().all()


def test_half_precision_is_summed_in_float32():
    x = torch.rand(2, 3, 16, 16)
    energy = reconstruction_energy(x, x.flip(-1).bfloat16())
    assert energy.dtype == torch.float32
    torch.testing.assert_close(energy, reconstruction_energy(x, x.flip(-1)), rtol=2e-2, atol=0)


@pytest.mark.parametrize("shape", [(2, 3, 8, 9), (2, 1, 8, 8), (3, 8, 8)])
def test_shapes_that_differ_are_refused(shape):
    with pytest.raises(InputError, match="resize"):
        reconstruction_energy(torch.rand(2, 3, 8, 8), torch.rand(shape))
