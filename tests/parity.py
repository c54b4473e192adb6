"""Comparison with the golden arrays, under either implementation of attention."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from attractor.energy.ops import attention

IMPLEMENTATIONS = {"explicit": attention.explicit, "fused": attention.fused}
PRECISIONS = {"f32": torch.float32, "f64": torch.float64}

Arrays = dict[str, np.ndarray]


@contextmanager
def attention_by(name: str) -> Iterator[None]:
    """Compute every softmax attention by one implementation, whatever the size and the device."""
    chosen = IMPLEMENTATIONS[name]
    with mock.patch.multiple(attention, explicit=chosen, fused=chosen):
        yield


def load_golden(module: nn.Module, arrays: Arrays, dtype: torch.dtype) -> nn.Module:
    """The module in evaluation mode and ``dtype``, with the weights ``sd/<name>``, which must be its own names."""
    weights = {name.removeprefix("sd/"): torch.from_numpy(a) for name, a in arrays.items() if name.startswith("sd/")}
    module.load_state_dict(weights)
    return module.eval().to(dtype)


def assert_golden(actual: Tensor, expected: np.ndarray, what: str, scale: float = 0.0) -> None:
    """Equal within the tolerances of the golden files; ``scale`` is a size below which numbers count as zero."""
    rtol, atol = (1e-9, 1e-9) if actual.dtype == torch.float64 else (1e-4, 1e-5)
    reference = torch.from_numpy(np.asarray(expected)).to(actual.dtype)
    zero = atol * max(float(reference.abs().max()), scale)
    torch.testing.assert_close(actual.detach(), reference, rtol=rtol, atol=zero, msg=lambda m: f"{what}: {m}")


def assert_golden_gradients(module: nn.Module, arrays: Arrays) -> None:
    """Every parameter has the gradient ``grad/<name>`` or its norm ``gradnorm/<name>``, and none is left over."""
    expected = {name for name in arrays if name.startswith(("grad/", "gradnorm/"))}
    # Some gradients are zero in theory; there, rounding is measured by the gradients of the whole module.
    scale = 1e-2 * max(float(np.abs(arrays[name]).max()) for name in expected)
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        for key, value in {f"grad/{name}": parameter.grad, f"gradnorm/{name}": parameter.grad.norm()}.items():
            if key in expected:
                assert_golden(value, arrays[key], key, scale)
                expected.remove(key)
    assert not expected


def assert_golden_module(module: nn.Module, arrays: Arrays, dtype: torch.dtype) -> None:
    """Output, and gradients of ``mean(y^2)`` with respect to the input and every parameter, are the golden ones."""
    load_golden(module, arrays, dtype)
    x = torch.from_numpy(arrays["x"]).to(dtype).requires_grad_()
    y = module(x)
    y.square().mean().backward()
    assert_golden(y, arrays["y"], "y")
    assert_golden(x.grad, arrays["grad_x"], "grad_x")
    assert_golden_gradients(module, arrays)
