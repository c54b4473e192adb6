"""PyG graphs, listed and in a dataset, come back node by node; one graph's faults never hit another."""

import pytest
import torch
from torch import Tensor

from attractor.data.graphs.pyg_graphs import from_fields, from_pyg
from attractor.data.graphs.set_reading import as_graph_set
from refusals import refusal

EDGE = torch.tensor([[0, 1], [1, 0]])


def graph(n: int, y: int = 0) -> dict[str, Tensor]:
    """A path of n nodes, every edge both ways."""
    there = torch.stack([torch.arange(n - 1), torch.arange(1, n)])
    index = torch.cat([there, there.flip(0)], dim=1)
    return {
        "x": torch.randn(n, 2),
        "edge_index": index,
        "edge_attr": torch.randn(n - 1).repeat(2),
        "y": torch.tensor([y]),
    }


def test_lists_and_datasets_of_graphs() -> None:
    pyg = pytest.importorskip("torch_geometric.data")
    parts = [graph(3, 5), graph(2, 7), graph(4, 5)]
    listed = [pyg.Data(**part) for part in parts]

    class Own(pyg.InMemoryDataset):
        def __init__(self) -> None:
            super().__init__()
            self.data, self.slices = self.collate(listed)

    for data in (listed, Own()):
        graphs = as_graph_set(data)
        assert graphs.sizes.tolist() == [3, 2, 4] and graphs.y.named() == [5, 7, 5]
        assert torch.equal(graphs.x, torch.cat([part["x"] for part in parts]))
        for i, part in enumerate(parts):
            one = graphs[[i]]
            order = (part["edge_index"][1] * 10 + part["edge_index"][0]).argsort()
            assert torch.equal(one.edge_index, part["edge_index"][:, order])
            assert torch.equal(one.edge_attr[:, 0], part["edge_attr"][order])


def test_whole_numbers_are_labels_column_by_column() -> None:
    x = torch.tensor([[6, 0], [8, 0], [6, 1]])
    graphs = from_fields([{"x": x, "edge_index": EDGE, "edge_attr": torch.tensor([True, True])}] * 2)
    assert [label.named() for label in graphs.node_labels] == [[6, 8, 6] * 2, [0, 0, 1] * 2]
    assert graphs.edge_labels[0].named() == [1] * 4 and graphs.x.shape == (6, 0) and graphs.y is None


def test_graphs_without_features_or_edges() -> None:
    pyg = pytest.importorskip("torch_geometric.data")
    graphs = from_pyg([pyg.Data(edge_index=EDGE, num_nodes=4), pyg.Data(num_nodes=1)], y=["a", "b"])
    assert graphs.sizes.tolist() == [4, 1] and graphs.edge_index.tolist() == [[1, 0], [0, 1]]
    assert graphs.x.shape == (5, 0) and graphs.y.named() == ["a", "b"]


def test_a_graph_without_edges_need_say_nothing_of_them() -> None:
    lonely = {"x": torch.ones(1, 2), "edge_index": EDGE[:, :0], "y": 1}
    others = [graph(3), graph(4)]
    graphs = from_fields([others[0], lonely, others[1]])
    assert len(graphs) == 3 and torch.equal(graphs.edge_attr, from_fields(others).edge_attr)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"edge_index": EDGE + 2}, "graph 0: an edge names node 2, but nodes are numbered 0 to 1"),
        ({"edge_index": -EDGE}, "graph 0: an edge names node -1"),
        ({"edge_index": EDGE.float()}, "graph 0: edge_index must be whole numbers"),
        ({"edge_index": EDGE[0]}, "graph 0: edge_index must be whole numbers (2, edges)"),
        ({"edge_attr": torch.ones(3)}, "graph 0: edge_attr must be of shape (2, any), not (3, 1)"),
        ({"x": torch.ones(2, 3)}, "x must have as many columns"),
        ({"x": torch.ones(2, 2).long()}, "x must have as many columns"),
        ({"x": torch.ones(2, 2, 2)}, "graph 0: x must be of shape (2, any)"),
        ({"x": None, "num_nodes": 2}, "in all graphs alike"),
        ({"x": None}, "neither x nor num_nodes"),
        ({"edge_attr": None}, "edge_attr must have as many columns"),
        ({"x": torch.full((2, 2), torch.inf)}, "number 0 are not finite"),
        ({"y": torch.tensor([0.5])}, "the class of graph 0 is 0.5"),
        ({"x": torch.ones(0, 2), "edge_index": EDGE[:, :0], "edge_attr": torch.ones(0)}, "graph 0 has no nodes"),
    ],
)
def test_a_fault_in_one_graph_is_named(changed: dict[str, Tensor], said: str) -> None:
    with refusal(said, match="^mine"):
        from_fields([{**graph(2), **changed}, graph(4)], name="mine")
