"""An explained graph is drawn as it is, in one piece or many, of one node or thousands."""

import json
from dataclasses import replace
from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from attractor.report.graphs import write_explanations
from attractor.report.graphs.figure import AGAINST_AND_FOR, CARRIED, caption, draw_explanation, headline
from attractor.report.graphs.layout import places
from attractor.report.graphs.picture import SHOWN, STARTS, Picture
from attractor.report.style import PALE
from attractor.tasks.graphs.explanation import EdgeShare, GraphExplanation, NodeShare

MOLECULE = nx.Graph([(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (5, 6), (6, 7), (6, 8)])
PIECES = nx.disjoint_union_all([nx.grid_2d_graph(4, 5), nx.cycle_graph(7), nx.empty_graph(3)])
LARGE = nx.convert_node_labels_to_integers(nx.grid_2d_graph(30, 20))  # in which the middle is attended to


def make_explanation(graph: nx.Graph, tried: int | None = None, labels: bool = True) -> GraphExplanation:
    """Node i carries -i - 1, and edge i -2 i, but the first, which raises the energy by 1; evidence alternates."""
    n = len(graph)
    attention = 1 / (1 + np.abs(np.arange(n) - n // 2))
    attention /= attention.sum()
    tried = n if tried is None else tried
    nodes = tuple(
        NodeShare(i, i % 3 if labels else None, -i - 1.0, float(a), (-1.0) ** i * (i + 1) / n if i < tried else None)
        for i, a in enumerate(attention)
    )
    edges = tuple(EdgeShare(*edge, -2.0 * i if i else 1.0) for i, edge in enumerate(graph.edges))
    energy = sum(node.energy for node in nodes) - 3.0
    return GraphExplanation(
        graph=7,
        members=2,
        predicted="toxic",
        probability=0.875,
        probabilities={"harmless": 0.125, "toxic": 0.875},
        actual="toxic",
        energy=energy,
        nodes=nodes,
        reader=-3.0,
        edges=edges,
        readings=-5.0,
        memory=energy + 5.0 - sum(edge.energy for edge in edges),
        before=(-1.0, -2.0),
        after=(-1.5, energy),
    )


def written(axis):
    """The labels of an axis that are in sight."""
    low, high = sorted(axis.get_view_interval())
    ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [axis.label, *(label for place, label in ticks if low <= place <= high)]


@pytest.mark.parametrize("tried", [None, 3])
@pytest.mark.parametrize("graph", [MOLECULE, PIECES, LARGE, nx.path_graph(2), nx.path_graph(40), nx.complete_graph(9)])
def test_no_text_lies_on_another_or_beyond_the_page(graph, tried):
    figure = draw_explanation(make_explanation(graph, tried))
    figure.draw_without_rendering()
    above, below = figure.subfigs
    texts = [*figure.texts, *below.texts, *below.legends[0].get_texts(), figure._suptitle]
    for axes in above.axes:
        axis_texts = [text for axis in (axes.xaxis, axes.yaxis) for text in written(axis) if axes.axison]
        texts += [*axes.texts, axes._left_title, *axis_texts]
    boxes = [(text.get_text(), text.get_window_extent()) for text in dict.fromkeys(texts) if text.get_text()]
    assert len(boxes) > 15
    assert [(a, b) for (a, one), (b, two) in combinations(boxes, 2) if one.overlaps(two)] == []
    page = figure.bbox
    boxes += [("legend", below.legends[0].get_window_extent())]
    inside = [page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1 for _, box in boxes]
    assert all(inside), [text for (text, _), fits in zip(boxes, inside, strict=True) if not fits]


def drawn(explanation):
    """Of the left and of the right picture their nodes and their edges."""
    left, right, *_ = draw_explanation(explanation).subfigs[0].axes
    return [{type(part).__name__: part for part in axes.collections} for axes in (left, right)]


def test_colours_sizes_and_widths_are_the_shares():
    left, _ = drawn(make_explanation(MOLECULE))
    dots, lines = left["PathCollection"], left["LineCollection"]
    np.testing.assert_allclose(dots.get_facecolor(), CARRIED(np.arange(8, -1, -1) / 8), atol=0.01)
    attention = 1 / (1 + np.abs(np.arange(9) - 4))
    np.testing.assert_allclose(dots.get_sizes() / dots.get_sizes().max(), (0.5 + 0.5 * np.sqrt(attention)) ** 2)
    part = np.array([1, *range(2, 18, 2)]) / 16
    np.testing.assert_allclose(lines.get_linewidths() / lines.get_linewidths()[-1], (0.04 + 0.24 * part) / 0.28)
    assert [dashes is not None for _, dashes in lines.get_linestyles()] == [True] + [False] * 8  # it raises the energy


def test_what_speaks_against_the_class_is_of_the_other_colour_and_grey_was_not_tried():
    _, right = drawn(make_explanation(MOLECULE, tried=3))
    colours = right["PathCollection"].get_facecolor()
    np.testing.assert_allclose(colours[:3], AGAINST_AND_FOR((np.array([1, -2, 3]) / 3 + 1) / 2), atol=0.01)
    assert {tuple(np.round(255 * colour[:3]).astype(int)) for colour in colours[3:]} == {
        tuple(int(PALE[i : i + 2], 16) for i in (1, 3, 5))
    }


def test_nodes_have_labels_left_and_numbers_right():
    left, right, *_ = draw_explanation(make_explanation(MOLECULE)).subfigs[0].axes
    assert [text.get_text() for text in left.texts] == [str(i % 3) for i in range(9)]
    assert [text.get_text() for text in right.texts] == [str(i) for i in range(9)]
    left, *_ = draw_explanation(make_explanation(MOLECULE, labels=False)).subfigs[0].axes
    assert [text.get_text() for text in left.texts] == [str(i) for i in range(9)]


@pytest.mark.parametrize(
    ("graph", "labels", "left", "right"),
    [
        (MOLECULE, True, "on a node: its label", "on a node: its number"),
        (MOLECULE, False, "on a node: its number", "on a node: its number"),
        (nx.path_graph(200), True, "beside some nodes: their numbers", "beside some nodes: their numbers"),
    ],
)
def test_what_is_written_on_nodes_is_said_below(graph, labels, left, right):
    axes = draw_explanation(make_explanation(graph, labels=labels)).subfigs[0].axes
    assert [bar.get_xlabel().splitlines()[1] for bar in axes[2:]] == [left, right]


def test_of_many_nodes_those_that_matter_are_named():
    left, right, *_ = draw_explanation(make_explanation(nx.path_graph(200))).subfigs[0].axes
    assert left.texts[0].get_text() == "100" and right.texts[0].get_text() == "199"
    assert len(left.texts) <= 8 and len(right.texts) <= 8


def test_of_a_large_graph_the_middle_is_drawn_and_said():
    explanation = make_explanation(LARGE, tried=10)
    picture = Picture.of(explanation)
    assert len(picture.graph) == len(picture.xy) == SHOWN
    distance = nx.multi_source_dijkstra_path_length(LARGE, [300 + i for i in (-2, -1, 0, 1, 2)])
    shown = {distance[node] for node in picture.graph}
    assert max(shown) <= min(distance[node] for node in LARGE if node not in picture.graph)
    lines = caption(explanation, SHOWN).splitlines()
    assert lines[1] == f"Drawn are the 150 nodes nearest to the {STARTS} to which the reader attends most."
    assert lines[2] == "Left out in turn were the 10 nodes to which the reader attends most."
    assert len(caption(make_explanation(MOLECULE), 9).splitlines()) == 1


def test_parts_stand_apart_and_places_do_not_change():
    at = places(PIECES)
    assert set(at) == set(PIECES)
    for node, place in places(PIECES).items():
        np.testing.assert_array_equal(place, at[node])
    boxes = [np.array([at[node] for node in part]) for part in nx.connected_components(PIECES)]
    for one, two in combinations(boxes, 2):
        between = np.maximum(one.min(0) - two.max(0), two.min(0) - one.max(0))
        assert between.max() >= 1
    lengths = [np.linalg.norm(at[a] - at[b]) for a, b in PIECES.edges]
    assert 0.8 < np.median(lengths) < 1.2
    path = np.array(list(places(nx.path_graph(9)).values()))
    assert np.ptp(path[:, 0]) > 5 * np.ptp(path[:, 1])


def test_the_caption_adds_up_and_the_headline_says_what_is_right():
    explanation = make_explanation(MOLECULE)
    assert caption(explanation, 9) == (
        "Energy (mean of 2 networks) -48 = nodes -45 + reader -3 = edges -71 + between nodes and reader -5 + memory 28"
    )
    assert headline(explanation) == "Graph 7: class toxic with probability 87.5 %, rightly; 9 nodes, 9 edges"
    assert ", but it is harmless; " in headline(replace(explanation, actual="harmless"))
    assert "%; 9" in headline(replace(explanation, actual=None))


def test_a_node_alone_is_drawn(tmp_path):
    alone = make_explanation(nx.empty_graph(1), tried=0)
    assert headline(alone).endswith("1 node, 0 edges")
    figure = draw_explanation(alone)
    assert len(figure.subfigs[1].legends[0].get_texts()) == 1


def test_graphs_get_their_pictures_and_one_file_of_numbers(tmp_path):
    explanations = [make_explanation(MOLECULE), replace(make_explanation(nx.path_graph(2)), graph=3)]
    assert write_explanations(explanations, tmp_path) == [tmp_path / "graph-7.png", tmp_path / "graph-3.png"]
    names = ["explanations.json", "graph-3.pdf", "graph-3.png", "graph-7.pdf", "graph-7.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    one, two = json.loads((tmp_path / "explanations.json").read_text())
    assert one["edges"][1] == {"source": 0, "target": 5, "energy": -2.0} and two["graph"] == 3
