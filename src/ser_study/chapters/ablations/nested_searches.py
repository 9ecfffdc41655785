"""The students' searches nested in leak-free folds: what a search is worth on new speakers.

In each outer fold a search sees the training part of that fold, with inner folds by speaker where the outer ones are.
Only ``NestedSearch.predictions`` reads test rows; the table logs their evaluation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import schema, splits, tuning
from ser_study.chapters.ablations.searches import cache_key, values_of
from ser_study.experiments import baseline_results, ledger, runner
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.folds import folds_of
from ser_study.experiments.selections import Selection, classes_of, load_baseline_selection
from ser_study.schema import FeatureSet
from ser_study.splits.units import inner_unit, pool_is_large
from ser_study.study import Study
from ser_study.tuning import Space, fitting

SEARCHES = ("000-lightgbm", "002-knn", "002-tree", "002-logistic")  # of minutes in every outer fold


@dataclass(frozen=True)
class NestedSearch:
    """A search anew inside each outer training part.

    Parameters
    ----------
    study : settings and store
    space : what is searched, by UAR
    part : clips
    protocol, scheme : of the outer folds; an empty scheme is the space's
    trials : finished trials a fold; 0: ``tuning.trials``
    """

    study: Study
    space: Space
    part: Selection
    protocol: str = "speaker_independent"
    scheme: str = ""
    trials: int = 0

    @property
    def experiment(self) -> Experiment:
        """The declaration under which the predictions are scored and logged."""
        space = self.space
        return Experiment(
            self.part.name, self.protocol, space.feature, f"tuned-{space.name}", scheme=self.scheme or space.scheme
        )

    def choices(self) -> pd.DataFrame:
        """What the search chooses in each outer fold; no test row is read.

        Returns
        -------
        Table, one row an outer fold: repeat, fold, n_train, inner (unit of the inner folds), score (mean UAR over
        the inner folds), params (JSON), complete, pruned, failed, seconds.
        """

        def make() -> pd.DataFrame:
            truth, folds, values = self._outer()
            inside = folds[folds["role"] != "test"].groupby(["repeat", "fold"], sort=True)
            return pd.DataFrame([self._choice(*outer, rows["clip_id"], truth, values) for outer, rows in inside])

        return self.study.store.cached(f"searches/nested_{self._file}", self._cache_key(), make)

    def predictions(self) -> pd.DataFrame:
        """Predictions of the test rows by what was chosen, fitted again on the whole outer training part.

        Scoring them is a test-set evaluation: log it.
        """
        choices = self.choices()

        def make() -> pd.DataFrame:
            truth, folds, values = self._outer()
            tables = []
            for row in choices.itertuples():
                rows = folds[(folds["repeat"] == row.repeat) & (folds["fold"] == row.fold)]
                tables.append(self._predicted(json.loads(row.params), rows, truth, values))
            one = self.experiment
            head = {"experiment": one.name, "corpus": one.selection, "scheme": one.scheme, "protocol": one.protocol}
            head |= {"feature": one.feature, "model": one.model, "draw": 0, "leak": ""}
            return schema.check_predictions(pd.concat(tables, ignore_index=True).assign(**head))

        key = {**self._cache_key(), "predictions": True}
        return self.study.store.cached(f"searches/predictions_{self._file}", key, make)

    @property
    def _file(self) -> str:
        return self.experiment.name.replace("/", "_")

    def _cache_key(self) -> dict[str, Any]:
        one, folder = self.experiment, self.study.store.project / "data" / "folds"
        return cache_key(self.space, self.study.config, self.trials) | {
            "experiment": one.declaration(),
            "clips": self.part.digest,
            "inner": self.study.config.tuning.inner_folds,
            "folds": splits.committed_hash(one.selection, one.protocol, folder),
        }

    def _outer(self) -> tuple[pd.Series, pd.DataFrame, FeatureSet]:
        """Classes, outer folds and features."""
        one, config, store = self.experiment, self.study.config, self.study.store
        values = values_of(self.space, self.part.clips, self.study)
        truth = classes_of(self.part, one.scheme)
        truth = truth[truth.index.isin(values.clip_id)]
        return truth, folds_of(one, self.part, truth, config, store, 0), values

    def _choice(self, repeat: int, fold: int, ids: pd.Series, truth: pd.Series, values: FeatureSet) -> dict[str, Any]:
        """One row of ``choices``; ``ids`` are the clips of the outer training part."""
        config, outer = self.study.config, f"{repeat}_{fold}"
        inner, unit = self._inner(ids, truth, outer)
        options = {"config": config, "store": self.study.store, "trials": self.trials, "metric": "uar"}
        options["name"] = f"{self.space.name}_{self.part.name}_{self.protocol}_{outer}"
        search = tuning.tune(self.space, values, truth, inner, **options)
        head = {"repeat": repeat, "fold": fold, "n_train": ids.nunique(), "inner": unit}
        head |= {"score": search.value, "params": json.dumps(dict(search.params))}
        counts = {state: search.counts[state] for state in ("complete", "pruned", "failed")}
        return head | counts | {"seconds": search.seconds}

    def _inner(self, ids: pd.Series, truth: pd.Series, outer: str) -> tuple[pd.DataFrame, str]:
        """Inner folds by the rule of the outer protocol, and their unit.

        Where no speaker can be spared, the finest known unit takes its place, as everywhere.
        """
        config, clips, unit = self.study.config, self.part.clips, "clip"
        pool = clips[clips["clip_id"].isin(ids)]
        if "speaker" in self.protocol:
            unit = "speaker" if pool_is_large(pool) else inner_unit(pool)
            unit = "clip" if unit == "duplicate" else unit
        random = settings.rng(config, f"inner folds/{self.part.name}/{self.protocol}/{outer}")
        options: Mapping[str, Any] = {"n": config.tuning.inner_folds, "rng": random, "variants": self.space.variants}
        return splits.inner_folds(clips, truth, ids.unique(), by=unit, **options), unit

    def _predicted(self, params: Mapping, rows: pd.DataFrame, truth: pd.Series, values: FeatureSet) -> pd.DataFrame:
        """Test rows of one outer fold."""
        space, config, classes = self.space, self.study.config, np.sort(truth.unique())
        train = rows.loc[rows["role"] != "test", "clip_id"].unique()
        test = rows.loc[rows["role"] == "test", "clip_id"].to_numpy()
        seed = settings.random_state(config, f"estimators/{space.name}")
        inside = np.concatenate([values.rows(train, variant=v) for v in space.variants])
        codes = np.tile(np.searchsorted(classes, truth.loc[train].to_numpy(str)), len(space.variants))
        estimator, present = fitting.fitted(space.build(params, seed, config), inside, codes)
        proba = np.zeros((len(test), len(classes)), dtype=np.float32)
        proba[:, present] = estimator.predict_proba(values.rows(test))
        head = rows[rows["role"] == "test"][["repeat", "fold", "role", "clip_id", "variant"]].reset_index(drop=True)
        head = head.assign(truth=truth.loc[test].to_numpy(), prediction=classes[proba.argmax(axis=1)])
        head = head.assign(n_train=len(inside), params=json.dumps(params), seed=seed)
        return pd.concat([head, pd.DataFrame(proba, columns=schema.probability_columns(classes))], axis=1)


def table(study: Study) -> pd.DataFrame:
    """The short searches nested by speaker, see ``against_authors``; empty where switched off."""
    return against_authors(study, SEARCHES) if study.config.ablations.nested else pd.DataFrame()


def against_authors(study: Study, names: Sequence[str], *, trials: int = 0) -> pd.DataFrame:
    """Published searches nested by speaker, beside what their authors chose, on the same leak-free folds.

    Columns: search, inner (unit of the inner folds), folds (outer), complete, pruned; inner_score (mean UAR inside),
    value, low, high (UAR on new speakers, mean over corpora), authors (the same with the authors' hyperparameters),
    difference, n. Each is one test-set evaluation. Searches whose clips are absent are left out.
    """
    rows = []
    for space in map(tuning.get, names):
        part = load_baseline_selection(space.system, study.config, study.store)
        if part is not None:
            rows.append(_compared(NestedSearch(study, space, part, "baseline_speakers", trials=trials)))
    return pd.DataFrame(rows)


def _compared(search: NestedSearch) -> dict[str, Any]:
    """One row of ``against_authors``."""
    study, choices, predictions = search.study, search.choices(), search.predictions()
    declaration = [search.experiment.digest, cache_key(search.space, study.config, search.trials)]
    known = {search.experiment.name: ledger.declaration_hash(declaration)}
    ledger.log_test_evaluations(known, ledger.test_uar(predictions), study.store)
    score, authors = (
        baseline_results.honest_score(table, search.part, study.config)
        for table in (predictions, _authors_predictions(search))
    )
    return {
        "search": search.space.name,
        "inner": ", ".join(choices["inner"].unique()),
        "folds": len(choices),
        "complete": choices["complete"].sum(),
        "pruned": choices["pruned"].sum(),
        "inner_score": choices["score"].mean(),
        "value": score["honest"],
        "low": score["honest_low"],
        "high": score["honest_high"],
        "authors": authors["honest"],
        "difference": score["honest"] - authors["honest"],
        "n": predictions["clip_id"].nunique(),
    }


def _authors_predictions(search: NestedSearch) -> pd.DataFrame:
    """Predictions on the same folds with the hyperparameters that the authors chose."""
    space, study = search.space, search.study
    system, model = space.name.split("-")
    variants = tuple(variant for variant in space.variants if variant)
    options = {"scheme": space.scheme, "fixed": True, "variants": variants}
    one = Experiment(search.part.name, search.protocol, space.feature, f"{model}_{system}", **options)
    return runner.predict([one], {search.part.name: search.part}, config=study.config, store=study.store)[one]
