"""docs/architecture.md shows the house as it is: its floors, its rooms, and the path of one score."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

from ser_study.report.chapters import NUMBERED

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "src" / "ser_study"
PAGE = (PROJECT / "docs" / "architecture.md").read_text("utf-8")
PICTURE = re.search(r"<!-- picture.*?```text\n(.*?)```", PAGE, flags=re.DOTALL)[1].splitlines()


def _names(line: str) -> list[str]:
    """Modules of a floor: what stands before the description."""
    return re.split(r"\s{2,}", line)[0].split(" · ")


def test_the_floors_are_those_of_the_import_contract():
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    drawn = [_names(line) for line in PICTURE if not line.startswith(" ")]
    assert drawn == [layer.split(" | ") for layer in layers if layer != "__main__"]


def test_every_module_stands_on_a_floor():
    drawn = {name for line in PICTURE if not line.startswith(" ") for name in _names(line)}
    there = {path.stem for path in PACKAGE.glob("*.py") if not path.name.startswith("__")}
    there |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert drawn == there


def test_every_room_has_its_notebook():
    drawn = dict(line.split()[:2] for line in PICTURE if line.startswith("  "))
    rooms = {path.parent.name for path in (PACKAGE / "chapters").glob("*/__init__.py")}
    notebooks = {path.stem for path in (PROJECT / "notebooks").glob("*.ipynb") if NUMBERED.fullmatch(path.stem)}
    assert set(drawn) == rooms
    assert set(drawn.values()) == notebooks
    for room, notebook in drawn.items():
        text = (PROJECT / "notebooks" / f"{notebook}.ipynb").read_text("utf-8")
        assert set(re.findall(r"ser_study\.chapters\.(\w+)", text)) == {room}


def test_the_path_of_a_score_crosses_eight_modules_that_hold_what_is_said():
    steps = re.findall(r"^\d+\. `([\w/]+\.py)`: `(?:\w+\.)?(\w+)", PAGE, flags=re.MULTILINE)
    assert 0 < len(steps) <= 8
    for path, name in steps:
        tree = ast.parse((PACKAGE / path).read_text("utf-8"))
        defined = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        assert name in defined, path
