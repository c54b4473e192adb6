r"""The kernels behind :mod:`triton_strips`; importing this file imports triton.

One program owns a block of ``OWN`` rows C or keys B of one of the G score matrices and walks over the ``OTHER`` side::

    S = q k^T,  P = exp(S - lse)           mix_C = sum_B P k,  pull_B = sum_C P v
    T = dmix k^T + v dpull^T               rest = dlse - dmix . mix,  shift = rest - v . dv
    dv_C = sum_B P dpull                   dq_C = sum_B P (T + rest - c) k - (v . dv - c) mix,  c = v . middle
    dS = P (T + shift)                     dk_B = sum_C dS q + P dmix

Sums are float32, each in one program and in one order: no atomics, the same numbers on every run. An excluded score is
-inf, so its P is exactly 0; ``lse`` is finite even for a row without a single key, whose P is 0 throughout.
"""

# mypy: allow-incomplete-defs
from __future__ import annotations

import triton
import triton.language as tl

NEVER = tl.constexpr(-(2.0**126))  # below any score, and still finite after a sum or two


@triton.jit
def row_forward(
    q,
    k,
    absent,
    lse,
    mix,
    N,
    Y: tl.constexpr,
    D: tl.constexpr,
    MASKED: tl.constexpr,
    INCLUDE_SELF: tl.constexpr,
    PRECISION: tl.constexpr,
    OWN: tl.constexpr,
    OTHER: tl.constexpr,
):
    """``lse`` and ``mix`` of a block of rows; the sums are rescaled as the highest score so far rises."""
    group, C = _own(N, OWN)
    q_C = _load(q, group, C, N, Y, D)
    highest = tl.full([OWN], NEVER, tl.float32)
    total = tl.zeros([OWN], tl.float32)
    mixed = tl.zeros([OWN, D], tl.float32)
    for start in range(0, N, OTHER):
        B = start + tl.arange(0, OTHER)
        k_B = _load(k, group, B, N, Y, D)
        seen = _seen(absent, group, B, N, MASKED)
        s = tl.dot(q_C, tl.trans(k_B), input_precision=PRECISION)
        s = _excluded(s, C[:, None], B[None, :], seen[None, :], INCLUDE_SELF)
        higher = tl.maximum(highest, tl.max(s, 1))
        p = tl.exp(s - higher[:, None])
        rescale = tl.exp(highest - higher)
        total = total * rescale + tl.sum(p, 1)
        mixed = tl.dot(p.to(k_B.dtype), k_B, mixed * rescale[:, None], input_precision=PRECISION)
        highest = higher
    total = tl.where(total == 0, 1, total)  # nobody seen: mix is 0, lse NEVER
    tl.store(lse + group * N + C, highest + tl.log(total), mask=C < N)
    _store(mix, mixed / total[:, None], group, C, N, Y, D)


@triton.jit
def key_forward(
    q,
    k,
    v,
    absent,
    lse,
    pull,
    N,
    Y: tl.constexpr,
    D: tl.constexpr,
    MASKED: tl.constexpr,
    INCLUDE_SELF: tl.constexpr,
    PRECISION: tl.constexpr,
    OWN: tl.constexpr,
    OTHER: tl.constexpr,
):
    """``pull`` of a block of keys."""
    group, B = _own(N, OWN)
    k_B = _load(k, group, B, N, Y, D)
    seen = _seen(absent, group, B, N, MASKED)
    pulled = tl.zeros([OWN, D], tl.float32)
    for start in range(0, N, OTHER):
        C = start + tl.arange(0, OTHER)
        q_C = _load(q, group, C, N, Y, D)
        v_C = _load(v, group, C, N, Y, D)
        lse_C = tl.load(lse + group * N + C, mask=C < N, other=float("inf"))  # P of rows beyond the last is 0
        s = tl.dot(k_B, tl.trans(q_C), input_precision=PRECISION)  # S^T
        p = tl.exp(_excluded(s, C[None, :], B[:, None], seen[:, None], INCLUDE_SELF) - lse_C[None, :])
        pulled = tl.dot(p.to(v_C.dtype), v_C, pulled, input_precision=PRECISION)
    _store(pull, pulled, group, B, N, Y, D)


@triton.jit
def row_backward(
    q,
    k,
    v,
    absent,
    lse,
    mix,
    dlse,
    dmix,
    dpull,
    middle,
    dq,
    dv,
    shift,
    N,
    Y: tl.constexpr,
    D: tl.constexpr,
    MASKED: tl.constexpr,
    INCLUDE_SELF: tl.constexpr,
    PRECISION: tl.constexpr,
    OWN: tl.constexpr,
    OTHER: tl.constexpr,
):
    """``dv``, ``dq`` and ``shift`` of a block of rows in one sweep, though ``dS`` needs all of ``dv``.

    ``dq`` is blind to what all keys share, and 16 bits are not: with ``c`` close to ``v . dv`` both terms are small.
    """
    group, C = _own(N, OWN)
    q_C = _load(q, group, C, N, Y, D)
    v_C = _load(v, group, C, N, Y, D)
    dmix_C = _load(dmix, group, C, N, Y, D)
    mix_C = _load(mix, group, C, N, Y, D).to(tl.float32)
    lse_C = tl.load(lse + group * N + C, mask=C < N, other=float("inf"))
    rest = tl.load(dlse + group * N + C, mask=C < N, other=0) - tl.sum(dmix_C.to(tl.float32) * mix_C, 1)
    columns = tl.arange(0, D)
    centre = tl.load(middle + group * Y + columns, mask=columns < Y, other=0)
    c = tl.sum(v_C.to(tl.float32) * centre[None, :], 1)
    dq_C = tl.zeros([OWN, D], tl.float32)
    dv_C = tl.zeros([OWN, D], tl.float32)
    for start in range(0, N, OTHER):
        B = start + tl.arange(0, OTHER)
        k_B = _load(k, group, B, N, Y, D)
        dpull_B = _load(dpull, group, B, N, Y, D)
        seen = _seen(absent, group, B, N, MASKED)
        s = tl.dot(q_C, tl.trans(k_B), input_precision=PRECISION)
        p = tl.exp(_excluded(s, C[:, None], B[None, :], seen[None, :], INCLUDE_SELF) - lse_C[:, None])
        dv_C = tl.dot(p.to(dpull_B.dtype), dpull_B, dv_C, input_precision=PRECISION)
        t = tl.dot(dmix_C, tl.trans(k_B), input_precision=PRECISION)
        t = tl.dot(v_C, tl.trans(dpull_B), t, input_precision=PRECISION)
        dq_C = tl.dot((p * (t + (rest - c)[:, None])).to(k_B.dtype), k_B, dq_C, input_precision=PRECISION)
    own = tl.sum(v_C.to(tl.float32) * dv_C, 1)
    mix_C = _load(mix, group, C, N, Y, D).to(tl.float32)  # again: registers are what the loop is short of
    tl.store(shift + group * N + C, rest - own, mask=C < N)
    _store(dv, dv_C, group, C, N, Y, D)
    _store(dq, dq_C - (own - c)[:, None] * mix_C, group, C, N, Y, D)


@triton.jit
def key_backward(
    q,
    k,
    v,
    absent,
    lse,
    shift,
    dmix,
    dpull,
    dk,
    N,
    Y: tl.constexpr,
    D: tl.constexpr,
    MASKED: tl.constexpr,
    INCLUDE_SELF: tl.constexpr,
    PRECISION: tl.constexpr,
    OWN: tl.constexpr,
    OTHER: tl.constexpr,
):
    """``dk`` of a block of keys."""
    group, B = _own(N, OWN)
    k_B = _load(k, group, B, N, Y, D)
    dpull_B = _load(dpull, group, B, N, Y, D)
    seen = _seen(absent, group, B, N, MASKED)
    dk_B = tl.zeros([OWN, D], tl.float32)
    for start in range(0, N, OTHER):
        C = start + tl.arange(0, OTHER)
        q_C = _load(q, group, C, N, Y, D)
        v_C = _load(v, group, C, N, Y, D)
        dmix_C = _load(dmix, group, C, N, Y, D)
        lse_C = tl.load(lse + group * N + C, mask=C < N, other=float("inf"))
        shift_C = tl.load(shift + group * N + C, mask=C < N, other=0)
        s = tl.dot(k_B, tl.trans(q_C), input_precision=PRECISION)
        p = tl.exp(_excluded(s, C[None, :], B[:, None], seen[:, None], INCLUDE_SELF) - lse_C[None, :])
        dk_B = tl.dot(p.to(dmix_C.dtype), dmix_C, dk_B, input_precision=PRECISION)
        t = tl.dot(k_B, tl.trans(dmix_C), input_precision=PRECISION)
        t = tl.dot(dpull_B, tl.trans(v_C), t, input_precision=PRECISION)
        dk_B = tl.dot((p * (t + shift_C[None, :])).to(q_C.dtype), q_C, dk_B, input_precision=PRECISION)
    _store(dk, dk_B, group, B, N, Y, D)


@triton.jit
def _own(N, OWN: tl.constexpr):
    """The matrix this program works on, in 64 bits since G N Y may pass 2^31 (N Y may not), and its rows there."""
    blocks = tl.cdiv(N, OWN)
    group = tl.program_id(0) // blocks
    return group.to(tl.int64), (tl.program_id(0) % blocks) * OWN + tl.arange(0, OWN)


@triton.jit
def _load(pointer, group, rows, N, Y: tl.constexpr, D: tl.constexpr):
    """``rows`` of one ``(N, Y)`` matrix, with zeros beyond its edges up to ``D`` columns."""
    columns = tl.arange(0, D)
    inside = (rows[:, None] < N) & (columns[None, :] < Y)
    return tl.load(pointer + group * N * Y + rows[:, None] * Y + columns[None, :], mask=inside, other=0)


@triton.jit
def _store(pointer, tile, group, rows, N, Y: tl.constexpr, D: tl.constexpr):
    columns = tl.arange(0, D)
    inside = (rows[:, None] < N) & (columns[None, :] < Y)
    to = pointer + group * N * Y + rows[:, None] * Y + columns[None, :]
    tl.store(to, tile.to(pointer.dtype.element_ty), mask=inside)


@triton.jit
def _seen(absent, group, B, N, MASKED: tl.constexpr):
    """Which keys exist and are not absent; without ``MASKED`` the pointer is not read."""
    seen = B < N
    if MASKED:
        seen = tl.load(absent + group * N + B, mask=seen, other=1) == 0
    return seen


@triton.jit
def _excluded(s, C, B, seen, INCLUDE_SELF: tl.constexpr):
    """Scores with -inf where a key is not seen, or is the row's own."""
    if not INCLUDE_SELF:
        seen = seen & (C != B)
    return tl.where(seen, s, float("-inf"))
