"""Plain statistics of graphs: size, degrees, triangles and components, and what is known of nodes and edges."""

from __future__ import annotations

import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool
from torch_geometric.utils import to_scipy_sparse_matrix

from attractor.data.graphs.graph_set import GraphSet

DEGREES = 16  # all from here on are counted together


def statistics(graphs: GraphSet) -> Tensor:
    """All of them, float32 ``(G, S)``."""
    of_node, of_edge = graph_of_node(graphs), graph_of_node(graphs)[graphs.edge_index[1]]
    nodes, edges = graphs.sizes, of_edge.bincount(minlength=len(graphs)) / 2
    degree = degrees(graphs)
    triangles, components = structure(graphs)
    clustering = triangles / (degree * (degree - 1) / 2).clamp(min=1)
    labels = [one_hot(label.codes, len(label.values)) for label in graphs.node_labels]
    counted = torch.cat([one_hot(degree.clamp(max=DEGREES), DEGREES + 1), *labels], dim=1)
    measured = torch.cat([graphs.x, degree.unsqueeze(1), clustering.unsqueeze(1)], dim=1)
    edge_labels = [one_hot(label.codes, len(label.values)) for label in graphs.edge_labels]
    known = torch.cat([graphs.edge_attr, *edge_labels], dim=1)
    mean = global_mean_pool(measured, of_node, len(graphs))
    spread = (global_mean_pool(measured**2, of_node, len(graphs)) - mean**2).clamp(min=0).sqrt()
    size = torch.stack([nodes, edges, edges / (nodes * (nodes - 1) / 2).clamp(min=1), components], dim=1)
    return torch.cat(
        [
            size,
            global_add_pool(triangles.unsqueeze(1), of_node, len(graphs)) / 3,
            global_max_pool(degree.unsqueeze(1).float(), of_node, len(graphs)),
            mean,
            spread,
            global_add_pool(counted, of_node, len(graphs)),
            global_mean_pool(counted, of_node, len(graphs)),
            global_mean_pool(known, of_edge, len(graphs)),
        ],
        dim=1,
    )


def structure(graphs: GraphSet) -> tuple[Tensor, Tensor]:
    """Triangles at every node, ``(T,)``, and connected components of every graph, ``(G,)``."""
    a = to_scipy_sparse_matrix(graphs.edge_index, num_nodes=int(graphs.ptr[-1])).tocsr()
    triangles = torch.from_numpy((a @ a).multiply(a).sum(axis=1)).float().flatten() / 2
    count, component = connected_components(a, directed=False)
    of_component = torch.zeros(count, dtype=torch.int64)
    of_component[torch.from_numpy(component).long()] = graph_of_node(graphs)
    return triangles, of_component.bincount(minlength=len(graphs))


def degrees(graphs: GraphSet) -> Tensor:
    """Of every node, int64 ``(T,)``."""
    return graphs.edge_index[1].bincount(minlength=int(graphs.ptr[-1]))


def graph_of_node(graphs: GraphSet) -> Tensor:
    """The number of the graph of every node, int64 ``(T,)``."""
    return torch.arange(len(graphs)).repeat_interleave(graphs.sizes)


def one_hot(codes: Tensor, count: int) -> Tensor:
    """A row of zeros where the code is -1; float32 ``(n, count)``."""
    return (codes.unsqueeze(1) == torch.arange(count)).float()
