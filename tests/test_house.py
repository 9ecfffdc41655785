"""The house rules: layers, sizes, equal environment files, thin notebooks, nothing forbidden in the tree."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from statistics import median

import pytest

PROJECT = Path(__file__).resolve().parents[1]
MODULES = sorted((PROJECT / "src").rglob("*.py"))
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


def tracked() -> list[Path]:
    command = ["git", "-C", str(PROJECT), "ls-files", "-co", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout, so the tracked files are unknown")
    return [PROJECT / name for name in done.stdout.splitlines() if (PROJECT / name).is_file()]


def test_layers():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_ruff(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "src", "tests", "run_all.py"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_modules_and_functions_are_small():
    lengths = {path: path.read_text().count("\n") for path in MODULES}
    long_modules = {path.name: n for path, n in lengths.items() if n > 300}
    long_functions = [
        f"{path.name}:{node.name} {node.end_lineno - node.lineno + 1}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and _body_lines(node) > 40
    ]
    assert not long_modules
    assert not long_functions
    assert median(_code_lines(path) for path in MODULES) <= 150
    assert (PROJECT / "run_all.py").read_text().count("\n") <= 60


def _code_lines(path: Path) -> int:
    """Lines that are neither blank nor part of a docstring."""
    text = path.read_text()
    blank = sum(not line.strip() for line in text.splitlines())
    nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.Module, ast.FunctionDef, ast.ClassDef))]
    words = sum(n.body[0].end_lineno - n.body[0].lineno + 1 for n in nodes if ast.get_docstring(n) is not None)
    return text.count("\n") - blank - words


def _body_lines(node: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    documented = ast.get_docstring(node) is not None
    words = node.body[0].end_lineno - node.body[0].lineno + 1 if documented else 0
    return node.end_lineno - node.lineno + 1 - words


def test_public_functions_have_docstrings():
    bare = [
        f"{path.relative_to(PROJECT)}:{node.name}"
        for path in MODULES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not bare


def test_import_is_light():
    code = (
        "import sys, ser_study; print([m for m in ('numpy', 'librosa', 'tensorflow', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_thin(path):
    cells = json.loads(path.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert 1 <= len(code) <= 25
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    for before, cell in zip(cells, cells[1:]):
        if cell["cell_type"] == "code":
            assert before["cell_type"] == "markdown", "a word before every code cell"
    for cell in code:
        source = "".join(cell["source"])
        assert source.count("\n") < 10, source
        assert not any(isinstance(n, (ast.FunctionDef, ast.ClassDef, ast.Lambda)) for n in ast.walk(ast.parse(source)))
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1


def test_environment_files_agree():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = set(project["dependencies"]) | {d for extra in project["optional-dependencies"].values() for d in extra}
    listed = {
        line.strip().removeprefix("- ").strip('"')
        for line in (PROJECT / "environment.yml").read_text().splitlines()
        if line.startswith("      - ")
    }
    assert listed - {"-e ."} == wanted


def test_lock_covers_every_dependency_with_hashes_and_without_addresses():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [d for extra in project["optional-dependencies"].values() for d in extra]
    lock = (PROJECT / "requirements.txt").read_text()
    pinned = set(re.findall(r"^([a-z0-9-]+)==", lock, flags=re.MULTILINE))
    names = {re.match(r"[A-Za-z0-9_-]+", dependency)[0].lower().replace("_", "-") for dependency in wanted}
    assert names <= pinned
    entries = re.split(r"^(?=[a-z0-9-]+==)", lock, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"https?://|file:|--index|--find-links", lock)


def test_nothing_forbidden_is_tracked():
    audio = {".wav", ".ogg", ".flac", ".mp3", ".opus", ".aiff"}
    found = [path.name for path in tracked() if path.suffix in audio or path.stat().st_size > 20_000_000]
    assert not found
    sounds = [path.name for path in tracked() if path.suffix == ".html" and "data:audio" in path.read_text()]
    assert not sounds


def test_published_reports_name_no_machine():
    told = [path for path in tracked() if path.parts[len(PROJECT.parts)] == "reports"]
    told = [path for path in told if path.suffix in {".html", ".csv", ".json"}]
    pattern = re.compile(r"/(?:home|root|Users|tmp|private|mnt|opt)/[\w.-]+/|" + re.escape(str(PROJECT)))
    assert told
    assert not [path.name for path in told if pattern.search(path.read_text(encoding="utf-8"))]
