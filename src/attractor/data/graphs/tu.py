"""The TU text layout: a row of numbers for every edge, node and graph, in a folder or a zip archive."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from attractor.data.graphs.graph_labels import categories
from attractor.data.graphs.graph_set import Categories, GraphSet
from attractor.data.graphs.number_files import NumberFiles
from attractor.data.graphs.raw import refusing
from attractor.errors import InputError

LIMIT = 2**32  # bytes of text in an archive, unpacked; FRANKENSTEIN has 57 million numbers


def read_tu(path: Path) -> GraphSet:
    """The graphs that ``NAME_A.txt`` and ``NAME_graph_indicator.txt`` spell out.

    Beside them, where they are there: ``_graph_labels``, ``_node_labels``, ``_edge_labels``, ``_node_attributes`` and
    ``_edge_attributes``. Every column of labels, whole numbers, is one label; the classes keep the numbers they have.
    Other files do not count. Raises :class:`InputError` naming the file and the row. Source: Morris et al. (2020),
    TUDataset: a collection of benchmark datasets for learning with graphs.
    """
    with refusing(path):
        if path.is_dir():
            return _only_set(NumberFiles({file.name: file for file in path.iterdir()}, path)).graphs()
        with zipfile.ZipFile(path) as archive:
            if (total := sum(member.file_size for member in archive.infolist())) > LIMIT:
                raise InputError(f"{path} claims {total >> 20:,} MiB of text, more than {LIMIT >> 20:,}; refused")
            members = {Path(name).name: zipfile.Path(archive, name) for name in archive.namelist()}
            return _only_set(NumberFiles(members, path)).graphs()


def _only_set(files: NumberFiles) -> _Set:
    names = [file.removesuffix("_A.txt") for file in files.files if file.endswith("_A.txt") and file[0] != "."]
    if len(names) != 1:
        held = f"several sets ({', '.join(sorted(names))})" if names else "no NAME_A.txt"
        raise InputError(f"{files.place} holds {held}; give the zip or the folder of one set in the TU layout")
    return _Set(files, names[0])


@dataclass(frozen=True)
class _Set:
    """The files of the set ``name``."""

    files: NumberFiles
    name: str

    def graphs(self) -> GraphSet:
        y = self.classes()
        graph = self.files.counted(self.file("graph_indicator"), 1, None if y is None else len(y.codes))[:, 0]
        ends = self.files.counted(self.file("A"), 2, len(graph))
        self.check(graph, ends, y)
        order = graph.argsort(stable=True)  # the nodes of a graph need not stand together
        number = torch.empty_like(order).scatter_(0, order, torch.arange(len(order)))
        return GraphSet.build(
            graph.bincount(),
            number[ends.T],
            self.attributes("node", graph)[order],
            [label[order] for label in self.labels("node", graph)],
            self.attributes("edge", ends),
            self.labels("edge", ends),
            y,
            self.name,
        )

    def file(self, what: str) -> str:
        return f"{self.name}_{what}.txt"

    def classes(self) -> Categories | None:
        if (file := self.file("graph_labels")) not in self.files:
            return None
        numbers = self.files.whole(file)
        if numbers.shape[1] != 1:
            raise InputError(f"{self.files.place}, {file} has {numbers.shape[1]} numbers a row; give one class a graph")
        return categories(numbers[:, 0])

    def labels(self, kind: str, things: Tensor) -> list[Categories]:
        if (file := self.file(f"{kind}_labels")) not in self.files:
            return []
        return [categories(column) for column in self.one_each(things, file, self.files.whole(file)).unbind(dim=1)]

    def attributes(self, kind: str, things: Tensor) -> Tensor:
        if (file := self.file(f"{kind}_attributes")) not in self.files:
            return torch.zeros(len(things), 0)
        numbers = self.one_each(things, file, self.files.floats(file))
        if (broken := ~numbers.isfinite()).any():
            raise InputError(f"{self.files.row(file, broken)} holds a number that is not finite; fill it in")
        return numbers

    def one_each(self, things: Tensor, file: str, rows: Tensor) -> Tensor:
        if len(rows) != len(things):
            other = self.file("A" if things.ndim == 2 else "graph_indicator")
            raise InputError(
                f"{self.files.place}, {file} has {len(rows)} rows, but {other} has {len(things)}; fetch them again"
            )
        return rows

    def check(self, graph: Tensor, ends: Tensor, y: Categories | None) -> None:
        """Raise on an edge between two graphs, and on a graph without nodes."""
        across = graph[ends[:, 0]] != graph[ends[:, 1]]
        if across.any():
            one, other = (graph[ends[across][0]] + 1).tolist()
            raise InputError(
                f"{self.files.row(self.file('A'), across[:, None])} joins graphs {one} and {other}; leave it out"
            )
        nodes = graph.bincount(minlength=0 if y is None else len(y.codes))
        if (empty := (nodes == 0).nonzero()).numel():
            file = self.file("graph_indicator")
            raise InputError(f"{self.files.place}, {file} gives graph {int(empty[0]) + 1} no nodes; leave it out")
