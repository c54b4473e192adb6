"""The network on nodes: a descent on one energy, blind to numbering, to what is far, and to the number of nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from attractor.energy import Context, Edges
from attractor.energy.ops import in_blocks
from attractor.errors import InputError
from attractor.models import NodeET, NodeETConfig
from attractor.models.store import load_model, save_model

NODES = 40
SMALL = {"features": 3, "dim": 12, "heads": 2, "head_dim": 4, "memories": 8, "steps": 2, "step_size": 0.4}


def network(relations: int = 1, **changes: float) -> NodeET:
    torch.manual_seed(0)
    model = NodeET(NodeETConfig(**{**SMALL, "relations": relations, **changes})).eval()
    model.standardize.fit(features())
    return model


def features() -> Tensor:
    return torch.randn(NODES, 3, generator=torch.Generator().manual_seed(1))


def pairs(count: int = 80, seed: int = 0) -> Tensor:
    """Edges among all nodes but the last, which is isolated."""
    return torch.randint(NODES - 1, (2, count), generator=torch.Generator().manual_seed(seed))


def graph(relations: int = 1) -> tuple[Edges, ...]:
    return tuple(Edges.build(pairs(seed=seed), NODES) for seed in range(relations))


@pytest.mark.parametrize("relations", [1, 2])
def test_the_tokens_walk_down_the_gradient_of_the_energy(relations: int) -> None:
    model, edges = network(relations).double(), graph(relations)
    start = model.tokens(features().double())
    x = start.unsqueeze(0)
    for _ in range(2):
        g = model.norm(x).detach().requires_grad_()
        x = x - 0.4 * torch.autograd.grad(model.energy.energy(g, Context(edges=edges)).sum(), g)[0]
    g, _ = model.evolve(start, edges)
    torch.testing.assert_close(g, model.norm(x).squeeze(0))
    torch.testing.assert_close(model(features().double(), edges), model.read(start, g))


def test_renumbered_nodes_have_the_same_logits() -> None:
    model, x, order = network(), features(), torch.randperm(NODES)
    where = torch.empty_like(order)
    where[order] = torch.arange(NODES)
    renumbered = model(x[order], (Edges.build(where[pairs()], NODES),))
    torch.testing.assert_close(renumbered, model(x, graph())[order], atol=1e-5, rtol=1e-5)


def test_nodes_elsewhere_change_nothing_and_their_number_is_free() -> None:
    model, x = network(), features()
    more = torch.cat([pairs(), torch.randint(NODES, NODES + 9, (2, 30))], dim=1)
    logits = model(torch.cat([x, torch.randn(9, 3)]), (Edges.build(more, NODES + 9),))
    torch.testing.assert_close(logits[:NODES], model(x, graph()), atol=1e-5, rtol=1e-5)


def test_an_isolated_node_is_finite_with_a_self_loop_and_without() -> None:
    for loops in (True, False):
        model = network()
        logits = model(features(), (Edges.build(pairs(), NODES, self_loops=loops),))
        logits.sum().backward()
        assert logits.isfinite().all() and all(p.grad.isfinite().all() for p in model.energy.parameters())


def test_neighbours_matter() -> None:
    model, x = network(), features()
    alone = Edges.build(torch.empty(2, 0, dtype=torch.int64), NODES)
    changed = (model(x, graph()) - model(x, (alone,))).abs().amax(dim=1)
    assert changed[-1] < 1e-5 < changed[:-1].median()


def test_blocks_of_rows_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, edges = network(), features(), graph()
    with torch.no_grad():
        whole = model(x, edges)
        monkeypatch.setattr(in_blocks, "BLOCK", 7)
        torch.testing.assert_close(model(x, edges), whole, atol=1e-6, rtol=1e-5)


def test_hidden_features_do_not_act() -> None:
    model, x, hidden = network(), features(), torch.rand(NODES, 3) < 0.5
    other = torch.where(hidden, torch.randn(NODES, 3), x)
    assert torch.equal(model.hide(x, hidden), model.hide(other, hidden))
    assert torch.equal(model.hide(x, hidden)[~hidden], x[~hidden])
    assert model.reconstruct(x, graph()).shape == x.shape


def test_dropout_draws_in_training_alone() -> None:
    model, x, edges = network(dropout=0.5), features(), graph()
    assert torch.equal(model(x, edges), model(x, edges))
    model.train()
    assert not torch.equal(model(x, edges), model(x, edges))


def test_every_parameter_learns() -> None:
    model, x, edges = network(2), features(), graph(2)
    (model(x, edges).square().sum() + model.reconstruct(x, edges).square().sum()).backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


def test_a_saved_network_says_the_same(tmp_path: Path) -> None:
    model = network(2)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert isinstance(loaded, NodeET) and loaded.config == model.config
    assert torch.equal(loaded(features(), graph(2)), model(features(), graph(2)))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="1 relations, not 2"):
        network()(features(), graph(2))
    with pytest.raises(InputError, match=r"\(nodes, 3\)"):
        network()(features()[:, :2], graph())
    with pytest.raises(InputError, match="steps"):
        network(steps=0)
    with pytest.raises(InputError, match="dropout"):
        network(dropout=1.5)
