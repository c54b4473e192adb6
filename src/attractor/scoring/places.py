"""Distance of every patch to those at the same place of normal images like it: for images that are laid out alike."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.scoring.checks import check_features

KEPT = 128  # dimensions that patches are projected to
ALIKE = 5  # normal images that an image is compared with
BLOCK = 2**24  # numbers held at once while scoring
SAME = 1e-4  # distance that the bank's float16 does not tell from none


class PlaceNeighbours(nn.Module):
    r"""Cosine distance of patch n to patch n of the five normal images most alike.

    That is ``max(SAME, min_i 1 - cos(R x_n, R b_in))``.

    Alike are the images i of the greatest ``mean_n cos(R x_n, R b_in)``: every place is compared with the same few
    images, so that an image is not taken for normal that is put together of many.
    ``R`` is a random projection to 128 orthogonal directions, which keeps cosines nearly and a third of the memory.
    Buffers: ``projection (D, 128)``, the same every time; ``bank``, float16 ``(N, m, 128)``: of every place the
    projected patches of m normal images, of length 1. Loading a state dict takes over its bank's size. Source: images
    alike as in Cohen and Hoshen (2020), SPADE; places as in Defard et al. (2021), PaDiM.
    """

    projection: Tensor
    bank: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        directions = torch.randn(dim, dim, generator=torch.Generator().manual_seed(0))
        self.register_buffer("projection", torch.linalg.qr(directions).Q[:, :KEPT].contiguous())
        self.register_buffer("bank", torch.zeros(0, 0, 0, dtype=torch.float16))

    @torch.no_grad()
    def fit(self, patches: Tensor) -> PlaceNeighbours:
        """Keep normal patches ``(m, N, D)``; raises :class:`InputError` where they are not finite."""
        check_features(patches.flatten(0, 1))
        self.bank = self._embed(patches).half().contiguous()
        return self

    def forward(self, patches: Tensor) -> Tensor:
        """``(V, N, D) -> (V, N)``, float32; high is anomalous."""
        rows = max(1, BLOCK // max(1, self.bank.shape[0] * self.bank.shape[1]))
        nearest = [nearest_place(self._cosines(points)) for points in self._embed(patches).split(rows, dim=1)]
        return (1 - torch.cat(nearest, dim=1).T).clamp(min=SAME)

    def _cosines(self, points: Tensor) -> Tensor:
        """``(N, V, 128) -> (N, V, m)``; of the bank one place at a time is in float32, which stays in the cache."""
        cosines = points.new_empty(*points.shape[:2], self.bank.shape[1])
        for place, (x, b) in enumerate(zip(points, self.bank, strict=True)):
            cosines[place] = x @ b.float().T
        return cosines

    def _embed(self, patches: Tensor) -> Tensor:
        """``(m, N, D) -> (N, m, 128)``, of length 1."""
        projected = patches.to(self.projection.device, torch.float32) @ self.projection
        return F.normalize(projected, dim=-1).transpose(0, 1)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        if prefix + "bank" in state_dict:
            self.bank = torch.empty_like(state_dict[prefix + "bank"], device=self.bank.device)
        super()._load_from_state_dict(state_dict, prefix, *args)


def nearest_place(cosines: Tensor) -> Tensor:
    """``(N, V, m) -> (N, V)``: the greatest at every place, of the images whose mean over the places is greatest."""
    alike = cosines.mean(dim=0).topk(min(ALIKE, cosines.shape[-1])).indices  # (V, ALIKE)
    return cosines.gather(2, alike.expand(len(cosines), -1, -1)).amax(dim=-1)
