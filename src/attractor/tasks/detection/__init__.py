"""Odd images found: fit on normal ones, score, decide, save; and measured on labelled ones."""
