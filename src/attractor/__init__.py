"""Energy-based transformers that work."""

__version__ = "0.1.0"
