"""Pieces of the published SELYNE scripts, as they stand: these log in, mount a drive and train when they are imported.

Of a script its classes and functions are compiled, and of what it runs as a program single statements by name.
"""

from __future__ import annotations

import ast
import math
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset

Names = dict[str, Any]
Program = list[ast.stmt]


def definitions(script: Path) -> tuple[Names, Program]:
    """What a script defines, and what it would run as a program."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    names: Names = {"torch": torch, "nn": nn, "F": F, "np": np, "math": math, "Dataset": Dataset}
    exec(compiled([node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]), names)
    return names, next(node.body for node in tree.body if isinstance(node, ast.If))


def compiled(nodes: Program) -> CodeType:
    """Some statements, ready to be run among names."""
    return compile(ast.Module(nodes, type_ignores=[]), "published", "exec")


def assignments(program: Program, *wanted: str) -> CodeType:
    """Where a program sets these names for the first time."""
    found = {ast.unparse(node.targets[0]): node for node in reversed(program) if isinstance(node, ast.Assign)}
    return compiled([found[name] for name in wanted])


def turn(program: Program) -> tuple[CodeType, CodeType]:
    """One turn of the loop that trains: what leads to its loss, and what follows as far as the optimizer's step."""
    loops = (node for part in program for node in ast.walk(part) if isinstance(node, ast.For))
    body = next(loop.body for loop in loops if ast.unparse(loop.iter) == "loop")
    lines = [ast.unparse(node) for node in body]
    gradient, end = lines.index("opt.zero_grad()"), lines.index("opt.step()") + 1
    return compiled(body[:gradient]), compiled(body[gradient:end])
