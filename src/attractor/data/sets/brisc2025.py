"""BRISC 2025: slices of brains, without a tumour and with one of three kinds; put there by hand."""

from __future__ import annotations

from pathlib import Path

from attractor.data.sets.local import folder_by_hand

REMEDY = "get 'BRISC 2025' from Figshare or Kaggle, and put the folder brisc2025 or brisc2025.zip there"


def brisc2025(folder: Path) -> Path:
    """The folder that holds ``train/CLASS`` and ``test/CLASS`` at some depth; :class:`InputError` where it is missing.

    The classes are ``no_tumor``, ``glioma``, ``meningioma`` and ``pituitary``.
    """
    return folder_by_hand("brisc2025", folder, REMEDY)
