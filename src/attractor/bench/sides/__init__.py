"""One file a side of a comparison: ours, and adaptors that run published code from its own checkout."""
