"""Training on whole graphs: losses are what they say, the right weights are kept, a killed run resumes to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from attractor.data.graphs.packed import Encoder
from attractor.errors import InputError
from attractor.models import GraphET, GraphETConfig
from attractor.training.graph_summaries import GraphSummaries, hide, summary
from attractor.training.graphs import LABEL_SMOOTHING, GraphLabels, GraphObjective, Graphs, batches
from attractor.training.loop import train
from attractor.training.nodes import CLIP
from attractor.training.schedule import Schedule
from interrupted import assert_resumes_to_the_bit
from rings import rings_and_paths

GRAPHS = rings_and_paths()
ENCODER = Encoder.of(GRAPHS)
PACKED = ENCODER.encode(GRAPHS)
CLASSES = GRAPHS.y.codes
SCHEDULE = Schedule(6, 10, lr=5e-3, weight_decay=0.0, precision="fp32", checkpoint_seconds=0)
pytestmark = pytest.mark.usefixtures("one_thread")
BOTH = pytest.mark.parametrize("kind", ["labels", "summaries"])


def graphs(validation: range = range(30, 40)) -> Graphs:
    return Graphs(PACKED, torch.arange(30), torch.tensor(validation), torch.device("cpu"))


def objective(kind: str, data: Graphs | None = None, y: torch.Tensor = CLASSES, dropout: float = 0.1) -> GraphObjective:
    torch.manual_seed(0)
    data = data or graphs()
    width = 2 if kind == "labels" else ENCODER.features + ENCODER.positions
    sizes = {"dim": 12, "heads": 2, "head_dim": 6, "memories": 16, "blocks": 2, "dropout": dropout}
    model = GraphET(GraphETConfig(ENCODER.features, ENCODER.positions, ENCODER.links, width, **sizes))
    model.fit_scales(PACKED.batch(data.train))
    return GraphLabels(data, y, model) if kind == "labels" else GraphSummaries(data, model)


def test_labels_are_learned_by_smoothed_cross_entropy() -> None:
    run, chosen = objective("labels", Graphs(PACKED, torch.arange(5, 30), torch.arange(0), torch.device("cpu"))), [3, 0]
    loss, _ = run.eval()(torch.tensor(chosen))
    logits = run.model(PACKED.batch([8, 5]))
    expected = F.cross_entropy(logits, CLASSES[[8, 5]], label_smoothing=LABEL_SMOOTHING)
    torch.testing.assert_close(loss, expected)


@BOTH
def test_the_loss_falls(kind: str) -> None:
    history = train(objective(kind, dropout=0.0), Schedule(25, 10, lr=5e-3, weight_decay=0.0, precision="fp32"))
    assert history[-1]["train_loss"] < 0.7 * history[0]["train_loss"]


def test_validation_chooses_by_accuracy_then_loss_and_the_first_of_equals_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = objective("labels")
    right = F.one_hot(CLASSES, 2).float()[30:]
    wrong = 1 - right
    answers = [3 * right, 5 * right, 5 * right, torch.cat([9 * right[:9], 9 * wrong[9:]]), 4 * right]
    kept = []
    for number, answer in enumerate(answers):
        for module in (run.model, run.mean):
            monkeypatch.setattr(module, "forward", lambda batch, answer=answer: answer)
            torch.nn.init.constant_(module.reader, number)
        figures = run.validate()
        kept.append(float(run.best.reader[0]))
        assert figures["val_loss"] == pytest.approx(float(F.cross_entropy(answer, CLASSES[30:])))
        assert figures["val_accuracy"] == pytest.approx(0.9 if number == 3 else 1)
    assert kept == [0, 1, 1, 1, 1]


def test_training_keeps_the_weights_of_the_best_epoch() -> None:
    run = objective("labels")
    history = train(run, SCHEDULE)
    best = max(history, key=lambda row: row["val_choice"])
    logits = run.best.eval()(PACKED.batch(range(30, 40)))
    y = CLASSES[30:]
    assert float((logits.argmax(dim=1) == y).double().mean()) == pytest.approx(best["val_accuracy"])
    assert float(F.cross_entropy(logits, y)) == pytest.approx(best["val_loss"], rel=1e-5)


@pytest.mark.parametrize(("kind", "validation"), [("labels", range(0)), ("summaries", range(30, 40))])
def test_where_nothing_chooses_the_last_epoch_is_kept(kind: str, validation: range) -> None:
    run = objective(kind, graphs(validation))
    history = train(run, SCHEDULE)
    assert run.score is None and not any(name.startswith("val") for name in history[-1])
    for name, expected in run.mean.state_dict().items():
        assert torch.equal(run.best.state_dict()[name], expected), name


@BOTH
def test_a_killed_run_resumes_to_the_bit(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_resumes_to_the_bit(lambda: objective(kind), SCHEDULE, tmp_path, monkeypatch)


def test_other_classes_graphs_or_networks_are_not_resumed(tmp_path: Path) -> None:
    train(objective("labels"), SCHEDULE, tmp_path)
    for other, words in [
        (objective("labels", y=1 - CLASSES), "data"),
        (objective("labels", graphs(range(30, 39))), "data"),
        (objective("labels", dropout=0.2), "network"),
        (objective("summaries"), "network"),
    ]:
        with pytest.raises(InputError, match=words):
            train(other, SCHEDULE, tmp_path, resume=True)


def test_a_summary_is_the_mean_of_what_is_known_of_the_nodes_cut_at_five_deviations() -> None:
    model, batch = objective("summaries").model, PACKED.batch([4, 7])
    batch.x[1, -1] = 1e4
    found = summary(model, batch)
    x = torch.cat([model.standardize(batch.x), model.standardize_positions(batch.positions)], dim=1)
    x[1, ENCODER.features - 1] = CLIP
    first, last = int(batch.ptr[1]), int(batch.ptr[2])
    expected = torch.stack([x[1:first].mean(dim=0), x[first + 1 : last].mean(dim=0)])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_what_is_hidden_reads_as_the_mean_and_the_rest_stays() -> None:
    model, batch = objective("summaries").model, PACKED.batch(range(40))
    hidden = hide(model, batch)
    means = torch.cat([model.standardize.mean, model.standardize_positions.mean])
    before, after = (torch.cat([b.x, b.positions], dim=1)[batch.is_node] for b in (batch, hidden))
    kept = before == after
    assert (kept | (after == means)).all()
    share = (after == means)[:, ENCODER.features - 1 :].float().mean(dim=1)  # of columns that are never at their mean
    assert 0.35 < share.mean() < 0.65 and share.std() > 0.25  # of every node another share
    assert hidden.edges is batch.edges and hidden.links is batch.links


def test_summaries_are_foretold_of_graphs_of_which_much_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    run, batch = objective("summaries").eval(), PACKED.batch(range(30))
    seen = []
    forward = run.model.forward
    monkeypatch.setattr(run.model, "forward", lambda hidden: seen.append(hidden) or forward(hidden))
    loss, _ = run(torch.arange(30))
    truth = summary(run.model, batch)
    z = (truth - truth.mean(dim=0)) / truth.std(dim=0, correction=0).where(truth.std(dim=0) > 1e-6, torch.tensor(1.0))
    assert not torch.equal(seen[0].x, batch.x)
    torch.testing.assert_close(loss, F.mse_loss(forward(seen[0]), z), rtol=1e-4, atol=1e-4)


def test_batches_are_bounded_and_lose_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attractor.training.graphs.VALIDATION_TOKENS", 32)
    order = torch.randperm(40)
    parts = batches(PACKED, order, torch.device("cpu"))
    assert len(parts) > 5 and max(len(part.x) for part in parts) < 32 + 10
    torch.testing.assert_close(torch.cat([part.x for part in parts]), PACKED.batch(order).x)
