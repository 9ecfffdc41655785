"""How exported graphs score: the graph of each fold predicts the test clips of its speakers, whom it was not fitted on.

The graph of full size must give the study's predictions, so it is no new test-set evaluation. That with weights of
eight bits is another system, and is logged as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_study import corpora, features
from ser_study.audio import prepare
from ser_study.config import Config
from ser_study.evaluation import metrics
from ser_study.experiments import execute, ledger, runner
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import Selection
from ser_study.features import onnx_models
from ser_study.models.linear_head import LinearHead
from ser_study.recognizer import checks, eight_bits, fitting, graph, stress
from ser_study.recognizer.recognizer import Recognizer
from ser_study.schema import probability_columns
from ser_study.store import Store

STUDY, FULL, INT8 = "study", "float32", "int8"  # whose predictions
VERSION = 2  # rises when the predictions of a graph change


def predictions(one: Experiment, selections: Mapping[str, Selection], *, config: Config, store: Store) -> pd.DataFrame:
    """Predictions of the test clips by the study and by the graphs; those in eight bits are logged.

    Parameters
    ----------
    one : experiment that a recogniser can be made of, see ``fitting.check``, on features that exist as graphs
    selections : name → clips, all of the study

    Returns
    -------
    Test rows of the first repeat, three times: ``graph`` is ``STUDY``, ``FULL`` or ``INT8``.

    Raises
    ------
    ValueError
        The experiment cannot be kept, or not as a graph.
    """
    job = runner.job_of(one, selections, config=config, store=store)
    rows = stress.first_test_rows(execute.exact(job, config=config, store=store))
    options = {"config": config, "store": store}

    def make() -> pd.DataFrame:
        parts = [rows.assign(graph=STUDY)]
        for fold, some in rows.groupby("fold"):
            head = fitting.fit(one, selections, **options, fold=(0, int(fold))).head
            parts += _of_fold(_recognizer(one, head, config), some, selections[one.selection], store)
        return pd.concat(parts, ignore_index=True)

    key = {**job.cache_key, "version": [VERSION, fitting.VERSION], "libraries": features.made_with(_names(one), config)}
    result = store.cached(execute.artefact_name("exported", job), key, make)
    _log(job, result, store)
    return result


def table(predicted: pd.DataFrame) -> pd.DataFrame:
    """UAR of each graph, and how it agrees with the study.

    Parameters
    ----------
    predicted : as ``predictions`` gives it

    Returns
    -------
    One row a graph: ``graph``, ``n``, ``uar``, ``agreement`` (share of clips with the study's class) and
    ``largest_difference`` of a probability.
    """
    names = [name for name in predicted.columns if name.startswith("p_") and predicted[name].notna().any()]
    parts = {name: rows.set_index("clip_id") for name, rows in predicted.groupby("graph", sort=False)}
    whole, facts = parts[STUDY], []
    for name, rows in parts.items():
        rows = rows.loc[whole.index]
        facts.append(
            {
                "graph": name,
                "n": len(rows),
                "uar": metrics.uar_of(rows),
                "agreement": float((rows["prediction"] == whole["prediction"]).mean()),
                "largest_difference": float(np.abs(rows[names].to_numpy() - whole[names].to_numpy()).max()),
            }
        )
    return pd.DataFrame(facts)


def _names(one: Experiment) -> list[str]:
    return execute.feature_names(one)


def _recognizer(one: Experiment, head: LinearHead, config: Config) -> Recognizer:
    """The head of one fold with what a card must say."""
    card: dict[str, Any] = {"name": one.name, "classes": list(head.classes), "threshold": None}
    described = [checks.described(name, config) for name in _names(one)]
    return Recognizer(head, card | {"features": described, "made_with": features.made_with(_names(one), config)})


def _of_fold(recognizer: Recognizer, rows: pd.DataFrame, part: Selection, store: Store) -> list[pd.DataFrame]:
    """Rows of one fold as both graphs predict them."""
    model = graph.graph(recognizer)
    sessions = {FULL: onnx_models.opened(model), INT8: onnx_models.opened(eight_bits.quantised(model))}
    root: Path = corpora.root_of(corpora.corpus_of(part.name), store)
    paths = part.clips.set_index("clip_id")["path"].loc[rows["clip_id"]]
    audio = getattr(recognizer.config, features.get(recognizer.features[0]).audio)
    values: dict[str, list[np.ndarray]] = {name: [] for name in sessions}
    for path in paths:
        signal = prepare.load(root / path, audio)
        for name, session in sessions.items():
            values[name].append(session.run(None, {graph.INPUT: signal})[0])
    return [_predicted(rows, np.stack(proba), recognizer.classes).assign(graph=name) for name, proba in values.items()]


def _predicted(rows: pd.DataFrame, proba: np.ndarray, classes: tuple[str, ...]) -> pd.DataFrame:
    columns = dict(zip(probability_columns(classes), proba.T))
    return rows.assign(prediction=np.asarray(classes, object)[proba.argmax(axis=1)], **columns)


def _log(job: execute.Job, predicted: pd.DataFrame, store: Store) -> None:
    """One line of the ledger: the UAR of the graphs in eight bits."""
    rows, name = predicted[predicted["graph"] == INT8], f"{job.experiment.name}/{INT8}"
    row = {"corpus": job.experiment.selection, "experiment": name, "metric": "uar", "value": metrics.uar_of(rows)}
    declarations = {name: ledger.declaration_hash([ledger.declaration_of(job.cache_key), VERSION])}
    ledger.log_test_evaluations(declarations, pd.DataFrame([row | {"n": rows["clip_id"].nunique()}]), store)
