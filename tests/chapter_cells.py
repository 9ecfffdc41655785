"""All chapters of a small study in one process: the cells of the notebooks, run as a kernel would run them."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from matplotlib import pyplot

from ser_study import corpora
from ser_study.report import chapters

PROJECT = Path(__file__).resolve().parents[1]
FEW = {  # every kind of work, little of each
    "run.jobs": 1,
    "benchmark.features": "means184",
    "benchmark.large_features": "",
    "benchmark.models": "dummy,logistic,linear_svm,forest,lightgbm",
    "ladder.feature": "means184",
    "ladder.draws": 1,
    "ladder.shuffles": 2,
    "ladder.curve_speakers": "2,3",
    "models.forest_trees": 5,
    "models.boosting_rounds": 3,
    "models.mlp_iterations": 20,
    "evaluation.n_bootstrap": 50,
    "evaluation.n_permutations": 50,
    "training.max_epochs": 1,
    "networks.extra": False,
    "baselines.fresh_splits": 1,
    "baselines.training_seeds": 1,
}


def run(raw: Path, home: Path, changes: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Execute every chapter as for a run of the report.

    Parameters
    ----------
    raw : data folder
    home : folder for what is derived and reported
    changes : settings beside ``FEW``

    Returns
    -------
    Page → how it ended: the error, or nothing.
    """
    variables = {"SER_STUDY_DERIVED": str(home / "derived"), "SER_STUDY_REPORTS": str(home / "reports")}
    ends = {}
    with mock.patch.dict(os.environ, variables | {"SER_STUDY_PAGES": "1"}):
        for chapter in chapters.chapters(PROJECT / "notebooks", corpora.present(raw)):
            parameters = {"preset": "quick", "overrides": FEW | dict(changes or {}), "data": str(raw)}
            parameters |= {"corpus": chapter.corpus} if chapter.corpus else {}
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    _execute(chapter.notebook, parameters)
                ends[chapter.page] = ""
            except Exception as error:
                ends[chapter.page] = f"{type(error).__name__}: {error}"
            pyplot.close("all")
    return ends


def _execute(notebook: Path, parameters: Mapping[str, Any]) -> None:
    names: dict[str, Any] = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile(ast.parse("".join(cell["source"])), notebook.name, "exec"), names)
            if "parameters" in cell["metadata"].get("tags", []):
                names |= parameters
