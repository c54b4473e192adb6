"""Forces and what is read with them, by one compiled pass over the tokens: in float32, on CPUs."""
