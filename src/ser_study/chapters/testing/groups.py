"""Is a system as good for every voice? Gaps in UAR between groups of speakers and of clips, and its spread.

Conventions
-----------
Groups are compared over the classes and sentences that occur on both sides. Groups of speakers (gender, age, race,
ethnicity) are tested by permuting them over speakers, groups of clips that each speaker has (intensity, sentence,
channel) by flipping signs of the speakers' own gaps. With fewer than ``MIN_SPEAKERS`` speakers on either side the gap
is shown without a test. Holm's correction runs over all tests of a selection. Beside each gap stands the listeners' own
on the same clips, where their answers are known clip by clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study.chapters.testing import declare
from ser_study.evaluation import comparisons, groups, intervals, significance, tables
from ser_study.evaluation.groups import Answers
from ser_study.evaluation.predictions import experiments, pooled
from ser_study.experiments.experiment import Experiment
from ser_study.plotting.palette import INTENSITIES
from ser_study.schema import probability_columns
from ser_study.study import Study
from ser_study.wording import voices

VERSION = 2  # rises when gaps are taken in another way
MIN_SPEAKERS = 10  # on each side, below which nothing is claimed
MAX_SENTENCES = 12  # of which each is set against the others
OF_SPEAKERS = ("gender", "age", "race", "ethnicity")
OF_CLIPS = ("intensity", "statement", "channel")
AGES = {"under 30": (0, 30), "30 to 44": (30, 45), "45 to 59": (45, 60), "60 and over": (60, 200)}  # years
UNGRADED = ("unspecified", "unknown")
CHANNELS = ("ravdess-speech", "ravdess-song")  # of the same speakers, by systems of their own
OTHERS = "others"
LISTENERS = "listeners"
NO_CLAIM = "too few speakers to claim anything"
COLUMNS = (
    *("corpus", "attribute", "group", "against", "system", "value", "value_against", "difference", "low", "high"),
    *("p", "p_holm", "listeners_difference", "listeners_low", "listeners_high", "n", "n_speakers", "note"),
)
SPREAD = ("corpus", "system", "worst", "median", "best", "sd", "n_speakers")


@dataclass(frozen=True)
class Comparison:
    """Two groups of clips: those with a value of an attribute, and those with another value, or with any other."""

    attribute: str
    group: str
    against: str
    inside: np.ndarray  # (n,) bool
    outside: np.ndarray  # (n,) bool

    @property
    def of_speakers(self) -> bool:
        """Whether each speaker is in one of the groups only."""
        return self.attribute in OF_SPEAKERS


def gaps(study: Study) -> pd.DataFrame:
    """Gap of every system in every pair of groups (``COLUMNS``); ``difference`` is the group's UAR minus the others'.

    ``n`` and ``n_speakers`` count the smaller side. Empty p: not tested, and ``note`` says why.
    """
    parts = []
    for name, kinds in declare.systems(study).items():
        predictions = _by_kind(kinds, study)
        make = partial(_selection, name, predictions, study)
        parts.append(study.store.cached(f"testing/groups_{name}", _cache_key(name, predictions, study), make))
    parts = [part for part in (*parts, _channels(study)) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def _selection(name: str, predictions: Mapping[str, pd.DataFrame], study: Study) -> pd.DataFrame:
    """The rows of one selection."""
    rows, clips = [], study.clips(name)
    for kind, table in predictions.items():
        one = pooled(next(experiments(table, clips)))
        own = clips.iloc[one.clip].reset_index(drop=True)
        gaps_here = _gaps(own, one.truth, one.prediction == one.truth, compared(own), study)
        rows += [row | {"corpus": name, "system": declare.TITLES[kind]} for row in gaps_here]
    return _corrected(rows)


def _cache_key(name: str, predictions: Mapping[str, pd.DataFrame], study: Study) -> dict:
    """All that the gaps of a selection depend on: its predictions, what is known of its clips, and the settings."""
    answered = ["clip_id", "role", "truth", "prediction"]
    known = ["clip_id", "speaker", "statement", "human_votes", "human_recognition", *OF_SPEAKERS, *OF_CLIPS]
    parts = {kind: table[answered] for kind, table in predictions.items()} | {"clips": study.clips(name)[known]}
    hashes = {key: int(pd.util.hash_pandas_object(part, index=False).sum()) for key, part in parts.items()}
    return {"version": VERSION, "evaluation": study.config.evaluation, "seed": study.config.seed} | hashes


def _by_kind(kinds: Mapping[str, Experiment], study: Study) -> dict[str, pd.DataFrame]:
    predictions = study.predict(kinds.values())
    return {kind: predictions[one] for kind, one in kinds.items()}


def _corrected(rows: list[dict]) -> pd.DataFrame:
    """The comparisons of a selection, one after the other with its systems, and their p corrected together."""
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    table["p_holm"] = significance.holm(table["p"])
    place = table.groupby(["attribute", "group"], sort=False).ngroup()
    return table.loc[place.sort_values(kind="stable").index]


def _channels(study: Study) -> pd.DataFrame:
    """Song against speech of RAVDESS: the systems of each on the classes, and with the options, that both have."""
    chosen = [declare.systems(study).get(name, {}) for name in CHANNELS]
    rows = []
    for kind in [kind for kind in declare.TITLES if kind in chosen[0] and kind in chosen[1]]:
        predictions = study.predict([kinds[kind] for kinds in chosen])
        clips = pd.concat([study.clips(name) for name in CHANNELS], ignore_index=True)
        tested = [table[table["role"] == "test"] for table in predictions.values()]
        shared = sorted(set.intersection(*(set(table["truth"]) for table in tested)))
        if len(shared) < 2:
            continue
        both = pd.concat([_among(table, shared) for table in tested], ignore_index=True)
        own = clips.set_index("clip_id", drop=False).loc[both["clip_id"]].reset_index(drop=True)
        truth, right = pd.factorize(both["truth"], sort=True)[0], (both["truth"] == both["prediction"]).to_numpy()
        gaps_here = _gaps(own, truth, right, compared(own, ("channel",)), study)
        rows += [row | {"corpus": "ravdess", "system": declare.TITLES[kind]} for row in gaps_here]
    return _corrected(rows)


def _among(rows: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Rows of some classes, each predicted as the likeliest of these."""
    rows = rows[rows["truth"].isin(classes)]
    likeliest = rows[probability_columns(classes)].to_numpy(float).argmax(axis=1)
    return rows.assign(prediction=np.asarray(classes, object)[likeliest])


def _gaps(
    own: pd.DataFrame, truth: np.ndarray, right: np.ndarray, pairs: Sequence[Comparison], study: Study
) -> list[dict]:
    """One row a comparison: own clips, with the code of the class and whether the prediction is right, (n,) each."""
    model, speakers = Answers(truth, right.astype(float), np.ones(len(right))), own["speaker"].to_numpy(object)
    answers = comparisons.listener_answers(own).reindex(own.index).fillna(0)
    listeners = Answers(truth, answers["hits"].to_numpy(float), answers["answers"].to_numpy(float))
    evaluation = study.config.evaluation
    random = settings.rng(study.config, f"testing/groups/{own['corpus'].iloc[0]}")
    drawn = intervals.resample(truth, speakers, n_bootstrap=evaluation.n_bootstrap, rng=random)
    rows = []
    for pair in pairs:
        units = [truth] if pair.attribute == "statement" else [truth, own["statement"]]
        sides = groups.comparable(pair.outside, pair.inside, *units)
        if len(np.unique(truth[sides[1]])) < 2:
            continue
        gap, human = (groups.gap(given, *sides, drawn, level=evaluation.level) for given in (model, listeners))
        tested = _test(model, pair, sides, speakers, study)
        rows.append({
            **{"attribute": pair.attribute, "group": pair.group, "against": pair.against},
            **{"value": gap.value_b, "value_against": gap.value_a, "difference": gap.difference},
            **{"low": gap.interval.low, "high": gap.interval.high, "listeners_difference": human.difference},
            **{"listeners_low": human.interval.low, "listeners_high": human.interval.high},
            **tested,
            "note": tested["note"] or voices(drawn.kind).strip(" ()"),
        })  # fmt: skip
    return rows


def _test(model: Answers, pair: Comparison, sides: tuple, speakers: np.ndarray, study: Study) -> dict:
    """p of a comparison, NaN where a side has too few speakers, and how many clips and speakers the smaller has."""
    outside, inside = sides
    n_speakers = min(pd.Series(speakers[side]).nunique() for side in sides)
    counted = {"n": int(min(outside.sum(), inside.sum())), "n_speakers": n_speakers}
    if n_speakers < MIN_SPEAKERS:
        return counted | {"p": np.nan, "note": NO_CLAIM}
    random = settings.rng(study.config, f"testing/groups/{pair.attribute}/{pair.group}")
    options = {"n_permutations": study.config.evaluation.n_permutations, "rng": random}
    if pair.of_speakers:
        return counted | {"p": groups.permutation_test(model, outside, inside, speakers, **options).p, "note": ""}
    own = groups.speaker_gaps(model, outside, inside, speakers)
    return counted | {"p": significance.sign_flip(own, **options).p if len(own) else np.nan, "note": ""}


def compared(clips: pd.DataFrame, attributes: Sequence[str] = (*OF_SPEAKERS, *OF_CLIPS)) -> list[Comparison]:
    """The pairs of groups that the columns of some clips allow: two values, each of several values against the others,
    each intensity against the weakest."""
    pairs = []
    for attribute in attributes:
        value = _values(clips, attribute)
        names = list(dict.fromkeys(value.dropna().sort_values()))
        if attribute == "intensity":
            names = [name for name in INTENSITIES if name in names]
        if attribute == "age":
            names = [name for name in AGES if name in names]
        if len(names) < 2 or (attribute == "statement" and len(names) > MAX_SENTENCES):
            continue
        if attribute == "intensity" or len(names) == 2:
            weakest, *rest = names
            sides = [(name, weakest, value == weakest) for name in rest]
        else:
            sides = [(name, OTHERS, value.notna() & (value != name)) for name in names]
        pairs += [
            Comparison(attribute, name, against, (value == name).to_numpy(bool), outside.to_numpy(bool))
            for name, against, outside in sides
        ]
    return pairs


def _values(clips: pd.DataFrame, attribute: str) -> pd.Series:
    """Value of an attribute of each clip; empty where it is unknown or, of speakers, not one."""
    value = clips[attribute]
    if attribute == "age":
        value = pd.Series(pd.NA, index=clips.index, dtype=object)
        for name, (low, high) in AGES.items():
            value[(clips["age"] >= low) & (clips["age"] < high)] = name
    if attribute == "statement":
        value = value.str.replace(r"^[^/]*/", "", regex=True)  # without the name of the corpus
    if attribute == "intensity":
        value = value.where(~value.isin(UNGRADED))
    if attribute in OF_SPEAKERS:
        value = value.where(value.groupby(clips["speaker"]).transform("nunique") == 1)
    value = value.astype(object)
    return value.where(value.notna() & (value != "")).astype(object)


def spread(study: Study) -> pd.DataFrame:
    """Worst, median and best UAR of one speaker (``SPREAD``): of every system, and of listeners on each speaker."""
    rows = []
    for name, kinds in declare.systems(study).items():
        clips = study.clips(name)
        for kind, predictions in _by_kind(kinds, study).items():
            scored = tables.speaker_scores(predictions, clips)
            rows.append({"corpus": name, "system": declare.TITLES[kind]} | _summary(scored["uar"].to_numpy()))
        if len(own := _listeners_by_speaker(clips)):
            rows.append({"corpus": name, "system": LISTENERS} | _summary(own))
    return pd.DataFrame(rows, columns=list(SPREAD))


def _listeners_by_speaker(clips: pd.DataFrame) -> np.ndarray:
    """UAR of the listeners on each speaker whose clips they answered."""
    given = comparisons.listener_answers(clips)
    own = clips.loc[given.index]
    if own.empty:
        return np.empty(0)
    speaker, names = pd.factorize(own["speaker"])
    truth = pd.factorize(own["emotion"])[0]
    answers = Answers(truth, given["hits"].to_numpy(), given["answers"].to_numpy())
    return groups.uar(groups.tally(answers, speaker >= 0, speaker, len(names)))


def _summary(scores: np.ndarray) -> Mapping[str, float]:
    return {
        **{"worst": float(scores.min()), "median": float(np.median(scores)), "best": float(scores.max())},
        **{"sd": float(scores.std(ddof=1)) if len(scores) > 1 else np.nan, "n_speakers": len(scores)},
    }
