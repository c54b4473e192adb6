"""A uniform random sample of a stream."""

from __future__ import annotations

import torch
from torch import Tensor


class Reservoir:
    """Keeps ``limit`` of the rows it is given, every one with the same chance, the same ones every time."""

    def __init__(self, limit: int):
        self.limit = limit
        self.rows: Tensor | None = None
        self.keys = torch.zeros(0)
        self.generator = torch.Generator().manual_seed(0)

    def add(self, rows: Tensor) -> None:
        """Take in rows ``(n, ...)``: each draws a key, and the greatest keys stay."""
        rows = rows.cpu()
        keys = torch.cat([self.keys, torch.rand(len(rows), generator=self.generator)])
        self.keys, order = keys.topk(min(self.limit, len(keys)), sorted=False)
        self.rows = (rows if self.rows is None else torch.cat([self.rows, rows]))[order]

    def take(self) -> Tensor:
        """The rows kept, ``(0,)`` of none; the reservoir is then empty."""
        rows, self.rows, self.keys = self.rows, None, self.keys[:0]
        return torch.zeros(0) if rows is None else rows
