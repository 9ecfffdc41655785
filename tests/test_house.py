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
NOT_IN_A_CELL = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.If, ast.IfExp)
PRIVATE = {"told", "heard", "lent", "gathered", "further", "seed184", "said", "found", "asked", "shown", "across"}


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
    assert 1 <= len(code) <= 20
    assert all("".join(cell["source"]).strip() for cell in cells), "an empty cell"
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    for before, cell in zip([None, *cells], cells):
        if cell["cell_type"] == "code":
            assert before, "a word before every code cell, the first one too"
            assert before["cell_type"] == "markdown", "a word before every code cell"
    for cell in code:
        source = "".join(cell["source"])
        lines = source.splitlines()
        assert len(lines) <= 10, source
        assert max(map(len, lines)) <= 110, source
        nodes = list(ast.walk(ast.parse(source)))
        assert not any(isinstance(node, NOT_IN_A_CELL) for node in nodes), source
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_types_no_score(path):
    """Scores are computed; what is typed contradicts the tables one day."""
    cells = json.loads(path.read_text())["cells"]
    text = " ".join(" ".join("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown")
    assert set(re.findall(r"\d[\d. to–-]*%|(?<![\w.])\.\d\d\d?\b", text)) <= {"100 %"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_ends_with_something_to_try(path):
    cells = json.loads(path.read_text())["cells"]
    headings = [
        line for cell in cells if cell["cell_type"] == "markdown" for line in "".join(cell["source"]).splitlines()
    ]
    sections = [line for line in headings if re.match(r"#{1,2} ", line)]
    assert sections[-1] == "## Try this"


def test_notebook_files_are_valid_and_written_alike():
    import nbformat

    for path in NOTEBOOKS:
        text = path.read_text("utf-8")
        content = json.loads(text)
        nbformat.validate(content)
        assert (content["nbformat"], content["nbformat_minor"]) == (4, 5), path.name
        ids = [cell["id"] for cell in content["cells"]]
        assert len(set(ids)) == len(ids), path.name
        assert text == json.dumps(content, indent=1, ensure_ascii=False) + "\n", path.name


def test_no_private_words_in_identifiers():
    """Names say what a thing is; prose may use the verbs."""
    sources = {path.relative_to(PROJECT).as_posix(): path.read_text("utf-8") for path in MODULES}
    for path in NOTEBOOKS:
        code = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        sources[path.name] = "\n".join("".join(cell["source"]) for cell in code)
    offenders = [f"{name}: {word}" for name, text in sources.items() for word in sorted(_identifiers(name, text))
                 if PRIVATE.intersection(word.lower().split("_"))]  # fmt: skip
    assert not offenders


def _identifiers(name: str, text: str) -> set[str]:
    """Names of a module and in it: what is assigned, defined, imported, passed by keyword or reached by attribute."""
    words = {Path(name).stem}
    for node in ast.walk(ast.parse(text)):
        for field in ("id", "name", "attr", "arg", "asname"):
            value = getattr(node, field, None)
            words |= set(value.split(".")) if isinstance(value, str) else set()
    return words


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
    published = [path for path in tracked() if path.parts[len(PROJECT.parts)] == "reports"]
    published = [path for path in published if path.suffix in {".html", ".csv", ".json"}]
    pattern = re.compile(r"/(?:home|root|Users|tmp|private|mnt|opt)/[\w.-]+/|" + re.escape(str(PROJECT)))
    assert published
    assert not [path.name for path in published if pattern.search(path.read_text(encoding="utf-8"))]


def test_no_two_chapters_share_an_exhibit_name():
    """A chapter that shows nothing under a name removes the file of that name, and would take another's away."""
    rooms: dict[str, set[str]] = {}
    for path in (PROJECT / "src" / "ser_study" / "chapters").glob("*/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_caption = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Caption" and node.args
            if is_caption and isinstance(node.args[0], ast.Constant):
                rooms.setdefault(node.args[0].value, set()).add(path.parent.name)
    assert len(rooms) > 60
    assert {name: where for name, where in rooms.items() if len(where) > 1} == {}
