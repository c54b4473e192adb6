"""What a descent of images looked like: every state as a picture, its energies, attention and memories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.data.masks import pixels_of
from attractor.dynamics import Rule, Trace, energy_parts
from attractor.dynamics.rules import seeks_fixed_point
from attractor.errors import InputError
from attractor.models import ImageET
from attractor.models.patches import unpatchify


@dataclass(frozen=True)
class Walk:
    """The descent of B images through the blocks of an :class:`ImageET`; made by :meth:`of`.

    ``images (B, C, H, W)`` as given, in 0..1; ``hidden (B, N)`` True where a patch was not given; ``traces`` one a
    block. States are counted over all blocks, 0 to T; where there are several, a block's last state and the next
    one's first have the same tokens under another energy. Tokens are counted with the CLS token at 0: patch n is token
    1 + n. Nothing is drawn or held before it is asked for, but for the tokens themselves, ``(T+1, B, 1 + N, D)``.
    """

    model: ImageET
    images: Tensor
    hidden: Tensor
    traces: tuple[Trace, ...]
    rule: str | Rule

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        model: ImageET,
        images: Tensor,
        hidden: Tensor,
        rule: str | Rule = "fixed",
        steps: int | None = None,
        step_size: float | None = None,
    ) -> Walk:
        """Descend and keep every state; ``images`` are normalised, ``steps`` and ``step_size`` the model's own.

        Steps that no image took any more are left out. Raises :class:`InputError` as :class:`ImageET` and
        :func:`~attractor.dynamics.descend` do.
        """
        x = model.tokens(images, hidden)
        _, traces = model.evolve(x, rule, "tokens", steps=steps, step_size=step_size)
        return cls(model, model.denormalize(images), hidden, tuple(map(_taken, traces)), rule)

    def __repr__(self) -> str:
        states, samples = self.trace.energies.shape
        return f"Walk(states={states}, samples={samples}, images={tuple(self.images.shape[1:])}, rule={self.rule!r})"

    @cached_property
    def trace(self) -> Trace:
        """The traces of all blocks as one."""
        first, *rest = self.traces
        return sum(rest, start=first)

    @property
    def unsettled(self) -> Tensor:
        """Which images a rule that seeks a fixed point left without one in a block, for want of steps; ``(B,)``."""
        return unsettled(self.rule, self.traces)

    @cached_property
    def energies(self) -> dict[str, Tensor]:
        """``total`` energy and its parts, ``attention`` and ``memory``, each ``(T+1, B)``."""
        blocks = zip(self.traces, self.model.descents, strict=True)
        parts = [list(energy_parts(trace, block.energy, block.norm).values()) for trace, block in blocks]
        attention, memory = (torch.cat(part) for part in zip(*parts, strict=True))
        return {"total": self.trace.energies, "attention": attention, "memory": memory}

    @cached_property
    @torch.no_grad()
    def readings(self) -> Tensor:
        """What the tokens of each state show, given patches too, in 0..1; ``(T+1, B, C, H, W)``.

        The decoder reads every state through the last block's norm, that of earlier blocks too.
        """
        grid, patch = self.model.grid(self.images), self.model.config.patch
        pictures = (unpatchify(self.model.read(x).float(), grid, patch) for x in self._tokens)
        return torch.stack([self.model.denormalize(picture) for picture in pictures])

    @property
    def frames(self) -> Tensor:
        """The images with their hidden patches as the tokens of each state show them; ``(T+1, B, C, H, W)``."""
        holes = pixels_of(self.hidden, self.model.grid(self.images), self.model.config.patch).unsqueeze(1)
        return torch.where(holes, self.readings, self.images)

    @property
    def token_norms(self) -> Tensor:
        """``|x|`` of every token, ``(T+1, B, 1 + N)``."""
        return self._tokens.float().norm(dim=-1)

    @property
    def token_updates(self) -> Tensor:
        """``|x_{t+1} - x_t|`` of every token, ``(T, B, 1 + N)``; 0 where one block hands over to the next."""
        return self._tokens.float().diff(dim=0).norm(dim=-1)

    def block(self, state: int) -> int:
        """Which block's energy a state lies on."""
        if not 0 <= state < len(self._tokens):
            raise InputError(f"there is no state {state}; this walk has states 0 to {len(self._tokens) - 1}")
        return sum(seam < state for seam in self.trace.seams)

    @torch.no_grad()
    def attention(self, state: int, sample: int = 0) -> Tensor:
        """Where each token (row) looks in each head; rows sum to 1, ``(H, 1 + N, 1 + N)``."""
        return self.model.descents[self.block(state)].attention.maps(self._g(state, sample))[0]

    @torch.no_grad()
    def memories(self, state: int, sample: int = 0, count: int = 6) -> tuple[Tensor, Tensor]:
        """The memories that pull each token most, strongest first: indices and ``G'(xi . g)``, ``(1 + N, count)``."""
        memory = self.model.descents[self.block(state)].memory
        pulls = memory.pulls(self._g(state, sample))[0]
        strengths, indices = pulls.topk(min(count, pulls.shape[-1]), dim=-1)
        return indices, strengths

    @torch.no_grad()
    def memory_patches(self, block: int = -1) -> Tensor:
        """A block's memories as patches in 0..1, ``(M, C, p, p)``: what a step towards each adds to a patch.

        That is ``W_dec xi``, the decoder applied to the memory as if it were a g, without the bias that all patches
        share. Middle grey adds nothing; each memory is scaled by its own largest value, as its sign is told by the
        colours but its strength is not.
        """
        config = self.model.config
        patches = F.linear(self.model.descents[block].memory.xi, self.model.decoder.weight)
        patches = patches.unflatten(-1, (config.channels, config.patch, config.patch)) * self.model.std
        largest = patches.abs().amax(dim=(1, 2, 3), keepdim=True)
        return 0.5 + 0.5 * patches / largest.clamp_min(torch.finfo(patches.dtype).tiny)

    @property
    def _tokens(self) -> Tensor:
        tokens = self.trace.tokens
        assert tokens is not None  # `of` asks for them
        return tokens

    def _g(self, state: int, sample: int) -> Tensor:
        """What the energy of a state reads, ``(1, 1 + N, D)``."""
        return self.model.descents[self.block(state)].norm(self._tokens[state, sample].unsqueeze(0))


def unsettled(rule: str | Rule, traces: Sequence[Trace]) -> Tensor:
    """Of a descent through blocks, one trace each: as :attr:`Walk.unsettled`, ``(B,)``."""
    converged = torch.stack([trace.converged for trace in traces]).all(dim=0)
    return ~converged & seeks_fixed_point(rule)


def _taken(trace: Trace) -> Trace:
    """The trace without the steps after the last that any sample took."""
    assert trace.tokens is not None
    steps = int(trace.steps.max())
    return replace(
        trace,
        energies=trace.energies[: steps + 1],
        forces=trace.forces[: steps + 1],
        step_sizes=trace.step_sizes[:steps],
        updates=trace.updates[:steps],
        tokens=trace.tokens[: steps + 1],
    )
