"""The further tables of chapter 04: twenty models with their times, preparation, copies, selection, searches.

All but the nested searches is development: valid rows decide and are shown, no test row is read. Which of these a
run holds is ``study.further``; what is left out is said on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd
import sklearn

from ser_study import config as settings
from ser_study import features, splits
from ser_study.config import Config
from ser_study.experiments import (
    automl_study,
    channel_study,
    feature_study,
    league_times,
    nested_searches,
    searches,
    selection_study,
    signal_study,
)
from ser_study.experiments import material as materials
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material
from ser_study.models import registry
from ser_study.store import Store
from ser_study.words import listed, minus, share, word

FEATURE = "seed184"
VERSION = 1  # rises when a kept table gives other numbers
SEARCHED = ("000-lightgbm", "001-logistic", "002-knn", "002-tree", "002-logistic")  # of seconds to minutes
NESTED = ("000-lightgbm", "002-knn", "002-tree", "002-logistic")
SHOWN_LEFT_OUT = "Left out: it takes the preset `full`, for its time, and the recordings that it is about."

Gathered = Mapping[str, Material]


def asked(what: str, config: Config) -> bool:
    """Whether this run holds a table: one of ``config.study.further`` (by default of the preset ``full``)."""
    return what in config.study.further


def _speaker_folds(gathered: Gathered, config: Config, store: Store):
    """The first compared selection: its name, features, truth and speaker folds; None where there is none."""
    chosen = signal_study.selections(config, gathered)
    if not chosen:
        return None
    name, part = chosen[0], gathered[chosen[0]]
    experiment = Experiment(name, "speaker_independent", FEATURE, "logistic")
    truth = materials.classes_of(part, "native")
    values = features.load(FEATURE, part.clips, config=config, store=store)
    truth = truth[truth.index.isin(values.clip_id)]
    folds = materials.folds_of(experiment, part, truth, config, store, 0)
    return name, values, truth, folds


def _rests_on(name: str, config: Config, store: Store) -> dict[str, Any]:
    """What a kept table of one selection depends on besides its clips and models."""
    return {
        "features": features.get(FEATURE).settings(config),
        "folds": splits.committed_hash(name, "speaker_independent", store.project / "data" / "folds"),
        "versions": [VERSION, sklearn.__version__, version("lightgbm")],
    }


def described(gathered: Gathered, *, config: Config, store: Store) -> pd.DataFrame:
    """Every way to describe a clip under one model, on valid speakers."""
    if not asked("descriptions", config):
        return pd.DataFrame()
    return feature_study.table(materials.with_audio(gathered, store), config=config, store=store)


def times(gathered: Gathered, *, config: Config, store: Store) -> pd.DataFrame:
    """Every classical model on one selection: scores on valid speakers, seconds to fit, ms to predict; kept."""
    found = _speaker_folds(gathered, config, store)
    if found is None or not asked("times", config):
        return pd.DataFrame()
    name, values, truth, folds = found
    seed = settings.random_state(config, "league times")
    parts = {"clips": gathered[name].digest, "models": config.models, "seed": seed, "names": list(registry.LEAGUE)}
    parts |= _rests_on(name, config, store)

    def make() -> pd.DataFrame:
        table = league_times.league_times(values, truth, folds, models=config.models, seed=seed)
        return table.assign(corpus=name)

    return store.cached(f"times/{name}", parts, make)


def times_words(table: pd.DataFrame) -> str:
    """The best and the quickest."""
    best = table.loc[table["uar"].idxmax()]
    near = table[table["uar"] >= best["uar"] - 0.02]
    quick = near.loc[near["fit_s"].idxmin()]
    first = (
        f"On valid speakers of {word(best['corpus'])}, {word(best['model'])} has the highest UAR "
        f"({share(best['uar'])}, {best['fit_s']:.3f} s a fit)"
    )
    if quick["model"] == best["model"]:
        return f"{first}, and nothing within two points of it is quicker."
    return (
        f"{first}; the quickest within two points of it is {word(quick['model'])} "
        f"({share(quick['uar'])}, {quick['fit_s']:.3f} s)."
    )


def automl(*, config: Config, store: Store) -> pd.DataFrame:
    """Seed 004's comparison of models replayed inside its training part, beside the same on new speakers."""
    return automl_study.table(config=config, store=store) if asked("automl", config) else pd.DataFrame()


def signals(gathered: Gathered, *, config: Config, store: Store) -> pd.DataFrame:
    """Ways to prepare a clip, against the study's own, on valid speakers."""
    found = _against("signal", signal_study.treatments, gathered, config, store)
    return signal_study.signal_table(found) if len(found) else found


def copies(gathered: Gathered, *, config: Config, store: Store) -> pd.DataFrame:
    """Augmented copies of the training clips, against none, on valid speakers."""
    found = _against("augmentation", signal_study.augmentation, gathered, config, store)
    return signal_study.augmentation_table(found) if len(found) else found


def _against(what: str, declare: Callable, gathered: Gathered, config: Config, store: Store) -> pd.DataFrame:
    """Every declared experiment against its reference; empty where it is not asked for or nothing is able."""
    if not asked(what, config):
        return pd.DataFrame()
    gathered = materials.with_audio(gathered, store)
    declared = declare(config, gathered)
    if not declared:
        return pd.DataFrame()
    told = signal_study.told(declared, gathered, config=config, store=store)
    clips = pd.concat([gathered[name].clips for name in {one.selection for one in declared}], ignore_index=True)
    return signal_study.valid_table(told, clips, config=config)


def channels(gathered: Gathered, *, config: Config, store: Store) -> pd.DataFrame:
    """Speech and song of RAVDESS, each taught by itself, by the other and by both, on valid speakers."""
    if not asked("channels", config):
        return pd.DataFrame()
    usable = [e for e in channel_study.declared(gathered) if not features.unavailable(e.feature)]
    return channel_study.table(usable, gathered, config=config, store=store) if usable else pd.DataFrame()


def selection(gathered: Gathered, *, config: Config, store: Store) -> pd.DataFrame:
    """Dropping the least important features, ranked anew in every training fold, beside dropping at random; kept."""
    found = _speaker_folds(gathered, config, store)
    if found is None or not asked("selection", config):
        return pd.DataFrame()
    name, values, truth, folds = found
    speaker = gathered[name].clips.set_index("clip_id")["speaker"]
    parts = {"clips": gathered[name].digest, "models": config.models, "seed": config.seed}
    parts |= _rests_on(name, config, store)
    parts["points"] = [selection_study.DROPPED, selection_study.DRAWS, list(selection_study.RANKINGS)]

    def make() -> pd.DataFrame:
        return selection_study.curve(values, truth, folds, speaker, config=config)

    table = store.cached(f"selection/{name}", parts, make)
    return selection_study.against_random(table).assign(corpus=name)


def selection_words(table: pd.DataFrame) -> str:
    """What dropping a hundred features costs, and which rankings beat dropping at random."""
    whole = table.loc[table["dropped"] == 0, "uar"].mean()
    hundred = table[table["dropped"] == 100]
    if hundred.empty:
        return ""
    ahead = hundred[hundred["folds_ahead"] > hundred["folds"] / 2]
    names = listed(word(name) for name in ahead["ranking"]) or "none"
    best = hundred.loc[hundred["uar"].idxmax()]
    return (
        f"With all features UAR is {share(whole)}; without the 100 least important ones it is at best "
        f"{share(best['uar'])} ({word(best['ranking'])}). Ahead of dropping at random in most folds: {names}."
    )


def searched(*, config: Config, store: Store) -> pd.DataFrame:
    """Published searches replayed inside the training parts of their lists: budget, pruned trials, best score.

    Those of seconds to minutes are ``searches``, the others, which take hours together, ``long_searches``.
    """
    groups = {"searches": SEARCHED, "long_searches": [name for name in searches.names() if name not in SEARCHED]}
    names = [name for group, members in groups.items() if asked(group, config) for name in members]
    return searches.replays(names, config=config, store=store)


def searched_words(table: pd.DataFrame) -> str:
    """How much was pruned, and which searches are not here."""
    left = [name for name in searches.names() if name not in set(table["search"])]
    return (
        f"{int(table['trials'].sum())} trials in all, {int(table['pruned'].sum())} of them pruned after a report. "
        "The students' own searches reported nothing between folds, so nothing could be pruned."
        + (f" Not replayed here: {listed(left)} (those that take hours are in the preset `complete`)." if left else "")
    )


def nested(*, config: Config, store: Store) -> pd.DataFrame:
    """Some of these searches anew inside each training part of leak-free folds, dealt by speakers."""
    if not asked("nested", config):
        return pd.DataFrame()
    return nested_searches.table(NESTED, config=config, store=store)


def nested_words(table: pd.DataFrame) -> str:
    """What searching by speakers gives over what the authors' leaking search chose."""
    told = [
        f"{word(row.search)} {share(row.value)} ({minus(100 * row.difference)} points against the authors' choice)"
        for row in table.itertuples()
    ]
    optimism = 100 * (table["inner_score"] - table["value"]).mean()
    return (
        f"On new speakers: {listed(told)}. The score inside, by which a search chooses, lies on average "
        f"{minus(optimism)} points from the score on speakers it never saw."
    )
