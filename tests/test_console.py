"""What is said of long work where there is no terminal."""

import pytest

from attractor import console


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(console.progress([3, 4, 5], "reading", 12, lambda n: n)) == [3, 4, 5]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(console, "QUIET", -1)
    assert list(console.progress([3, 4, 5], "reading", 12, lambda n: n)) == [3, 4, 5]
    assert capsys.readouterr().err.splitlines() == ["reading: 3 of 12", "reading: 7 of 12", "reading: 12 of 12"]
