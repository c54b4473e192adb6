"""Room for images that memory would not hold."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch

from attractor.data import room
from attractor.data.room import image_room
from attractor.errors import InputError


def test_a_large_set_lies_in_a_file_that_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(room, "IN_MEMORY", 1000)
    assert "mapped" not in capsys.readouterr().err
    images = image_room(50, 3, (8, 8))
    assert images.shape == (50, 3, 8, 8) and images.dtype == torch.uint8
    images[7] = 9
    assert int(images[7].sum()) == 9 * 192 and str(tmp_path) in capsys.readouterr().err.replace("\n", "")
    assert list(tmp_path.iterdir()) == []
    assert image_room(5, 3, (8, 8)).shape == (5, 3, 8, 8) and capsys.readouterr().err == ""


def test_a_disk_without_room_is_said_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "IN_MEMORY", 1000)
    with pytest.raises(InputError, match="TMPDIR"):
        image_room(2**40, 3, (64, 64))
