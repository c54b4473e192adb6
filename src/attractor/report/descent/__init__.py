"""A descent to watch: figures, an animation, and one page with a slider over its steps."""

from attractor.report.descent.write import write_descent

__all__ = ["write_descent"]
