"""Miniature sets in the TU text layout, as folder or as archive."""

import zipfile
from pathlib import Path

import torch

from attractor.data.graphs.graph_set import GraphSet

TOY = {  # a triangle with a tail, and a path of three
    "A": "1, 2\n2, 1\n2, 3\n3, 2\n1, 3\n3, 1\n3, 4\n4, 3\n5, 6\n6, 5\n6, 7\n7, 6\n",
    "graph_indicator": "1\n1\n1\n1\n2\n2\n2\n",
    "graph_labels": "1\n-1\n",
    "node_labels": "0\n0\n3\n0\n3\n3\n0\n",
    "node_attributes": "".join(f" {i}.500000, -{i}e-1\n" for i in range(1, 8)),
    "edge_labels": "2\n2\n1\n1\n2\n2\n1\n1\n2\n2\n1\n1\n",
    "edge_attributes": "".join(f"{i}.0\n" for i in (1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6)),
}


def folder(path: Path, texts: dict[str, str | bytes], name: str = "TOY") -> Path:
    """A folder of ``NAME_what.txt``."""
    path.mkdir(parents=True, exist_ok=True)
    for what, text in texts.items():
        (path / f"{name}_{what}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def archive(path: Path, texts: dict[str, str], name: str = "TOY") -> Path:
    """A zip of a folder of them, as they are published."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(f"{name}/", "")
        for what, text in texts.items():
            packed.writestr(f"{name}/{name}_{what}.txt", text)
    return path


def texts(graphs: GraphSet) -> dict[str, str]:
    """A set with classes in that layout; edge labels and attributes are left out."""
    graph = torch.arange(len(graphs)).repeat_interleave(graphs.sizes) + 1
    labels = [label.named() for label in graphs.node_labels]
    columns = {
        "A": (graphs.edge_index.T + 1).tolist(),
        "graph_indicator": graph.unsqueeze(1).tolist(),
        "graph_labels": [[value] for value in graphs.y.named()],
        "node_labels": list(zip(*labels, strict=True)),
        "node_attributes": graphs.x.tolist(),
    }
    return {what: "".join(", ".join(map(str, row)) + "\n" for row in rows) for what, rows in columns.items() if rows}
