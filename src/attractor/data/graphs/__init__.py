"""Graphs to tensors: files, named sets, splits and samples of their nodes."""
