"""Why a graph has the class it is given, drawn."""

from attractor.report.graphs.write import write_explanations

__all__ = ["write_explanations"]
