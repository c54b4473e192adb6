"""Alignment along the edges of a graph: each token's softmax runs over its neighbours, and nothing else is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from attractor.energy.ops import edges_blocks, edges_threads
from attractor.energy.ops.edge_products import torch_dots, torch_softmax, torch_sums
from attractor.energy.ops.precision import at_least_float32
from attractor.energy.ops.strips import no_further

if TYPE_CHECKING:
    from attractor.energy.edges import Edges

Parts = tuple[Tensor, Tensor, Tensor]

# Two operators of their own, as in strips: threads on the CPU, blocks of edges on every other device.
OPERANDS = "Tensor q, Tensor k, Tensor v, Tensor indptr, Tensor indices, Tensor seen_indptr, Tensor seen_indices"
RESULTS = "(Tensor, Tensor, Tensor)"
torch.library.define("attractor::align_edges", f"({OPERANDS}) -> {RESULTS}")
torch.library.define(
    "attractor::align_edges_gradient",
    f"({OPERANDS}, Tensor lse, Tensor mix, Tensor dlse, Tensor dmix, Tensor dpull) -> {RESULTS}",
)
torch.library.impl("attractor::align_edges", "CPU")(edges_threads.align)
torch.library.impl("attractor::align_edges_gradient", "CPU")(edges_threads.gradient)
torch.library.impl("attractor::align_edges", "CompositeExplicitAutograd")(edges_blocks.align)
torch.library.impl("attractor::align_edges_gradient", "CompositeExplicitAutograd")(edges_blocks.gradient)


def along_edges(q: Tensor, k: Tensor, edges: Edges) -> Parts:
    r"""``lse (N, H)``, ``mix (N, H, Y)`` and ``pull (N, H, Y)`` of ``q, k (N, H, Y)``, every scale folded into ``q``::

        s_vu   = q_v . k_u  for u in N(v)      P_vu = exp(s_vu - lse_v)      lse_v = log sum_u exp(s_vu)
        mix_v  = sum_u P_vu k_u                pull_u = sum_v P_vu q_v

    Memory is O(N H Y) beside the edges. A token without neighbours has 0 in all three. Two derivatives of the
    energy, hence one of the force, as in :func:`attractor.energy.ops.strips.strips`.
    """
    q, k = at_least_float32(q).contiguous(), at_least_float32(k).contiguous()
    return torch.ops.attractor.align_edges(q, k, q, *edges.arrays, *edges.transposed.arrays)


def reference(q: Tensor, k: Tensor, edges: Edges) -> Parts:
    """The equations as they stand, by any derivative; holds the edges' ``(E, H, Y)`` queries and keys."""
    p, lse = _softmax(q, k, edges)
    pulls = p.unsqueeze(-1) * q[edges.targets()]  # scattered: sums over columns would want ``edges.order``, a sort
    pull = torch.zeros_like(q, dtype=p.dtype).index_add(0, edges.indices.long(), pulls)
    return lse, torch_sums(p, k, *edges.arrays), pull.to(q.dtype)


def edge_map(q: Tensor, k: Tensor, edges: Edges) -> Tensor:
    """``P_vu`` of every edge in the order of ``edges.indices``, ``(E, H)``."""
    return _softmax(q, k, edges)[0]


def _softmax(q: Tensor, k: Tensor, edges: Edges) -> tuple[Tensor, Tensor]:
    """``P (E, H)`` and ``lse (N, H)``."""
    return torch_softmax(torch_dots(q, k, *edges.arrays), edges.indptr)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Parts) -> None:
    ctx.save_for_backward(*inputs, *output[:2])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, dlse: Tensor | None, dmix: Tensor | None, dpull: Tensor | None) -> tuple[Tensor | None, ...]:
    """The gradient of ``lse`` alone is an alignment again, hence differentiable; any other is so only once."""
    q, k, v, *edges, lse, mix = ctx.saved_tensors
    rest = (None,) * len(edges)
    if dmix is None and dpull is None and dlse is not None:
        row = dlse.unsqueeze(-1)
        return row * mix, torch.ops.attractor.align_edges(q, k, (row * q).contiguous(), *edges)[2], None, *rest
    dlse = torch.zeros_like(lse) if dlse is None else dlse.contiguous()
    dmix, dpull = (torch.zeros_like(q) if d is None else d.contiguous() for d in (dmix, dpull))
    return *torch.ops.attractor.align_edges_gradient(q, k, v, *edges, lse, mix, dlse, dmix, dpull), *rest


@torch.library.register_fake("attractor::align_edges")
def _(q: Tensor, *others: Any) -> Parts:
    return q.new_empty(q.shape[:2]), torch.empty_like(q), torch.empty_like(q)


@torch.library.register_fake("attractor::align_edges_gradient")
def _(q: Tensor, *others: Any) -> Parts:
    return torch.empty_like(q), torch.empty_like(q), torch.empty_like(q)


torch.library.register_autograd("attractor::align_edges", _backward, setup_context=_remember)
torch.library.register_autograd("attractor::align_edges_gradient", no_further)
