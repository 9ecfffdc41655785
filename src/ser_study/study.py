"""``Study``: the study with one preset on one data folder, as notebooks, scripts and chapters hold it.

>>> study = Study.open("demo")                                          # doctest: +SKIP
>>> X, y, speakers = study.xy("synthetic", "summary")                   # doctest: +SKIP
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from typing import Any

import pandas as pd

from ser_study import corpora, features, splits
from ser_study.config import Config, suggestion
from ser_study.evaluation.tables import SCORE_COLUMNS
from ser_study.experiments import baseline_results, benchmark, checks, folds, named, runner
from ser_study.experiments import selections as loading
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.published import ALL, SCORES
from ser_study.experiments.selections import BASELINE, Selection
from ser_study.schema import FeatureSet
from ser_study.store import Store, open_folders
from ser_study.wording import interval

EXAMPLES = ("ravdess-speech", "emodb", "synthetic", "crema_d")  # speakers × sentences that fit a picture


class Study:
    """Settings, folders and clips of one run.

    Parameters
    ----------
    config : settings
    store : folders: raw data, what is derived from it, the run's report
    selections : name → clips; by default those of the settings, loaded when first used
    baselines : the same for the student projects

    Attributes
    ----------
    selections : name → ``Selection``, such as ``"ravdess-speech"``
    left_out : name → why a selection that is here is not studied
    baselines : name → ``Selection`` with the clips of a student project, such as ``"baseline-000"``
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        selections: Mapping[str, Selection] | None = None,
        baselines: Mapping[str, Selection] | None = None,
    ) -> None:
        self.config, self.store = config, store
        if selections is not None:
            self.selections, self.left_out = dict(selections), {}
        if baselines is not None:
            self.baselines = dict(baselines)

    @classmethod
    def open(cls, preset: str = "quick", overrides: Mapping[str, Any] | None = None, data: str = "") -> Study:
        """The study of a checkout.

        Parameters
        ----------
        preset : "demo", "quick", "full" or "complete"
        overrides : dotted setting → value, such as ``{"audio.sample_rate": 22_050}``
        data : raw data folder, or a published run such as ``reports/full``, whose predictions stand in for audio;
            empty: the variable SER_STUDY_DATA, else ``data/raw`` of the checkout

        Raises
        ------
        ValueError
            An unknown preset or setting, or a value of the wrong type.
        FileNotFoundError
            ``data`` or SER_STUDY_DATA was given and is no folder.
        """
        config, store = open_folders(preset, overrides, data)
        checks.check(config, store, data)
        return cls(config, store)

    def __repr__(self) -> str:
        return f"Study({self.store.run.name!r}, data={self.store.raw.name!r})"

    @cached_property
    def parts(self) -> dict[str, Selection]:
        """Every selection that is here, those too that nothing can be learned from."""
        return loading.load_selections(self.config, self.store)

    @cached_property
    def _usable(self) -> tuple[dict[str, Selection], dict[str, str]]:
        return loading.usable(self.parts, self.config)

    @cached_property
    def selections(self) -> dict[str, Selection]:
        return self._usable[0]

    @cached_property
    def left_out(self) -> dict[str, str]:
        return self._usable[1]

    @cached_property
    def baselines(self) -> dict[str, Selection]:
        return baseline_results.load(self.config, self.store)

    def studied(self, names: Iterable[str]) -> list[str]:
        """Those of some corpora that have a clip to study; ``ValueError`` where nothing can be learned from any."""
        there = {corpora.corpus_of(name) for name, part in self.parts.items() if self.selections and len(part.clips)}
        return [name for name in names if name in there]

    @cached_property
    def possible(self) -> dict[str, list[str]]:
        """Protocols that each selection allows."""
        return benchmark.possible(self.selections, self.config)

    def example(self, n_speakers: int = 2) -> tuple[Study, str]:
        """A study and one of its selections that names speakers, few enough of them and of sentences for a picture.

        It is this study, or one of the built-in corpus where these clips allow no test on new speakers, or have fewer
        than ``n_speakers`` (at most the built-in corpus's eight).
        """
        able = [name for name, allowed in self.possible.items() if "speaker_independent" in allowed]
        named = [name for name in able if self.selections[name].n_speakers >= n_speakers]
        if not named:
            voices = self.config.synthetic
            voices = voices if voices.n_speakers >= n_speakers else type(voices)()
            built_in = dataclasses.replace(self.config, corpora=("synthetic",), synthetic=voices)
            return Study(built_in, self.store), "synthetic"
        return self, next((name for name in EXAMPLES if name in named), named[0])

    def only(self, selections: Iterable[str]) -> Study:
        """The same study with some of its selections."""
        return self._with({name: self.selections[name] for name in selections})

    def with_audio(self) -> Study:
        """The same study with the selections whose audio is here; a pack holds none."""
        return self._with(loading.with_audio(self.selections, self.store))

    def selection(self, name: str) -> Selection:
        """One selection, or the clips of a student project.

        Raises
        ------
        ValueError
            There is none of that name; near names are given.
        """
        known = self.baselines if name.startswith(BASELINE) else self.selections
        if name not in known:
            hint = suggestion(name, known, cutoff=0.4)
            raise ValueError(f"No selection {name!r} in this study{hint} Here: {', '.join(known) or 'none'}.")
        return known[name]

    def clips(self, selection: str = "") -> pd.DataFrame:
        """Analysed clips of a selection, one row a clip; without a name those of all selections, each once."""
        if not selection:
            return loading.all_clips(self.selections)
        return self.selection(selection).clips

    def features(self, selection: str, feature: str, *, variant: int = 0) -> FeatureSet:
        """Features of a selection's clips, cached or extracted now; see ``features.load``."""
        clips = self.selection(selection).clips
        return features.load(feature, clips, config=self.config, store=self.store, variant=variant)

    def xy(self, selection: str, feature: str, *, scheme: str = "native") -> tuple[pd.DataFrame, pd.Series, pd.Series]:
        """What scikit-learn takes: ``X`` (n, d), ``y`` (n,) emotions, ``speakers`` (n,) for ``groups=``.

        Parameters
        ----------
        selection : such as ``"ravdess-speech"``
        feature : a name of ``features.names()`` whose values are vectors
        scheme : label scheme, a key of ``schema.SCHEMES``; clips of other classes are left out

        Returns
        -------
        Three tables indexed alike, by ``clip_id``. Clips without a named speaker share the group ``"unknown"``.

        Raises
        ------
        ValueError
            The feature is a sequence or an image, or a name is unknown.
        """
        part, values = self.selection(selection), self.features(selection, feature)
        if values.values.ndim != 2:
            raise ValueError(f"{feature!r} has values of shape {values.values.shape}; choose a feature of vectors.")
        truth = loading.classes_of(part, scheme)
        truth = truth[truth.index.isin(values.clip_id)]
        X = pd.DataFrame(values.rows(truth.index.to_numpy()), index=truth.index, columns=list(values.columns) or None)
        speakers = part.clips.set_index("clip_id")["speaker"].loc[truth.index].fillna("unknown")
        return X, truth.rename("emotion").astype(str), speakers

    def folds(self, selection: str, protocol: str, *, scheme: str = "native") -> pd.DataFrame:
        """Folds of a protocol, the committed ones where they fit.

        Parameters
        ----------
        selection : such as ``"ravdess-speech"``
        protocol : a key of ``splits.PROTOCOLS``, such as ``"speaker_independent"``
        scheme : label scheme, a key of ``schema.SCHEMES``

        Returns
        -------
        Table ``protocol, repeat, fold, clip_id, variant, role``; roles are train, validation and test.
        """
        part = self.selection(selection)
        one = Experiment(part.name, protocol, "", "", scheme=scheme)
        truth = loading.classes_of(part, scheme)
        clips = part.clips[part.clips["clip_id"].isin(truth.index)]
        with warnings.catch_warnings(action="ignore"):  # that folds are made anew is news in a run, not here
            return folds.protocol_folds(one, part.name, clips, truth, self.config, self.store)

    def predict(self, experiments: Iterable[Experiment], *, read=ALL) -> dict[Experiment, pd.DataFrame]:
        """Predictions of experiments, cached or computed now, with the probabilities that are ``read`` (see
        ``experiments.published``); their test-set evaluations are logged."""
        return self._by_kind(partial(runner.predict, read=read), experiments)

    def predict_validation(self, experiments: Iterable[Experiment]) -> dict[Experiment, pd.DataFrame]:
        """Truth and prediction of validation rows; no test row is shown, so nothing is logged."""
        return self._by_kind(runner.predict_validation, experiments)

    def predictions(self, experiment: Experiment) -> pd.DataFrame:
        """Predictions of one experiment, as ``predict`` gives them."""
        return self.predict([experiment])[experiment]

    def scores(self, experiments: Iterable[Experiment], *, read=SCORES) -> pd.DataFrame:
        """Scores of experiments, one row an experiment and metric, those of student projects last, with
        ``read=LABELS`` none of probabilities; their test-set evaluations are logged."""
        options = {"config": self.config, "store": self.store, "read": read}
        if not (experiments := list(experiments)):
            return pd.DataFrame(columns=list(SCORE_COLUMNS))
        return pd.concat([runner.scores(some, self._home(some[0]), **options) for some in _kinds(experiments)])

    def score(self, name: str) -> str:
        """Score one experiment on its test rows, log the evaluation, and return the sentence to print.

        Parameters
        ----------
        name : see ``experiments.named.parse``; only the corpora that it names are read

        Raises
        ------
        ValueError
            A part of the name is unknown, or its corpus does not allow the experiment.
        """
        one = named.parse(name)
        study = self._reading({corpora.corpus_of(part) for part in (one.selection, *one.others, *one.sources)})
        study.selection(one.selection)
        if runner.needs_transfer(one, study.selections):
            study = self  # hyperparameters come from the other corpora
        study.check_allowed(one)
        declared = one in benchmark.published(study.config, study.possible, study.selections)
        options = {"config": study.config, "store": study.store, "undeclared": not declared}
        table = runner.scores([one], study.selections, **options)
        row = table[table["metric"] == "uar"].iloc[0]
        as_what = "" if declared else " as undeclared, since no run publishes it"
        return (
            f"{name}: UAR {interval(row['value'], row['low'], row['high'])} ({row['interval']}), n = {int(row['n'])}, "
            f"{int(row['n_speakers'])} speakers; logged in {study.store.run.parent.name}/ledger.csv{as_what}."
        )

    def check_allowed(self, experiment: Experiment) -> None:
        """Raise ``ValueError`` where the clips do not allow the protocol of an experiment, or a corpus is not here."""
        for name in (experiment.selection, *experiment.others, *experiment.sources):
            self.selection(name)
        if experiment.protocol != "cross_corpus":
            why_not = splits.why_not(self.clips(experiment.selection), experiment.protocol, self.config)
            if why_not:
                raise ValueError(f"{experiment.name}: {why_not}")

    def _reading(self, names: Iterable[str]) -> Study:
        """The same study, reading some corpora only; the others are not scanned."""
        return Study(dataclasses.replace(self.config, corpora=tuple(sorted(names))), self.store)

    def without_audio(self, corpus: str) -> str:
        """Why the sound of a corpus is not here; empty where it is."""
        return corpora.without_audio(corpus, self.store)

    def _home(self, experiment: Experiment) -> dict[str, Selection]:
        return self.baselines if experiment.selection.startswith(BASELINE) else self.selections

    def _with(self, selections: Mapping[str, Selection]) -> Study:
        """The same study with other selections; the student projects' clips stay where they are loaded."""
        return Study(self.config, self.store, selections, self.__dict__.get("baselines"))

    def _by_kind(self, run, experiments: Iterable[Experiment]) -> dict[Experiment, pd.DataFrame]:
        """Run the baselines' experiments on the baselines' clips and the others on the study's."""
        experiments = list(dict.fromkeys(experiments))
        done: dict[Experiment, pd.DataFrame] = {}
        for some in _kinds(experiments):
            done |= run(some, self._home(some[0]), config=self.config, store=self.store)
        return {one: done[one] for one in experiments}


def _kinds(experiments: Iterable[Experiment]) -> list[list[Experiment]]:
    """Experiments on the study's selections, and those on the clips of student projects; what is empty is left out."""
    kinds: dict[bool, list[Experiment]] = {False: [], True: []}
    for one in dict.fromkeys(experiments):
        kinds[one.selection.startswith(BASELINE)].append(one)
    return [some for some in kinds.values() if some]
