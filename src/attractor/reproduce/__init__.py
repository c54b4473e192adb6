"""Every row of the published tables as one run: the data, the protocol, ours beside the published number."""
