"""The ledger of test evaluations: every outer score of a real corpus, once a declaration, in ``reports/ledger.csv``
(beside the runs of ``SER_STUDY_REPORTS``, where that is set: a scratch run leaves the committed file alone).

Development sees validation scores only. Whoever computes a test score writes a line here, by
``ser-study score`` or by a run of the study; scoring the same declaration again adds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study.evaluation import metrics
from ser_study.store import Store, git, locked, replacing

UNDECLARED = "undeclared-"  # before the hash of an experiment that somebody scored by name and no run declares
COLUMNS = ["date", "commit", "experiment", "declaration", "corpus", "metric", "value", "n"]


def read(store: Store) -> pd.DataFrame:
    """The ledger; empty when nothing was scored yet."""
    path = path_of(store)
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(path, dtype={"declaration": "str", "commit": "str"})


def log_test_evaluations(declarations: Mapping[str, str], scores: pd.DataFrame, store: Store) -> int:
    """Append the UAR of every declaration that the ledger lacks.

    Parameters
    ----------
    declarations : experiment name → hash of its declaration and settings
    scores : tidy scores of those experiments

    Returns
    -------
    Number of lines added. The built-in corpus and scores without a declaration (shuffled labels) evaluate nobody's
    test set and are left out.
    """
    real = (scores["corpus"] != "synthetic") & scores["experiment"].isin(declarations)
    uar = scores[real & (scores["metric"] == "uar")].drop_duplicates("experiment")
    path = path_of(store)
    if store.published or not len(uar):  # what is published was logged by its run
        return 0
    fresh = uar.assign(declaration=uar["experiment"].map(dict(declarations)))
    with locked(path):
        logged = read(store)
        seen = set(zip(logged["experiment"], logged["declaration"]))
        fresh = fresh[[key not in seen for key in zip(fresh["experiment"], fresh["declaration"])]]
        if len(fresh):
            commit = git(store.project, "rev-parse", "--short=12", "HEAD")
            fresh = fresh.assign(date=datetime.now(UTC).strftime("%Y-%m-%d"), commit=commit)
            joined = pd.concat([logged, fresh[COLUMNS]], ignore_index=True) if len(logged) else fresh[COLUMNS]
            with replacing(path) as temporary:
                joined.to_csv(temporary, index=False, float_format="%.6g")
    return len(fresh)


def test_uar(predictions: pd.DataFrame, *, experiment: str = "") -> pd.DataFrame:  # noqa: PT028 (no test, for all its name)
    """UAR of the test rows of predictions (mean over draws), as ``log_test_evaluations`` takes it; may be empty.

    Parameters
    ----------
    experiment : its name; empty: that of the predictions
    """
    test = predictions[predictions["role"] == "test"]
    if test.empty:
        return pd.DataFrame(columns=["corpus", "experiment", "metric", "value", "n"])
    value = float(np.mean([metrics.uar_of(part) for _, part in test.groupby("draw")]))
    row = {"corpus": test["corpus"].iloc[0], "experiment": experiment or test["experiment"].iloc[0], "metric": "uar"}
    return pd.DataFrame([row | {"value": value, "n": test["clip_id"].nunique()}])


def counts(store: Store) -> pd.DataFrame:
    """How often each corpus was scored: experiments that a run declares, others, evaluations in development, dates."""
    logged = read(store)
    kinds = {
        "development": logged["declaration"] == "development",
        "undeclared": logged["declaration"].str.startswith(UNDECLARED),
    }
    logged = logged.assign(declared=~(kinds["development"] | kinds["undeclared"]), **kinds)
    grouped = logged.groupby("corpus")
    columns = {kind: grouped[kind].sum().astype(int) for kind in ("declared", *kinds)}
    return pd.DataFrame(columns | {"first": grouped["date"].min(), "last": grouped["date"].max()}).reset_index()


def path_of(store: Store) -> Path:
    """Where the ledger is."""
    return store.run.parent / "ledger.csv"


def declaration_of(cache_key: Mapping) -> str:
    """Hash of a declaration with the settings it reads; clips, fold files and library versions are no part of it."""
    declared = ("experiment", "features", "model", "params", "seed", "inner", "others", "network", "training")
    return declaration_hash({key: cache_key[key] for key in declared if key in cache_key})


def declaration_hash(declaration: Any) -> str:
    """Twelve hexadecimal digits; a changed declaration is another one."""
    return settings.fingerprint(declaration)[:12]
