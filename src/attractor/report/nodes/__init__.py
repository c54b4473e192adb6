"""Why a node has the energy it has, drawn."""

from attractor.report.nodes.write import write_explanations

__all__ = ["write_explanations"]
