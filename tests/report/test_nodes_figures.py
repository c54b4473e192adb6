"""An explained node is drawn as it is, whether it sees nobody or thousands."""

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from attractor.report.nodes import write_explanations
from attractor.report.nodes.figure import bars, draw_explanation, headline, part
from attractor.report.nodes.ring import draw_ring
from attractor.report.pictures import HEAT_MAP
from attractor.report.style import GREEN, ORANGE, new_figure
from attractor.tasks.nodes.explanation import Feature, MemoryShare, NeighbourShare, NodeExplanation, Rest

LONG = "reviewed the same product within a week"


def make_explanation(neighbours: int = 3, others: int = 0, relation: str = "") -> NodeExplanation:
    """Neighbour i adds -8/(i + 1), the first raises the energy; memories -1, -1/2, ...; 7 of them are not named."""
    seen = [
        NeighbourShare(
            *(5_800_000 + i, str(5_800_000 + i), relation),
            *((8.0 if i == 0 else -8.0) / (i + 1), 0.1 * i, i / max(1, neighbours)),
        )
        for i in range(neighbours)
    ]
    memories = [MemoryShare(i % 2, i, -1 / (i + 1)) for i in range(5)]
    attention = sum(n.energy for n in seen) - 0.25 * (others > 0)
    memory = sum(m.energy for m in memories) - 0.5
    return NodeExplanation(
        node=5_812_345,
        name="5812345",
        members=2,
        score=0.875,
        rank=0.9375,
        p_value=0.015,
        energy=attention + memory,
        neighbours=tuple(seen),
        other_neighbours=Rest(others, -0.25 * (others > 0)),
        memories=tuple(memories),
        other_memories=Rest(7, -0.5),
        features=tuple(Feature(f"feature {i}", (-1) ** i * (20 - i)) for i in range(12)),
        attention=(1.0, attention),
        memory=(-1.0, memory),
    )


def drawn_ring(explanation):
    axes = new_figure(6, 6).subplots()
    draw_ring(axes, explanation)
    return axes


def written(axis):
    """The labels of an axis that are in sight."""
    low, high = sorted(axis.get_view_interval())
    ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [axis.label, *(label for place, label in ticks if low <= place <= high)]


@pytest.mark.parametrize(("neighbours", "others", "relation"), [(0, 0, ""), (1, 0, ""), (10, 990, ""), (12, 5, LONG)])
def test_no_label_lies_on_another(neighbours, others, relation):
    figure = draw_explanation(make_explanation(neighbours, others, relation))
    figure.draw_without_rendering()
    texts = [text for part in (figure, *figure.axes) for text in part.texts]
    for axes in figure.axes:
        texts += [
            axes._left_title,
            *(tick for axis in (axes.xaxis, axes.yaxis) for tick in written(axis) if axes.axison),
        ]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    assert len(boxes) > 30
    assert [(a, b) for (a, one), (b, two) in combinations(boxes, 2) if one.overlaps(two)] == []
    page = figure.bbox
    assert [text for text, box in boxes if box.x0 < page.x0 or box.x1 > page.x1] == []


def test_lines_are_as_wide_as_shares_and_nodes_as_bright_as_ranks():
    ring = drawn_ring(make_explanation(3))
    widths = np.array([line.get_linewidth() for line in ring.lines])
    np.testing.assert_allclose(widths, 0.8 + 10.2 * np.array([1, 1 / 2, 1 / 3]))
    assert [line.get_linestyle() for line in ring.lines] == [":", "-", "-"]  # the first raises the energy
    drawn = [dots.get_facecolor()[0] for dots in ring.collections]
    np.testing.assert_allclose(drawn, [HEAT_MAP(rank) for rank in (0, 1 / 3, 2 / 3, 0.9375)])
    assert [text.get_text() for text in ring.texts] == ["5800000", "5800001", "5800002"]
    tops = [dots.get_offsets()[0] for dots in ring.collections]
    np.testing.assert_allclose(tops[0], [0, 1], atol=1e-12)
    np.testing.assert_allclose(tops[-1], [0, 0])


@pytest.mark.parametrize(
    ("neighbours", "others", "drawn", "said"),
    [(0, 0, 0, "sees no other node"), (10, 0, 10, "5800009"), (10, 990, 11, "990 more"), (12, 1088, 11, "1,090 more")],
)
def test_a_ring_has_room_for_ten(neighbours, others, drawn, said):
    ring = drawn_ring(make_explanation(neighbours, others))
    assert len(ring.lines) == drawn
    assert ring.texts[-1].get_text() == said


@pytest.mark.parametrize(("neighbours", "others"), [(0, 0), (3, 0), (12, 0), (12, 1088)])
def test_bars_are_the_whole_energy(neighbours, others):
    explanation = make_explanation(neighbours, others)
    shown = bars(explanation)
    assert sum(bar.energy for bar in shown) == pytest.approx(explanation.energy)
    assert [bar.label for bar in shown if bar.colour == ORANGE] == [
        "memory 0, member 0",
        "memory 1, member 1",
        "memory 2, member 0",
        "other memories (9)",
    ]
    left = max(0, neighbours - 10) + others
    labels = [bar.label for bar in shown if bar.colour == GREEN]
    assert labels[10:] == ([f"other neighbours ({left:,})"] if left else [])
    drawn = draw_explanation(explanation).axes[1]
    assert [patch.get_width() for patch in drawn.patches] == pytest.approx([bar.energy for bar in shown])
    assert [bool(patch.get_hatch()) for patch in drawn.patches] == [bar.several for bar in shown]
    assert drawn.xaxis_inverted()


def test_one_networks_memories_need_no_member():
    assert bars(replace(make_explanation(), members=1))[-2].label == "memory 2"


def test_descent_and_features_are_the_nodes_own():
    explanation = make_explanation(3)
    descent, features = draw_explanation(explanation).axes[2:4]
    total, attention, memory = (line.get_ydata() for line in descent.lines)
    np.testing.assert_allclose(total, [0, explanation.energy - 0])
    np.testing.assert_allclose(attention, [0, explanation.attention[1] - 1])
    np.testing.assert_allclose(memory, [0, explanation.memory[1] + 1])
    assert [patch.get_width() for patch in features.patches] == [f.value for f in explanation.features[:10]]
    assert [label.get_text() for label in features.get_yticklabels()] == [f.name for f in explanation.features[:10]]


def test_the_headline_counts_neighbours():
    assert headline(make_explanation(1)) == (
        "Node 5812345: score 0.875, above 93.7 % of the nodes, p = 0.015; energy 5.217; 1 neighbour"
    )
    assert headline(make_explanation(10, 990)).endswith("1,000 neighbours")


@pytest.mark.parametrize(("rank", "said"), [(0, "0"), (0.5, "50"), (0.9999, "99.9"), (0.001, "0.1")])
def test_no_node_is_above_all(rank, said):
    assert part(rank) == f"{said} %"


def test_a_node_gets_its_picture_and_numbers(tmp_path):
    assert write_explanations([replace(make_explanation(2), node=7)], tmp_path) == [tmp_path / "node-7.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node-7.json", "node-7.pdf", "node-7.png"]
    assert json.loads((tmp_path / "node-7.json").read_text())["neighbours"][1]["energy"] == -4.0
