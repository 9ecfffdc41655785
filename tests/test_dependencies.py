"""What the package imports is declared in pyproject.toml, and what is declared has a use."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
DISTRIBUTION = {  # where it differs from the name imported
    **{"sklearn": "scikit-learn", "IPython": "ipython", "vl_convert": "vl-convert-python", "PIL": "pillow"},
}
RUN_ONLY = {"distributed", "ipykernel", "ipywidgets", "jupyterlab", "websockets"}  # doors to Dask, notebooks, streams
CPU_BUILDS = {"tensorflow-cpu", "xgboost-cpu"}  # smaller builds of what is imported under the plain name


def _declared() -> set[str]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = project["dependencies"] + [line for name in extras if name != "dev" for line in extras[name]]
    return {_plain(re.match(r"[\w-]+", line)[0]) for line in lines}


def _plain(name: str) -> str:
    return DISTRIBUTION.get(name, name).lower().replace("_", "-")


def _imported() -> set[str]:
    names = set()
    for path in (*(PROJECT / "src").rglob("*.py"), PROJECT / "run_all.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return {_plain(name) for name in names - set(sys.stdlib_module_names) - {"ser_study"}}


def test_what_is_imported_is_declared():
    assert _imported() - _declared() == set()


def test_what_is_declared_is_imported():
    assert _declared() - _imported() - RUN_ONLY - CPU_BUILDS == set()
