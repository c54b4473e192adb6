"""Rings and paths: two classes of small graphs that differ in one edge alone."""

import torch

from attractor.data.graphs.graph_set import Categories, GraphSet


def rings_and_paths(count: int = 40, seed: int = 0) -> GraphSet:
    """By turns a ring, of class 1, and a path, of class -1, of 4 to 9 nodes all else of which means nothing."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(4, 10, (count,), generator=generator)
    starts = sizes.cumsum(0) - sizes
    edges = [torch.arange(n - number % 2) + start for number, (n, start) in enumerate(zip(sizes, starts, strict=True))]
    source = torch.cat(edges)
    graph = torch.arange(count).repeat_interleave(sizes)[source]
    target = (source + 1 - starts[graph]) % sizes[graph] + starts[graph]
    nodes = int(sizes.sum())
    labels = Categories(torch.randint(2, (nodes,), generator=generator), (0, 3))
    x = torch.randn(nodes, 1, generator=generator)
    classes = Categories.of([-1 if number % 2 else 1 for number in range(count)])
    return GraphSet.build(sizes, torch.stack([source, target]), x, [labels], y=classes, name="RINGS")
