"""Threads for graphs that are far too small for them."""

from __future__ import annotations

import pytest
import torch

from attractor.energy.ops import threads


def cut_for_two_threads(monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    """Cut even the smallest graph into parts for two threads, torch's or our own."""
    if own:
        monkeypatch.setattr(threads, "_team", None)
    monkeypatch.setattr(threads, "SMALL", 0)
    monkeypatch.setattr(threads, "SMALL_FOR_OWN", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
