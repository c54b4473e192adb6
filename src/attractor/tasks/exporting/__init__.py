"""What was fitted as an ONNX file, to be run without this library."""

from attractor.tasks.exporting.export import Exported, export_onnx

__all__ = ["Exported", "export_onnx"]
