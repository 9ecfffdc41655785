"""What the system on hand-crafted features uses: families of features permuted, and Shapley values of its columns.

Conventions
-----------
Both look at the heads that the experiment fits for its folds (``recognizer.fitting.fit``) and at the test clips of
these folds, so nobody's clip is explained by a head that was trained on them.

Permutation importance (Breiman 2001, Random forests; Fisher, Rudin and Dominici 2019): the columns of a family
(``features.column_names.part``) are permuted together over the test clips of a fold, so that correlated columns move
together. ``drop`` is what UAR loses. ``alone`` is UAR when all *other* families are permuted. What two families share,
neither loses by itself; ``per_column`` is the drop over the number of columns, since many columns weigh more.

Shapley values (Lundberg and Lee 2017, A unified approach to interpreting model predictions): of a linear function of
independent columns they are known in closed form, φ_cj = w_cj (x_j − mean_j), and add up to the margin less its mean
over training clips. Margins matter only relative to one another, so w_c is taken less its mean over the classes. No
library is needed for that.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from ser_study import features
from ser_study.chapters.testing import declare
from ser_study.chapters.testing.heads import Heads, heads, job_of, key_of
from ser_study.config import Config, rng
from ser_study.evaluation import intervals, metrics, significance
from ser_study.experiments import execute
from ser_study.experiments.experiment import Experiment
from ser_study.features import column_names
from ser_study.models.linear_head import LinearHead
from ser_study.parallel import Failure, parallel_map, single_threaded
from ser_study.study import Study

VERSION = 1  # rises when the same settings give other numbers
FAMILIES = (*column_names.FAMILIES, *column_names.TIMBRE)
NOTHING, ALL = "nothing", "all emotions"
PERMUTED = ["clip_id", "truth", "what", "alone", "repeat", "prediction"]
FAMILY = ["corpus", "family", "emotion", "n_columns", "drop", "low", "high", "interval", "per_column",
          "alone", "n"]  # fmt: skip
COLUMNS = ["corpus", "emotion", "column", "family", "size", "direction", "own", "n"]
HIGHER, LOWER = "(higher)", "(lower)"  # values that speak for an emotion
NAMED = ("summary", "means184", "means180")  # features whose columns ``features.column_names`` knows
TOP = 3  # columns of each emotion


def explained(study: Study) -> dict[str, Experiment]:
    """Selection → the experiment that is explained; none where the names of the columns say nothing of their family."""
    if study.config.ladder.feature not in NAMED:
        return {}
    return {name: kinds["classical"] for name, kinds in declare.systems(study).items() if "classical" in kinds}


def by_family(study: Study) -> pd.DataFrame:
    """What permuting each family costs, over all emotions with an interval and for each emotion (``FAMILY``)."""
    parts = [_by_family(name, table, study) for name, table in _computed(study, "permuted").items()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=FAMILY)


def by_column(study: Study) -> pd.DataFrame:
    """Mean absolute Shapley value of every column for every emotion, the largest first (``COLUMNS``).

    ``size`` is the mean of |φ| over all test clips, in units of the margin (log-odds); ``direction`` is 1 where a
    higher value speaks for the emotion and −1 where it speaks against it, as most folds have it; ``own`` is the mean
    φ over the emotion's own clips: above 0, the column helps to find them.
    """
    tables = _computed(study, "shapley")
    parts = [table.assign(corpus=name) for name, table in tables.items()]
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(family=table["column"].map(column_names.part))
    order = {name: place for place, name in enumerate(tables)}
    table = table.assign(place=table["corpus"].map(order))
    ranked = table.sort_values(["place", "emotion", "size", "column"], ascending=[True, True, False, True])
    return ranked[COLUMNS].reset_index(drop=True)


def strongest(table: pd.DataFrame, study: Study, *, number: int = TOP) -> pd.DataFrame:
    """The ``number`` columns of each emotion with the largest values, in words: ``corpus, emotion, features``.

    Parameters
    ----------
    table : of ``by_column``
    """
    config, rows = study.config, []
    for (corpus, emotion), part in table.groupby(["corpus", "emotion"], sort=False):
        feature = features.get(explained(study)[corpus].feature)
        sections = [getattr(config, name) for name in (feature.audio, *feature.options)]
        say = partial(column_names.in_words, sample_rate=sections[0].sample_rate, frames=sections[1])
        top = part.head(number)
        names = [f"{say(name)} {HIGHER if sign > 0 else LOWER}" for name, sign in zip(top["column"], top["direction"])]
        rows.append({"corpus": corpus, "emotion": emotion, "features": "; ".join(names)})
    return pd.DataFrame(rows, columns=["corpus", "emotion", "features"])


def _computed(study: Study, kind: str) -> dict[str, pd.DataFrame]:
    """Selection → table of one kind, cached or computed now, several selections at a time."""
    chosen = explained(study)
    study.predict(chosen.values())  # logs that these test clips are looked at
    done, run = {}, study.config.run
    for one, tables in parallel_map(partial(_one, study=study), list(chosen.values()), jobs=run.jobs, batch=1):
        if isinstance(tables, Failure):
            raise RuntimeError(f"{one.name} could not be explained: {tables.reason}")
        done[one.selection] = tables[kind]
    return done


def _one(one: Experiment, *, study: Study) -> dict[str, pd.DataFrame]:
    """Both tables of one selection; runs in any process. The heads are fitted once."""
    fitted = cache(partial(heads, one, study))
    makers = {"permuted": _permuted, "shapley": _shapley}
    key = {"experiment": key_of(one, study), "version": VERSION, "times": study.config.testing.permutations}
    return {
        kind: study.store.cached(f"testing/{kind}_{one.selection}", key, lambda make=make: make(one, fitted(), study))
        for kind, make in makers.items()
    }


def _permuted(one: Experiment, fitted: Heads, study: Study) -> pd.DataFrame:
    """Predictions with nothing permuted, each family permuted, and all others permuted: ``clip_id, truth, what,
    alone, repeat, prediction``."""
    values, truth = execute.features_and_classes(job_of(one, study), study.config, study.store)
    member, parts = np.array([column_names.part(name) for name in values.columns]), []
    with single_threaded():
        for fold, (head, clips) in enumerate(fitted):
            rows, facts = values.rows(clips), {"clip_id": clips, "truth": truth.loc[clips].to_numpy(str)}
            for what, alone, repeat, (columns, order) in _plan(member, len(clips), fold, one, study.config):
                changed = np.where(columns, rows[order], rows)
                prediction = np.asarray(head.classes)[head.margins(changed).argmax(axis=1)]
                parts.append(pd.DataFrame(facts).assign(what=what, alone=alone, repeat=repeat, prediction=prediction))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=PERMUTED)


def _plan(member: np.ndarray, n: int, fold: int, one: Experiment, config: Config) -> list[tuple[str, bool, int, Any]]:
    """What is permuted: family, whether it is the one that stays, number of the repeat, (columns, order of the rows).

    All families share the orders, so they are compared on the same draws.
    """
    plan = [(NOTHING, False, 0, (np.zeros(len(member), bool), np.arange(n)))]
    for repeat in range(config.testing.permutations):
        order = rng(config, f"importance/{one.selection}/{fold}/{repeat}").permutation(n)
        for what in FAMILIES:
            if (member == what).any():
                plan += [(what, False, repeat, (member == what, order)), (what, True, repeat, (member != what, order))]
    return plan


def _by_family(corpus: str, table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Drop and what is left, of one selection."""
    if table.empty:
        return pd.DataFrame(columns=FAMILY)
    classes = sorted({*table["truth"], *table["prediction"]})  # a class may occur in training alone
    whole = table[table["what"] == NOTHING]
    known = study.clips(corpus).set_index("clip_id")["speaker"].reindex(whole["clip_id"])
    truth = metrics.encode(whole["truth"], classes, what="Truth")
    evaluation = study.config.evaluation
    options = {"n_bootstrap": evaluation.n_bootstrap, "rng": rng(study.config, f"importance/{corpus}")}
    drawn = intervals.resample(truth, known.astype(object).where(known.notna(), None).to_list(), **options)
    columns = pd.Series(map(column_names.part, study.features(corpus, explained(study)[corpus].feature).columns))

    def totals(rows: pd.DataFrame) -> list[intervals.Totals]:
        every = [part.set_index("clip_id").loc[whole["clip_id"]] for _, part in rows.groupby("repeat")]
        codes = [metrics.encode(part["prediction"], classes, what="Prediction") for part in every]
        return [intervals.totals(truth, code, None, drawn, n_classes=len(classes)) for code in codes]

    before, rows = totals(whole), []
    for what in dict.fromkeys(table.loc[table["what"] != NOTHING, "what"]):
        here = table[table["what"] == what]
        after, left = totals(here[~here["alone"]]), totals(here[here["alone"]])
        change, span = significance.difference_interval(before, after, drawn, level=evaluation.level)
        n_columns = int((columns == what).sum())
        facts = {"corpus": corpus, "family": what, "n_columns": n_columns}
        row = facts | {"emotion": ALL, "drop": -change, "low": -span.high, "high": -span.low, "interval": span.kind}
        row |= {"per_column": -change / n_columns, "alone": float(metrics.uar(_counts(left))), "n": len(whole)}
        rows.append(row)
        lost = metrics.recall_per_class(_counts(before)) - metrics.recall_per_class(_counts(after))
        kept = metrics.recall_per_class(_counts(left))
        for name, drop, alone, n in zip(classes, lost, kept, np.bincount(truth)):
            own = {"emotion": name, "drop": drop, "per_column": drop / n_columns, "alone": alone, "n": int(n)}
            rows.append(facts | own)
    return pd.DataFrame(rows, columns=FAMILY)


def _counts(draws: list[intervals.Totals]) -> np.ndarray:
    """Confusion counts, mean over draws, (C, C)."""
    return np.mean([one.counts.sum(axis=0) for one in draws], axis=0)


def shapley(head: LinearHead, values: np.ndarray) -> np.ndarray:
    """Shapley values of each column for the margin of each class less the mean margin, (n, d) → (n, C, d)."""
    weights = head.coefficients - head.coefficients.mean(axis=0)
    prepared = (np.asarray(values, np.float64) - head.centre) / head.deviation
    return head.scale * weights[None] * prepared[:, None]


def _shapley(one: Experiment, fitted: Heads, study: Study) -> pd.DataFrame:
    """Mean |φ|, sign and mean φ over own clips of each emotion and column, over the test clips of all folds."""
    values, truth = execute.features_and_classes(job_of(one, study), study.config, study.store)
    classes, shape = sorted(truth.unique()), (truth.nunique(), len(values.columns))
    size, own, sign, counts = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros((len(classes), 1))
    for head, clips in fitted:
        phi, is_own = shapley(head, values.rows(clips)), truth.loc[clips].to_numpy()[:, None] == np.array(classes)
        size += np.abs(phi).sum(axis=0)
        own += np.einsum("nc,ncd->cd", is_own, phi)
        sign += len(clips) * np.sign(head.coefficients - head.coefficients.mean(axis=0))
        counts += is_own.sum(axis=0)[:, None]
    n = int(counts.sum())
    names = pd.MultiIndex.from_product([classes, list(values.columns)], names=["emotion", "column"])
    flat = {"size": size / max(n, 1), "direction": np.sign(sign), "own": own / np.maximum(counts, 1)}
    return pd.DataFrame({name: table.ravel() for name, table in flat.items()}, index=names).reset_index().assign(n=n)
