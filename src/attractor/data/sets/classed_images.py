"""Images and the class of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attractor.data.sources import ImageSource, find_images
from attractor.errors import InputError


@dataclass(frozen=True)
class ClassedImages:
    """``source`` and, image for image, ``categories``."""

    source: ImageSource
    categories: list[str]

    @classmethod
    def from_folder(cls, folder: Path) -> ClassedImages:
        """The images of ``folder/CLASS/...``, class by class; raises :class:`InputError` where there are none."""
        paths = find_images(folder) if folder.is_dir() else []
        if not paths:
            raise InputError(f"{folder} holds no images; put them there as {folder.name}/CLASS/*")
        return cls(ImageSource([str(path) for path in paths], paths), [p.relative_to(folder).parts[0] for p in paths])

    @classmethod
    def from_arrays(cls, name: str, images: np.ndarray, codes: np.ndarray, classes: Sequence[str]) -> ClassedImages:
        """``images`` uint8 ``(N, H, W, C)``, image i of class ``classes[codes[i]]`` and called ``name/CLASS/i``."""
        categories = [classes[code] for code in codes]
        return cls(ImageSource([f"{name}/{c}/{i}" for i, c in enumerate(categories)], list(images)), categories)

    @property
    def classes(self) -> list[str]:
        """The names that occur, sorted."""
        return sorted(set(self.categories))

    def subset(self, indices: Sequence[int]) -> ClassedImages:
        """The images at ``indices``, in that order."""
        return ClassedImages(self.source.subset(indices), [self.categories[i] for i in indices])

    def of(self, name: str) -> list[int]:
        """Where the images of one class are."""
        return [i for i, category in enumerate(self.categories) if category == name]

    def first(self, count: int) -> ClassedImages:
        """The first ``count`` images of every class, class by class; :class:`InputError` where one has fewer."""
        for name in self.classes:
            if (found := len(self.of(name))) < count:
                place = Path(self.source.names[self.of(name)[0]]).parent
                raise InputError(f"{place} has {found} images of the {count} that the protocol takes; complete the set")
        return self.subset([i for name in self.classes for i in self.of(name)[:count]])


Splits = dict[str, ClassedImages]
