"""README and docs tell the truth: their numbers are those of the results files, the commands exist."""

import re
import runpy
from pathlib import Path

from typer.main import get_command

from attractor.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_number_in_the_tables_comes_from_a_results_file(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    tables = runpy.run_path(str(ROOT / "benchmarks" / "tables.py"))
    marked = 0
    for path in tables["PAGES"]:
        page = path.read_text(encoding="utf-8")
        assert tables["updated"](page, ROOT / "results") == page, "run python benchmarks/tables.py"
        marked += len(tables["MARKED"].findall(page))
    assert marked == len(tables["BLOCKS"])


def test_every_command_and_option_in_the_readme_exists():
    command = get_command(app)
    verbs = "detect|pretrain|inspect|demo|inpaint|convert|export|nodes|graphs|bench|reproduce|push"
    shown = re.findall(rf"(?:^|`)(?:attractor )?((?:{verbs})(?=[ `])[^`\n]*)", README, re.MULTILINE)
    assert len(shown) > 6
    for line in shown:
        words = line.replace("[", " ").split()
        at, names = command, list(words)
        while names and hasattr(at, "commands") and names[0] in at.commands:
            at = at.commands[names.pop(0)]
        assert not hasattr(at, "commands"), f"no such command: {line}"
        options = {name for parameter in at.params for name in parameter.opts}
        assert {word for word in names if re.fullmatch(r"--?[a-z][a-z-]*", word)} <= options, line
