"""Time and memory, ours beside published codes, measured in turns."""
