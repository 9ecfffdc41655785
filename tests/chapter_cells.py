"""All chapters of a small study in one process: the cells of the notebooks, run as a kernel would run them."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pytest
import small_corpora
from matplotlib import pyplot

from ser_study import corpora
from ser_study.chapters.ablations import selection as rankings
from ser_study.chapters.networks import declare
from ser_study.chapters.networks import tables as networks
from ser_study.chapters.testing import costs
from ser_study.models import deep
from ser_study.report import chapters, exhibits

PROJECT = Path(__file__).resolve().parents[1]
PARAMETERS_OF = functools.cache(chapters.parameters_of)  # the notebooks stay as they are while the tests run
FEW = {  # every kind of work, little of each
    "run.jobs": 1,
    "benchmark.features": "means184",
    "benchmark.large_features": "",
    "benchmark.wide_features": "",
    "benchmark.encoders": "",
    "benchmark.joint_features": "means184",
    "benchmark.models": "dummy,logistic,lightgbm",
    "benchmark.times": False,
    "synthetic.n_speakers": 5,  # which stands in where a corpus has few speakers
    "synthetic.n_statements": 2,
    "synthetic.n_repetitions": 1,
    "ladder.feature": "means184",
    "ladder.draws": 1,
    "ladder.systems": "means184/logistic",
    "controls.shuffles": 2,
    "controls.global_shuffles": 1,
    "controls.protocols": "random,take_disjoint,speaker_independent",
    "controls.markers_everywhere": True,
    "controls.marker_draws": 1,
    "controls.simulations": 2,
    "ladder.curve_speakers": "2,3",
    "models.forest_trees": 5,
    "models.boosting_rounds": 3,
    "models.mlp_iterations": 20,
    "evaluation.n_bootstrap": 50,
    "evaluation.n_permutations": 50,
    "training.max_epochs": 1,
    "networks.extra": False,
    "baselines.fresh_splits": 1,
    "testing.clips": 6,
    "baselines.training_seeds": 1,
    "testing.timed_models": "lda",
    "testing.timed_clips": 2,
    "testing.permutations": 1,
    "testing.conditions": "white:10,telephone,length:1",
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


def make_light(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of one layer, few draws of a control, figures that are composed but not drawn, and costs that are taken
    in this process; other tests train, draw and start processes."""

    def one_layer(shape, n_classes, params):
        import keras

        net = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(n_classes)])
        net.compile = functools.partial(net.compile, run_eagerly=True)  # a few steps are done before a graph is
        return net

    monkeypatch.setattr(declare, "SMALL", declare.SMALL[:1])
    for _, name in declare.SMALL:
        monkeypatch.setitem(deep.NETWORKS, name, dataclasses.replace(deep.get(name), make=one_layer))
    monkeypatch.setattr("keras.utils.clear_session", lambda: None)  # it walks through all that the tests hold
    monkeypatch.setattr("gc.collect", lambda *_: 0)
    monkeypatch.setattr(networks, "_count", lambda name: 1)  # five large networks, built to be counted
    monkeypatch.setattr(chapters, "parameters_of", PARAMETERS_OF)
    monkeypatch.setattr(rankings, "_REPEATS", 1)
    monkeypatch.setattr(rankings, "curve", functools.partial(rankings.curve, draws=2))
    monkeypatch.setattr(costs, "parallel_map", lambda work, items, **options: [(one, work(one)) for one in items])
    monkeypatch.setattr(exhibits, "_saved", lambda fig, name, folder, alone: ('<svg width="1pt"></svg>', ""))


def check(parts: Sequence[tuple], home: Path, changes: Mapping[str, Any] | None = None) -> dict[str, pd.DataFrame]:
    """Run all chapters on small corpora; every one ends well, and what has no score on new speakers is listed.

    Parameters
    ----------
    parts : loader, number of speakers and, where they differ, what these say and options of the loader
    home : folder to work in

    Returns
    -------
    Table → its content: ``corpora``, ``left_out`` and ``scores`` of the run.
    """
    for loader, n_speakers, *rest in parts:
        plan, options = rest[0] if rest else small_corpora.PLAN, rest[1] if len(rest) > 1 else {}
        small_corpora.MAKERS[loader](home / "raw" / loader, n_speakers, plan, **options)
    ends = run(home / "raw", home, changes)
    errors = {page: error for page, error in ends.items() if error}
    assert not errors, errors
    (folder,) = (home / "reports").glob("quick*")
    read = {name: pd.read_csv(folder / "tables" / f"{name}.csv") for name in ("corpora", "left_out", "scores")}
    left_out, scores = read["left_out"], read["scores"]
    assert left_out["reason"].str.len().gt(20).all()
    for selection in read["corpora"]["corpus"]:
        own = scores[(scores["corpus"] == selection) & (scores["protocol"] == "speaker_independent")]
        reasons = left_out[(left_out["corpus"] == selection) & (left_out["protocol"] == "new speakers")]
        assert len(own) or len(reasons) == 1, selection
    return read
