"""Tests of the Triton kernels on the CPU; run by test_triton_strips in a process where triton interprets.

Triton decides so once, when it is first imported, and what is compiled elsewhere in the process needs the opposite.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import triton.language as tl
from torch import Tensor
from triton.runtime import interpreter

from attractor.energy.ops import strips, triton_strips

Builder = interpreter.InterpreterBuilder
FLOAT32 = {"rtol": 1e-5, "atol": 1e-5}
ROUNDING = {torch.bfloat16: 2**-8, torch.float16: 2**-11}
USED = (slice(0, 3), slice(0, 1), slice(1, 2), slice(2, 3))
RESULTS = ("lse", "mix", "pull", "dq", "dk", "dv")


@pytest.fixture(autouse=True)
def bfloat16_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter multiplies the bits of bfloat16 as if they were integers, and rounds to it by truncation."""
    dot, cast, Handle = Builder.create_dot, Builder.cast_impl, interpreter.TensorHandle

    def widened(t: interpreter.TensorHandle) -> interpreter.TensorHandle:
        if t.dtype.scalar != tl.bfloat16:
            return t
        return Handle((t.data.astype(np.uint32) << 16).view(np.float32), tl.float32)

    def rounded(self: Builder, t: interpreter.TensorHandle, to: tl.dtype) -> interpreter.TensorHandle:
        if (t.dtype.scalar, to.scalar) != (tl.float32, tl.bfloat16):
            return cast(self, t, to)
        numbers = torch.from_numpy(np.ascontiguousarray(t.data)).bfloat16()
        return Handle(numbers.view(torch.uint16).numpy(), tl.bfloat16)

    monkeypatch.setattr(Builder, "create_dot", lambda self, a, b, *rest: dot(self, widened(a), widened(b), *rest))
    monkeypatch.setattr(Builder, "cast_impl", rounded)


class Case:
    """Operands ``q, k, v (G, N, Y)``, which keys are absent, what flows back, and who computes from them."""

    def __init__(self, n: int, y: int, dtype: torch.dtype = torch.float32, groups: int = 2, scale: float = 1) -> None:
        self.q, self.k, self.v, self.dmix, self.dpull = torch.randn(5, groups, n, y).to(dtype)
        self.q *= scale * y**-0.5
        self.dlse = torch.randn(groups, n)
        self.absent: Tensor | None = None
        self.include_self = True

    def masked(self) -> Case:
        """The same with a key in five absent, every key of the last group, and what nobody sees set to zero."""
        self.absent = torch.rand(self.dlse.shape) < 0.2
        self.absent[-1] = True
        return self._silenced()

    def without_self(self) -> Case:
        self.include_self = False
        return self._silenced()

    def _silenced(self) -> Case:
        """Take from lonely rows what they say: as ``strips`` does, since only that they are finite is promised."""
        for t in (self.v, self.dmix, self.dlse.unsqueeze(-1)):
            t *= self.live.unsqueeze(-1)
        return self

    @property
    def live(self) -> Tensor:
        """Rows that see somebody, ``(G, N)``."""
        there = torch.ones_like(self.dlse, dtype=torch.bool) if self.absent is None else ~self.absent
        others = there.sum(-1, keepdim=True) - there.long()
        return others + (there if self.include_self else 0) > 0

    def by(self, align, gradient, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
        """All six results, in ``dtype`` if any; those of lonely rows are 0."""
        q, k, v, dmix, dpull, dlse = (
            t if dtype is None else t.to(dtype) for t in (self.q, self.k, self.v, self.dmix, self.dpull, self.dlse)
        )
        operands = (q, k, v, self.absent, self.include_self)
        lse, mix, pull = align(*operands)
        results = (lse, mix, pull, *gradient(*operands, lse, mix, dlse, dmix, dpull))
        assert all(t.isfinite().all() for t in results)
        lonely = ~self.live
        for i in (0, 1, 5):  # of these, and these only, a lonely row has a part of its own
            results[i][lonely] = 0
        return dict(zip(RESULTS, results, strict=True))

    def by_kernels(self) -> dict[str, Tensor]:
        return self.by(triton_strips.align, triton_strips.gradient)

    def by_blocks(self, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
        return self.by(strips._align, strips._gradient, dtype)


VARIANTS = {
    "all": lambda case: case,
    "others": Case.without_self,
    "masked": Case.masked,
    "masked-others": lambda case: case.masked().without_self(),
}


def check(case: Case) -> None:
    mine, blocks = case.by_kernels(), case.by_blocks()
    for name in RESULTS:
        one, other = mine[name], blocks[name]
        assert one.dtype == other.dtype
        if case.q.dtype == torch.float32:
            torch.testing.assert_close(one, other, **FLOAT32, msg=lambda m, name=name: f"{name}: {m}")
        else:
            assert (one - other).float().norm() <= 4 * ROUNDING[case.q.dtype] * other.float().norm(), name


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("n", "y"), [(1, 4), (2, 16), (17, 80), (65, 64)])
def test_equals_the_blocks(n: int, y: int, variant: str) -> None:
    check(VARIANTS[variant](Case(n, y)))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize(("n", "y"), [(17, 80), (65, 4)])
def test_equals_the_blocks_in_16_bits(n: int, y: int, dtype: torch.dtype, variant: str) -> None:
    check(VARIANTS[variant](Case(n, y, dtype)))


@pytest.mark.parametrize("dtype", [torch.float32, *ROUNDING])
@pytest.mark.parametrize(("n", "y"), [(130, 16), (33, 100), (33, 256)])
def test_every_tiling_and_more_than_one_block_of_it(n: int, y: int, dtype: torch.dtype) -> None:
    check(Case(n, y, dtype).masked().without_self())


@pytest.mark.parametrize("mean", [0, 3])
@pytest.mark.parametrize("dtype", ROUNDING)
def test_16_bits_lose_no_more_than_the_blocks(dtype: torch.dtype, mean: float) -> None:
    """Or not much: where keys have much in common, ``dq``, which is blind to that, is a difference of large numbers."""
    case = Case(200, 8, dtype, groups=1, scale=0.3)
    for t in (case.k, case.v, case.dmix, case.dpull):
        t += mean
    mine, blocks, exact = case.by_kernels(), case.by_blocks(), case.by_blocks(torch.float64)
    for name in RESULTS:
        assert (mine[name] - exact[name]).norm() < (2.5 if mean else 1.2) * (blocks[name] - exact[name]).norm(), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_survives_scores_that_overflow_the_exponential(variant: str) -> None:
    """Scores to 400: lse is good to 2^-16, and P = exp(S - lse) to as much."""
    case = VARIANTS[variant](Case(65, 16, scale=100))
    mine, exact = case.by_kernels(), case.by_blocks(torch.float64)
    for name in RESULTS:
        error = (mine[name] - exact[name]).norm() / exact[name].norm()
        assert error < 1e-4, name


def test_twice_the_same_numbers() -> None:
    case = Case(130, 16, torch.bfloat16).masked()
    one, two = case.by_kernels(), case.by_kernels()
    assert all(torch.equal(one[name], two[name]) for name in RESULTS)


def test_operands_in_any_layout() -> None:
    case = Case(17, 4)
    expected = case.by_kernels()
    for name in ("q", "k", "v", "dmix", "dpull"):
        setattr(case, name, getattr(case, name).mT.contiguous().mT)
    found = case.by_kernels()
    assert all(torch.equal(found[name], expected[name]) for name in RESULTS)


@pytest.mark.parametrize("variant", ["all", "masked-others"])
def test_through_autograd(variant: str) -> None:
    """``strips`` with its gradients when the operators are the kernels', as they are on a GPU."""
    tokens = torch.tensor([[1, 1, 1, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]).bool() if "masked" in variant else None
    q, k = torch.randn(2, 3, 2, 5, 4).unbind(0)
    upstream = torch.randn(3, 2, 5), *torch.randn(2, 3, 2, 5, 4)

    def results() -> list[Tensor]:
        leaves = q.clone().requires_grad_(), k.clone().requires_grad_()
        parts = strips.strips(*leaves, tokens, "others" not in variant)
        found = [torch.autograd.grad(parts[s], leaves, upstream[s], retain_graph=True) for s in USED]
        gradient = torch.autograd.grad(parts[0].sum(), leaves, create_graph=True)
        return [*parts, *sum(found, ()), *torch.autograd.grad(sum(g.square().sum() for g in gradient), leaves)]

    expected = results()
    with torch.library._scoped_library("attractor", "IMPL") as library:
        library.impl("align", lambda *operands: triton_strips.align(*operands[:5]), "CPU")
        library.impl("align_gradient", triton_strips.gradient, "CPU")
        found = results()
    torch.testing.assert_close(found, expected, **FLOAT32)
