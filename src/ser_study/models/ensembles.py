"""Votes and stacks from the predictions of models that were fitted already, and classes put together.

Conventions
-----------
Functions take and give predictions tables. The rows of the members are matched by repeat, fold, draw (seed,
where there is no draw), role, clip and variant, in whatever order they come; members must have the same rows,
truth and classes. What is learned (weights, a stack) is learned in each fold from that fold's validation rows
alone, which the members predicted without being fitted on them. A result says in ``params`` what was combined.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from ser_study.config import Models
from ser_study.parallel import single_threaded
from ser_study.schema import check_columns, classes_in, probability_columns

KEYS = ("corpus", "scheme", "protocol", "repeat", "fold", "draw", "role", "clip_id", "variant")
FOLD = ("corpus", "scheme", "protocol", "repeat", "fold", "draw")
FLOOR = 0.01  # smallest probability a stack takes the logarithm of; below, it says more of the model than of the clip
Weights = Sequence[float] | pd.DataFrame | None


def soft_vote(tables: Sequence[pd.DataFrame], weights: Weights = None, *, name: str = "vote") -> pd.DataFrame:
    """Weighted mean of the members' probabilities.

    Parameters
    ----------
    tables : predictions of two members or more
    weights : one a member, of any scale; a table of ``weights.weights_on_validation`` (other weights in each fold);
        or None for equal ones
    name : written to ``model`` and ``experiment``

    Returns
    -------
    Predictions in the order of the first table. Of equal means the first class wins.

    Raises
    ------
    ValueError
        Fewer than two tables; rows, truth or classes differ (with counts); weights do not fit.
    """
    first, proba, classes = aligned(tables)
    return voted(first, proba, classes, shares(weights, first, len(tables)), tables, name)


def voted(first: pd.DataFrame, proba: np.ndarray, classes: list[str], share: np.ndarray, tables, name) -> pd.DataFrame:
    """Predictions by probabilities (members, n, C) weighted with ``share`` (n, members); rows without it are gone."""
    done = np.isfinite(share).all(axis=1)
    mean = np.einsum("mnc,nm->nc", proba[:, done], share[done])
    different, which = np.unique(np.round(share[done], 4), axis=0, return_inverse=True)
    texts = [json.dumps({"members": members(tables), "weights": row.tolist()}) for row in different]
    params = np.array(texts, object)[which]
    return named(predicted(first[done], mean, classes), tables, name).assign(params=params)


def stack(
    tables: Sequence[pd.DataFrame], *, groups: pd.Series | None = None, c: float = Models.stack_c, name: str = "stack"
) -> pd.DataFrame:
    """Logistic regression over the members' log-probabilities, fitted in each fold on its validation rows.

    With ``groups`` the validation rows are dealt into five parts, each predicted from the other four; without
    they are left out, because a stack that knows a speaker's other clips scores far too well on them.

    Parameters
    ----------
    tables : predictions of two members or more, with validation rows
    groups : ``clip_id`` → speaker, whose clips stay together; None: test rows only
    c : inverse strength of the penalty

    Returns
    -------
    Predictions in the order of the first table; ``n_train`` counts the rows the stack was fitted on.

    Raises
    ------
    ValueError
        As ``soft_vote``; validation rows of a fold have fewer than two classes (with ``groups``: groups).
    """
    first, proba, classes = aligned(tables)
    evidence = np.log(np.clip(np.concatenate(proba, axis=1), FLOOR, None))  # (n, members · C)
    truth, role = first["truth"].to_numpy(), first["role"].to_numpy()
    result, n_fitted = np.zeros((len(first), len(classes))), np.zeros(len(first), int)
    with single_threaded():
        for fold, places in folds(first):
            validation, test = (places[role[places] == which] for which in ("validation", "test"))
            need_validation(fold, validation, first, least_classes=2)
            parts = [(validation, test)] if len(test) else []
            for fit_on, rest in parts + _cross(validation, first["clip_id"].to_numpy(), groups):
                result[rest] = _stacked(evidence[fit_on], truth[fit_on], evidence[rest], classes, c)
                n_fitted[rest] = len(fit_on)
    params = json.dumps({"members": members(tables), "c": c})
    done = n_fitted > 0
    stacked = predicted(first[done], result[done], classes)
    return named(stacked, tables, name).assign(params=params, n_train=n_fitted[done])


def collapse(
    predictions: pd.DataFrame, mapping: Mapping[str, str], *, how: str = "argmax", scheme: str = ""
) -> pd.DataFrame:
    """Predictions over fewer classes: several classes become one.

    Parameters
    ----------
    predictions : predictions table
    mapping : class → new class, for every class (see ``emotions_of`` and ``genders_of``)
    how : "argmax" maps the predicted old class, "sum" takes the new class of the largest summed
        probability; probabilities are summed in both
    scheme : written to ``scheme``; empty: left as it is

    Returns
    -------
    Predictions with ``p_<new class>`` columns in alphabetical order.

    Raises
    ------
    ValueError
        An unknown ``how``; classes missing from the mapping.
    """
    if how not in ("argmax", "sum"):
        raise ValueError(f"Unknown way {how!r} to collapse classes; known: argmax, sum.")
    old = classes_in(predictions)
    lost = sorted({*old, *predictions["truth"].unique(), *predictions["prediction"].unique()} - mapping.keys())
    if lost:
        raise ValueError(f"{len(lost)} classes have no new class: {', '.join(lost[:5])}; map every class.")
    new = sorted({mapping[name] for name in old})
    member = np.array([[mapping[name] == group for group in new] for name in old], float)  # (old, new)
    summed = predictions[probability_columns(old)].to_numpy(float) @ member
    collapsed = predicted(predictions.drop(columns=probability_columns(old)), summed, new)
    mapped = ["truth", "prediction"] if how == "argmax" else ["truth"]
    collapsed[mapped] = predictions[mapped].replace(dict(mapping))
    return collapsed.assign(scheme=scheme) if scheme else collapsed


def emotions_of(classes: Iterable[str]) -> dict[str, str]:
    """Crossed classes → their emotion: ``angry_female`` → ``angry``."""
    return {name: name.rpartition("_")[0] for name in classes}


def genders_of(classes: Iterable[str]) -> dict[str, str]:
    """Crossed classes → their gender: ``angry_female`` → ``female``."""
    return {name: name.rpartition("_")[2] for name in classes}


def aligned(tables: Sequence[pd.DataFrame]) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Facts of the first table, probabilities (members, n, C) in its order of rows, classes."""
    if len(tables) < 2:
        raise ValueError(f"A vote needs two members or more; found {len(tables)}.")
    classes = classes_in(tables[0])
    keyed = [_with_draw(table) for table in tables]
    keys = [key for key in KEYS if all(key in table for table in keyed)]
    place = pd.MultiIndex.from_frame(keyed[0][keys])
    proba = []
    for number, table in enumerate(keyed):
        check_columns(table, ("repeat", "fold", "role", "clip_id", "variant", "truth"), what="predictions")
        if set(classes_in(table)) != set(classes):
            odd = sorted(set(classes_in(table)) ^ set(classes))
            raise ValueError(f"Members 0 and {number} differ in {len(odd)} classes: {', '.join(odd[:5])}.")
        own = pd.MultiIndex.from_frame(table[keys])
        if not own.is_unique:
            raise ValueError(f"Member {number} has {own.duplicated().sum()} rows twice; pass one experiment a member.")
        only = len(place.difference(own)), len(own.difference(place))
        if any(only):
            raise ValueError(
                f"Rows differ: {only[0]} of member 0 are not in member {number} and {only[1]} of member {number} "
                f"are not in member 0 ({len(place)} and {len(own)} rows); vote on the same folds, draws and roles."
            )
        ordered = table.iloc[own.get_indexer(place)]
        wrong = int((ordered["truth"].to_numpy() != keyed[0]["truth"].to_numpy()).sum())
        if wrong:
            raise ValueError(f"Members 0 and {number} differ in the truth of {wrong} of {len(own)} rows.")
        proba.append(ordered[probability_columns(classes)].to_numpy(float))
    return tables[0].drop(columns=probability_columns(classes)), np.stack(proba), classes


def _with_draw(table: pd.DataFrame) -> pd.DataFrame:
    """Draws are matched; training seeds, which each model has of its own, only where there are none."""
    return table.assign(draw=table["seed"]) if "seed" in table and "draw" not in table else table


def folds(first: pd.DataFrame) -> list[tuple[dict, np.ndarray]]:
    """The keys of every fold and the places of its rows."""
    table = _with_draw(first).reset_index(drop=True)
    keys = [key for key in FOLD if key in table]
    return [(dict(zip(keys, fold)), part.index.to_numpy()) for fold, part in table.groupby(keys, sort=True)]


def need_validation(fold: Mapping, validation: np.ndarray, first: pd.DataFrame, *, least_classes: int) -> None:
    """Raise ``ValueError`` where the validation rows of a fold (their places) hold too few classes."""
    n_classes = len(np.unique(first["truth"].to_numpy()[validation].astype(str)))
    if n_classes < least_classes:
        raise ValueError(
            f"Fold {fold} has {len(validation)} validation rows of {n_classes} classes; {least_classes} or more are "
            "needed. Keep the validation rows of the members (Task.keep_validation)."
        )


def shares(weights: Weights, first: pd.DataFrame, n_members: int) -> np.ndarray:
    """Weights of every row, shape (n, members), rows summing to 1."""
    if isinstance(weights, pd.DataFrame):
        table, columns = _with_draw(first), [f"w_{i}" for i in range(n_members)]
        check_columns(weights, columns, what="weights")
        keys = [key for key in FOLD if key in weights and key in table]
        given = table[keys].merge(weights[[*keys, *columns]], how="left", on=keys)[columns].to_numpy(float)
    else:
        one = np.ones(n_members) if weights is None else np.asarray(weights, float)
        if one.shape != (n_members,):
            raise ValueError(f"{one.size} weights for {n_members} members; give one a member.")
        given = np.tile(one, (len(first), 1))
    total = given.sum(axis=1, keepdims=True)
    if not (np.isfinite(given).all() and (given >= 0).all() and (total > 0).all()):
        raise ValueError(f"Weights must be 0 or more, one of them above 0, for every fold; found {given.min(axis=0)}.")
    return given / total


def _cross(validation: np.ndarray, clip_id: np.ndarray, groups: pd.Series | None) -> list:
    """Places within the validation rows of a fold, (to fit on, to predict), by groups; none without groups."""
    if groups is None:
        return []
    names = groups.loc[clip_id[validation]].to_numpy()
    if len(set(names)) < 2:
        raise ValueError(
            f"{len(validation)} validation rows of one group; a stack needs two groups to predict them unseen."
        )
    parts = GroupKFold(min(5, len(set(names)))).split(validation, groups=names)
    return [(validation[fit_on], validation[rest]) for fit_on, rest in parts]


def _stacked(fit_on: np.ndarray, truth: np.ndarray, rest: np.ndarray, classes: list[str], c: float) -> np.ndarray:
    """Probabilities (n, C) of the rest; a class that no row fitted on has gets 0.

    Fitted to the end: where a solver stops early, the last digits, and so a few clips, depend on the processor.
    """
    learner = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-9).fit(fit_on, truth)
    proba = pd.DataFrame(learner.predict_proba(rest), columns=learner.classes_)
    return proba.reindex(columns=classes, fill_value=0.0).to_numpy()


def predicted(facts: pd.DataFrame, proba: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Facts with the probabilities (n, C) and the likeliest class of each row."""
    proba = proba / proba.sum(axis=1, keepdims=True)
    likeliest = np.asarray(classes, dtype=object)[proba.argmax(axis=1)]
    columns = pd.DataFrame(proba.astype(np.float32), columns=probability_columns(classes), index=facts.index)
    return pd.concat([facts.assign(prediction=likeliest), columns], axis=1)


def members(tables: Sequence[pd.DataFrame]) -> list[str]:
    """Names of the members' models, ``?`` where a table does not say."""
    return [str(table["model"].iloc[0]) if "model" in table else "?" for table in tables]


def named(predicted: pd.DataFrame, tables: Sequence[pd.DataFrame], name: str) -> pd.DataFrame:
    """The predictions under their new name, with the features of all members."""
    columns = {"model": name}
    if all("feature" in table for table in tables):
        columns["feature"] = "+".join(dict.fromkeys(str(table["feature"].iloc[0]) for table in tables))
    if "experiment" in predicted:
        columns["experiment"] = name
    return predicted.assign(**columns)
