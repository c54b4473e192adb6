"""The published graph Energy Transformer for odd nodes: its net on a whole graph, and a step of Adam.

``clone`` is one of github.com/zhuergou/Energy-Transformer-for-Graph-Anomaly-Detection; the interpreter needs ``pip
install torch dgl==1.1.3 packaging``: later DGL wants a library built for the very torch. Both ends of an edge see each
other and every node itself. A step has size one and clamped scores, its heads are as wide as the tokens whatever
``head_dim`` says, and the last has weights of its own. Layer norm and residual as in its README; dropout is off.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import dgl
import numpy as np
import torch
import torch.nn.functional as F

CLASSES = 2


def published(spec: dict[str, Any], features: int, graph: Any) -> Any:
    """Its net, made as ``main_without_subsample.py`` makes it."""
    dgl.function.src_mul_edge, dgl.function.copy_edge = dgl.function.u_mul_e, dgl.function.copy_e  # renamed since
    sys.path.insert(0, spec["clone"])
    from graph_transformer_net import GraphTransformerNet

    sizes = {"num_heads": spec["heads"], "n_layers": spec["steps"], "ffn": spec["memories"] // spec["dim"]}
    settings = {"layer_norm": True, "batch_norm": False, "residual": True, "dropout": 0.0}
    rest = {"args": SimpleNamespace(homo=True), "subsample_flag": 0}
    return GraphTransformerNet(features, spec["dim"], CLASSES, graph, **sizes, **settings, **rest)


def passes(spec: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """``forward``: logits of every node; ``train``: a step on all of them; the graph is copied first, as published."""
    torch.manual_seed(spec["seed"])
    device = torch.device(spec.get("device", "cpu"))
    with np.load(spec["file"], allow_pickle=False) as file:
        x, y, ends = (torch.from_numpy(file[name]) for name in ("x", "y", "edge_index"))
    both_ways = dgl.to_bidirected(dgl.remove_self_loop(dgl.graph(tuple(ends), num_nodes=len(x))))
    graph = dgl.add_self_loop(both_ways).to(device)
    model = published(spec, x.shape[1], graph).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x, y = x.to(device), y.to(device)

    def logits() -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=spec["precision"] == "bfloat16"):
            return model(copy.deepcopy(graph), x, 0)

    @torch.inference_mode()
    def forward() -> float:
        model.eval()
        return logits().sum().item()

    def train() -> float:
        model.train()
        loss = F.cross_entropy(logits().float(), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return {"forward": forward, "train": train}


def versions() -> dict[str, str]:
    """What runs it."""
    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    return {"torch": torch.__version__, "dgl": dgl.__version__, "threads": str(torch.get_num_threads()), **gpu}
