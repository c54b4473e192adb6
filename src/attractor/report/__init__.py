"""Pictures and one self-contained HTML page from an evaluation, and the figures of a training run."""

from attractor.report.heat import write_heat_maps
from attractor.report.history import write_training_figures
from attractor.report.write import write_report

__all__ = ["write_heat_maps", "write_report", "write_training_figures"]
