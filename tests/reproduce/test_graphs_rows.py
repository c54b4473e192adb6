"""Rows of whole graphs on a miniature in the TU layout, by both protocols."""

from pathlib import Path

import numpy as np
import pytest
from measured_parts import by_part

import tu_writer
from attractor.data.graphs.named_sets import TU, graph_set
from attractor.errors import InputError
from attractor.reproduce.row import find_row
from attractor.reproduce.run import reproduce
from attractor.reproduce.wish import Wish
from attractor.tasks.graphs import evaluate_graphs
from rings import rings_and_paths

QUICK = {"epochs": 1, "members": 1, "dim": 8, "blocks": 1, "walks": 4}
HELD_OUT, INCLUDED = "test graphs held out", "training graphs included"
GRAPHS = tu_writer.texts(rings_and_paths(60))


def test_both_protocols(sets: Path, measured) -> None:
    tu_writer.archive(sets / "MUTAG.zip", GRAPHS, "MUTAG")
    result = measured("et-mutag", **QUICK)
    runs, graphs = by_part(result), graph_set("MUTAG", sets)
    assert list(runs) == [*((HELD_OUT, f"fold {i}") for i in range(10)), (INCLUDED, "")]
    expected = evaluate_graphs(graphs, 10, seed=3, **QUICK)["accuracy"]
    assert [runs[HELD_OUT, f"fold {i}"]["accuracy"] for i in range(10)] == expected["values"]
    mine = result["summary"][HELD_OUT]["accuracy"]
    assert (mine["mean"], mine["std"], mine["parts"]) == (expected["mean"], expected["std"], 10)
    published = evaluate_graphs(graphs, 10, protocol="published", seed=3, **QUICK)["accuracy"]["mean"]
    assert runs[INCLUDED, ""] == {"accuracy": published}
    assert result["published"] == {INCLUDED: {"accuracy": {"mean": 0.966, "std": 0.002}}}
    assert len(np.unique(expected["values"])) > 1


@pytest.mark.parametrize("name", TU)
def test_every_set_has_a_row_that_reads_it(sets: Path, tmp_path: Path, one_thread, name: str) -> None:
    tu_writer.archive(sets / f"{name}.zip", GRAPHS, name)
    row = find_row(f"et-{name.lower()}")
    result = reproduce(row, sets, tmp_path / "out", Wish(None, [INCLUDED], QUICK))
    assert result["data"] == name and len(result["runs"]) == 1


def test_a_set_without_classes_is_refused(sets: Path, measured) -> None:
    texts = {what: text for what, text in GRAPHS.items() if what != "graph_labels"}
    tu_writer.archive(sets / "MUTAG.zip", texts, "MUTAG")
    with pytest.raises(InputError, match=r"MUTAG.* has no classes; fetch it again"):
        measured("et-mutag", **QUICK)
