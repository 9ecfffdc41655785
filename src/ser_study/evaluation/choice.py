"""Choose a system anew in every fold, by validation rows alone: what choosing is worth on people nobody has seen.

Conventions
-----------
Rows are matched by fold, clip and variant. Candidates are compared on the validation rows that all of them predicted in
the fold; of equal scores the first candidate wins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from ser_study.evaluation import metrics

FOLD = ("corpus", "scheme", "protocol", "repeat", "fold", "draw")


def nested_choice(tables: Mapping[str, pd.DataFrame], *, name: str = "nested choice") -> pd.DataFrame:
    """Predictions of the candidate that does best on the validation rows of each fold.

    Parameters
    ----------
    tables : candidate → its predictions; all with the same folds
    name : written to ``model`` and ``experiment``

    Returns
    -------
    Validation and test rows of the chosen candidates; ``params`` names the choice.

    Raises
    ------
    ValueError
        No candidates; they differ in folds; a fold has no validation rows that all of them predicted.
    """
    scores = validation_scores(tables)
    chosen = []
    for fold, row in scores.iterrows():
        best = row.idxmax()
        part = dict(iter(_by_fold(tables[best])))[fold]
        params = json.dumps({"chosen": best, "uar_validation": round(float(row[best]), 4)})
        chosen.append(part.assign(params=params))
    table = pd.concat(chosen, ignore_index=True).assign(model=name, feature="")
    return table.assign(experiment=name) if "experiment" in table else table


def validation_scores(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """UAR on validation rows: one row a fold, one column a candidate; see ``nested_choice``."""
    if not tables:
        raise ValueError("No candidates to choose from.")
    folds = {name: dict(iter(_by_fold(table))) for name, table in tables.items()}
    first = next(iter(folds.values()))
    odd = [name for name, parts in folds.items() if parts.keys() != first.keys()]
    if odd:
        raise ValueError(f"Candidates differ in folds: {odd[0]!r} has {len(folds[odd[0]])}, the first {len(first)}.")
    rows = {fold: _scores({name: parts[fold] for name, parts in folds.items()}, fold) for fold in first}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(tables))


def _by_fold(table: pd.DataFrame):
    return table.groupby([key for key in FOLD if key in table], sort=True)


def _scores(parts: Mapping[str, pd.DataFrame], fold) -> list[float]:
    """UAR of each candidate on the validation rows of one fold that all of them have."""
    rows = {name: part[part["role"] == "validation"].set_index(["clip_id", "variant"]) for name, part in parts.items()}
    common = None
    for part in rows.values():
        common = part.index if common is None else common.intersection(part.index)
    if not len(common):
        raise ValueError(f"Fold {fold} has no validation rows that all {len(parts)} candidates predicted.")
    return [metrics.uar_of(part.loc[common]) for part in rows.values()]
