"""Pictures and one self-contained HTML page from an evaluation or a descent, and the figures of a training run."""

from attractor.report.descent import write_descent
from attractor.report.heat import write_heat_maps
from attractor.report.history import write_training_figures
from attractor.report.inpainting_curves import write_inpainting_figure
from attractor.report.write import write_report

__all__ = ["write_descent", "write_heat_maps", "write_inpainting_figure", "write_report", "write_training_figures"]
