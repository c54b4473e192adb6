"""Hidden pixels filled in: an image framed for the model, painted, watched on its way, and measured."""
