"""The published network for whole graphs with its flaws, to compare with and not to use: see ``GraphET`` for that.

A convolution runs over the matrix of all pairs of tokens, so that the answer depends on how nodes are numbered; graphs
are padded with nodes that take part, so that it depends on the rest of the batch; whom a token does not see is a
product that came out as exactly 0, so that a bias makes everybody see everybody; noise is drawn in evaluation too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from attractor.dynamics import Trace, descend_blocks
from attractor.dynamics.fixed import Fixed
from attractor.energy import Context, EnergyAttention, HopfieldMemory
from attractor.errors import InputError
from attractor.models.config import GraphETConfig
from attractor.models.energy_block import EnergyBlock
from attractor.models.store import load_weights


class PublishedGraphNet(nn.Module):
    r"""CLS and nodes as N + 1 tokens, ``blocks`` times ``steps`` steps of a descent, and a linear map of every token::

        x_0  = [cls, X W + b] + P W_p + b_p
        Ahat = (A W_a + b_a) * conv(x_0 x_0^T)       SAME, without a bias; without a ``kernel`` the first factor alone
        S_o  = Ahat_o sum_h Hw_ho beta_h q_h . k_h   over the pairs with Ahat_o not 0, a token's own among them

    ``forward(x (B, N, features), adjacency (B, N + 1, N + 1, links), positions (B, N + 1, positions))`` gives logits of
    CLS ``(B, classes)`` and the decoded nodes ``(B, N, classes)``; O(N^2) memory. With a ``generator`` every step draws
    ``config.noise``, in evaluation too (published: the same for all graphs). Sizes are those of the config, whose
    ``eigenvectors`` and ``dropout`` mean nothing here. Heads are mixed by ``M_ho = Hw_ho beta_h / beta_o``.
    """

    def __init__(
        self,
        config: GraphETConfig,
        *,
        kernel: int | None = 3,
        dilation: int = 1,
        attention_bias: bool = False,
        memory_bias: bool = False,
    ):
        super().__init__()
        self.config = config
        dim, heads = config.dim, config.heads
        self.encoder, self.decoder = nn.Linear(config.features, dim), nn.Linear(dim, config.classes)
        self.pos_pj, self.adj_pj = nn.Linear(config.positions, dim), nn.Linear(config.links, heads)
        self.cls_token = nn.Parameter(torch.randn(1, dim))
        same: Any = {"padding": "same", "dilation": dilation, "bias": False}
        self.conv = nn.Conv2d(1, heads, kernel, **same) if kernel else None
        self.blocks = nn.ModuleList(_block(config, attention_bias, memory_bias) for _ in range(config.blocks))

    def forward(
        self, x: Tensor, adjacency: Tensor, positions: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits and decoded nodes."""
        decoded = self.decoder(self.evolve(x, adjacency, positions, generator)[0])
        return decoded[:, 0], decoded[:, 1:]

    def evolve(
        self,
        x: Tensor,
        adjacency: Tensor,
        positions: Tensor,
        generator: torch.Generator | None = None,
        trace: bool | Literal["tokens"] = False,
    ) -> tuple[Tensor, list[Trace]]:
        """``x_T (B, N + 1, D)`` and, when asked for, the trace of every block's descent."""
        config, tokens = self.config, self.tokens(x, positions)
        weights = self.weights(tokens, adjacency)
        return descend_blocks(
            [(cast(EnergyBlock, block).energy, cast(EnergyBlock, block).norm) for block in self.blocks],
            tokens,
            steps=config.steps,
            step_size=config.step_size,
            rule=Fixed(config.noise, generator) if generator else "fixed",
            trace=trace,
            context=Context(pairs=weights != 0, weights=weights),
        )

    def tokens(self, x: Tensor, positions: Tensor) -> Tensor:
        """``x_0 (B, N + 1, D)``."""
        cls = self.cls_token.expand(len(x), 1, -1)
        return torch.cat([cls, self.encoder(x)], dim=1) + self.pos_pj(positions)

    def weights(self, tokens: Tensor, adjacency: Tensor) -> Tensor:
        """``Ahat (B, H, N + 1, N + 1)``."""
        projected = self.adj_pj(adjacency).movedim(-1, 1)
        return projected if self.conv is None else projected * self.conv((tokens @ tokens.mT).unsqueeze(1))


def _block(config: GraphETConfig, attention_bias: bool, memory_bias: bool) -> EnergyBlock:
    dim, memories = config.dim, config.memories
    settings = {"learn_beta": True, "mix_heads": True, "include_self": True, "bias": attention_bias}
    attention = EnergyAttention(dim, config.heads, config.head_dim, **settings)
    beta = math.sqrt(memories)  # of a softmax, as published
    memory = HopfieldMemory(dim, memories, activation=config.activation, beta=beta, bias=memory_bias)
    return EnergyBlock(dim, attention, memory)


def published_batch(graphs: Sequence[tuple[Tensor, Tensor]], positions: int = 15) -> tuple[Tensor, Tensor, Tensor]:
    """Graphs as published, of features ``(n, F)`` and undirected edges ``(2, E)``: padded to the largest of them.

    Features ``(B, N, F)`` end in zeros. The adjacency ``(B, N + 1, N + 1, 1)`` is 1 towards and from CLS, token 0, and
    from every padded node to CLS and all nodes, not back. Positions ``(B, N + 1, positions)`` are eigenvectors of the
    Laplacian of all that, after the lowest, its degrees those of rows; 0 where there are fewer.
    """
    x = pad_sequence([features for features, _ in graphs], batch_first=True)
    adjacency = x.new_zeros(len(x), x.shape[1] + 1, x.shape[1] + 1)
    adjacency[:, 0] = adjacency[:, :, 0] = 1
    for matrix, (features, (source, target)) in zip(adjacency, graphs, strict=True):
        matrix[target + 1, source + 1] = matrix[source + 1, target + 1] = 1
        matrix[len(features) + 1 :, : len(features) + 1] = 1
    return x, adjacency.unsqueeze(-1), _eigenvectors(adjacency, positions)


def _eigenvectors(adjacency: Tensor, count: int) -> Tensor:
    """Of the symmetric part, which is what the published solver sees; ``(B, N, N) -> (B, N, count)``."""
    scale = adjacency.double().sum(dim=-1, keepdim=True).rsqrt()
    normalised = scale * adjacency * scale.mT
    laplacian = torch.eye(adjacency.shape[1]) - (normalised + normalised.mT) / 2
    vectors = torch.linalg.eigh(laplacian).eigenvectors[..., 1 : count + 1]
    return F.pad(vectors, (0, count - vectors.shape[-1])).to(adjacency.dtype)


def from_published(
    arrays: Mapping[str, ArrayLike],
    *,
    steps: int = 1,
    step_size: float = 0.1,
    activation: str = "relu",
    dilation: int = 1,
    noise: float = 0.0,
) -> PublishedGraphNet:
    """The network of published parameters, named by their paths, as in ``encode_block_0/attn/Wq``.

    Sizes and precision are those of the arrays; what no parameter tells is given. Raises :class:`InputError` on a
    parameter that is missing, unknown or of another size than the rest.
    """
    own = converted({name: torch.tensor(array) for name, array in arrays.items()})
    _, heads, head_dim, dim = own["blocks.0.energy.terms.0.W"].shape
    kernel = own["conv.weight"].shape[2] if "conv.weight" in own else None
    config = GraphETConfig(
        features=own["encoder.weight"].shape[1],
        positions=own["pos_pj.weight"].shape[1],
        links=own["adj_pj.weight"].shape[1],
        classes=len(own["decoder.bias"]),
        dim=dim,
        heads=heads,
        head_dim=head_dim,
        memories=len(own["blocks.0.energy.terms.1.xi"]),
        blocks=sum(name.endswith(".gamma") for name in own),
        steps=steps,
        step_size=step_size,
        activation=activation,
        noise=noise,
    )
    attention_bias, memory_bias = (f"blocks.0.energy.terms.{i}.bias" in own for i in range(2))
    net = PublishedGraphNet(
        config, kernel=kernel, dilation=dilation, attention_bias=attention_bias, memory_bias=memory_bias
    )
    net.to(own["cls_token"].dtype)
    load_weights(net, own, "the published parameters")
    return net.eval()


def converted(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published parameters as a state dict of :class:`PublishedGraphNet`, differentiably."""
    left = dict(weights)
    blocks = sum(name.endswith("/gamma") for name in left)
    try:
        own = {"cls_token": left.pop("cls_token")}
        for name in ("encoder", "pos_pj", "adj_pj", "decoder"):
            own |= {f"{name}.weight": left.pop(f"{name}/kernel").T, f"{name}.bias": left.pop(f"{name}/bias")}
        if "conv/kernel" in left:
            own["conv.weight"] = left.pop("conv/kernel").permute(3, 2, 0, 1)
        for i in range(max(1, blocks)):
            own |= {f"blocks.{i}.norm.gamma": left.pop(f"encode_norm_{i}/gamma").reshape(())}
            own |= {f"blocks.{i}.norm.delta": left.pop(f"encode_norm_{i}/bias")}
            own |= _attention(left, f"encode_block_{i}/attn/", f"blocks.{i}.energy.terms.0.")
            own |= _memory(left, f"encode_block_{i}/chn/proj/", f"blocks.{i}.energy.terms.1.")
    except KeyError as missing:
        raise InputError(
            f"a published graph network has {missing}, which is not among the {len(weights)} given"
        ) from None
    if left:
        raise InputError(f"a published graph network has no {', '.join(sorted(left))}; leave out what is not its own")
    return own


def _attention(left: dict[str, Tensor], path: str, name: str) -> dict[str, Tensor]:
    def pair(kind: str) -> Tensor:
        return torch.stack([left.pop(f"{path}{kind}{side}") for side in "qk"])

    betas = left.pop(f"{path}betas")
    M = left.pop(f"{path}Hw") * betas.unsqueeze(1) / betas
    own = {"W": pair("W"), "beta": betas.reshape(-1, 1, 1), "M": M}
    if f"{path}Bq" in left:
        own["bias"] = pair("B")
    return {name + key: t for key, t in own.items()}


def _memory(left: dict[str, Tensor], path: str, name: str) -> dict[str, Tensor]:
    own = {f"{name}xi": left.pop(f"{path}kernel").T}
    return own | ({f"{name}bias": left.pop(f"{path}bias")} if f"{path}bias" in left else {})
