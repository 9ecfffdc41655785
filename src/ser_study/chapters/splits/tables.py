"""Tables of chapter 03: the protocols, the ladder, single speakers, the learning curve, and training across corpora."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import pandas as pd

from ser_study import corpora, splits
from ser_study.chapters.splits import declare
from ser_study.evaluation import summaries, tables
from ser_study.experiments import benchmark, folds, selections
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.published import LABELS
from ser_study.experiments.selections import classes_of
from ser_study.study import Study
from ser_study.wording import interval, word

CURVE_COLUMNS = ["corpus", "feature", "model", "train_speakers", "fewest", "most"]
CURVE_COLUMNS += ["value", "low", "high", "interval", "n", "n_train"]


def protocols() -> pd.DataFrame:
    """Every protocol, what it keeps apart, and what that means."""
    rows = [
        {"protocol": p.name, "keeps apart": ", ".join(p.separates) or "nothing", "meaning": p.explanation}
        for p in splits.PROTOCOLS.values()
    ]
    return pd.DataFrame(rows)


def left_out(study: Study) -> pd.DataFrame:
    """What these data do not allow, and who stands for a corpus of several selections where corpora are crossed:
    ``corpus, protocol, reason``; a selection that is not studied at all has no protocol."""
    rows = [(name, "–", reason) for name, reason in study.left_out.items()]
    for name, part in study.selections.items():
        reasons = splits.impossible(part.clips, study.config)
        rows += [(name, word(protocol), reason) for protocol, reason in reasons.items() if protocol != "cross_corpus"]
    crossing = {corpora.corpus_of(one.selection): one.selection for one in _crossed(study)}
    for name in study.selections:
        first = crossing.get(corpora.corpus_of(name), name)
        if first != name:
            why = f"Where one corpus trains and another is tested, {word(first)} stands for its corpus."
            rows.append((name, word("cross_corpus"), why))
    few = "In some fold these few training speakers say one emotion."
    rows += [(one.selection, f"{one.train_speakers} training speakers", few) for one in declare.unfed(study)]
    return pd.DataFrame(rows, columns=["corpus", "protocol", "reason"]).drop_duplicates(ignore_index=True)


def chance(study: Study) -> dict[str, float]:
    """UAR of guessing on each selection."""
    return selections.chance_levels(study.selections)


def listeners(study: Study) -> dict[str, float]:
    """UAR of a single listener on each corpus that has listeners' answers."""
    clips = {name: part.clips for name, part in study.selections.items()}
    return summaries.listener_lines(summaries.listeners(clips))


def example_folds(study: Study, selection: str) -> pd.DataFrame:
    """Folds of every protocol of the ladder on one selection."""
    declared = [e for e in benchmark.ladder(study.config, study.possible) if e.selection == selection and not e.leak]
    return pd.concat([study.folds(selection, one.protocol) for one in declared], ignore_index=True)


def fold_scores(wrong: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    """Scores of two cross-validations, one row a fold: ``split, fold, score``."""
    parts = {"KFold": np.asarray(wrong), "GroupKFold": np.asarray(right)}
    each = [pd.DataFrame({"split": name, "fold": range(1, len(s) + 1), "score": s}) for name, s in parts.items()]
    return pd.concat(each, ignore_index=True)


@lru_cache(maxsize=1)
def equal_sizes(study: Study) -> Mapping[str, int]:
    """Training clips of the smallest fold of the ladder, for each selection; several tables ask, folds take long."""
    full = benchmark.ladder(study.config, study.possible)
    return MappingProxyType(folds.smallest_training(full, study.selections, config=study.config, store=study.store))


def equal_ladder(study: Study) -> list[Experiment]:
    """The ladder with every training set cut to the size of the smallest."""
    full = benchmark.ladder(study.config, study.possible)
    return benchmark.equal_size(study.config, full, equal_sizes(study))


def ladder(study: Study) -> pd.DataFrame:
    """UAR of every step: ``corpus, protocol, size, value, low, high, interval, n, n_train``; size "full" or "equal"."""
    declared = {"full": benchmark.ladder(study.config, study.possible), "equal": equal_ladder(study)}
    each = []
    for size, experiments in declared.items():
        steps = {one.name: benchmark.step_of(one) for one in experiments}
        scores = summaries.uar(study.scores(experiments, read=LABELS))
        each.append(scores.assign(protocol=scores["experiment"].map(steps), size=size))
    columns = ["corpus", "protocol", "size", "value", "low", "high", "interval", "n", "n_train"]
    return pd.concat(each, ignore_index=True)[columns]


def ladder_summary(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a corpus and protocol: equal size and full size side by side."""
    intervals = [interval(*row) for row in scores[["value", "low", "high"]].itertuples(index=False)]
    columns = {"index": ["corpus", "protocol"], "columns": "size", "values": ["uar", "n_train"]}
    wide = scores.assign(uar=intervals).pivot(**columns)
    wide = wide.reindex(list(dict.fromkeys(zip(scores["corpus"], scores["protocol"]))))
    wide.columns = [f"{size} size" if what == "uar" else f"training rows, {size}" for what, size in wide.columns]
    return wide.reset_index()


def ladder_speakers(study: Study) -> pd.DataFrame:
    """UAR of each speaker at equal training size, on a random split and left out, fewest speakers first."""
    pair = ["random", "speaker_independent"]
    chosen = [one for one in equal_ladder(study) if not one.leak and one.protocol in pair]
    each = []
    for one, predictions in study.predict(chosen, read=LABELS).items():
        clips = study.selections[one.selection].clips
        each += [tables.speaker_scores(part, clips) for _, part in predictions.groupby("draw")]
    scores = pd.concat(each).groupby(["corpus", "speaker", "protocol"], sort=False)["uar"].mean().unstack("protocol")
    scores = scores.reindex(columns=pair)
    scores = scores.assign(change=scores["speaker_independent"] - scores["random"]).reset_index()
    order = scores.groupby("corpus")["speaker"].transform("size")
    scores = scores.assign(order=order, n_train=scores["corpus"].map(equal_sizes(study)))
    scores = scores.sort_values(["order", "corpus", "speaker"])
    return scores[["corpus", "speaker", *pair, "change", "n_train"]].reset_index(drop=True)


def curve(study: Study) -> pd.DataFrame:
    """Speaker-independent UAR by number of training speakers (``CURVE_COLUMNS``); empty without enough speakers."""
    declared = declare.curve(study)
    if not declared:
        return pd.DataFrame(columns=CURVE_COLUMNS)
    scores = summaries.uar(study.scores(declared, read=LABELS))
    trained = pd.DataFrame(
        {one.name: _trained_on(one, study) for one in declared}, ["train_speakers", "fewest", "most"]
    )
    scores = scores.join(trained.T, on="experiment")
    keys = ["corpus", "feature", "model", "fewest", "most"]
    return scores.drop_duplicates(keys)[CURVE_COLUMNS].reset_index(drop=True)


def _trained_on(one: Experiment, study: Study) -> tuple[float, int, int]:
    """Speakers in training: mean over the folds, fewest and most; where validation holds some, fewer than declared."""
    part = study.selections[one.selection]
    made = folds.folds_of(one, part, classes_of(part, one.scheme), study.config, study.store, draw=0)
    train = made[made["role"] == "train"]
    speaker = train["clip_id"].map(part.clips.set_index("clip_id")["speaker"])
    numbers = speaker.groupby([train["repeat"], train["fold"]]).nunique()
    return float(numbers.mean()), int(numbers.min()), int(numbers.max())


def _crossed(study: Study) -> list[Experiment]:
    """The experiments that train on one corpus and test on another, and those within."""
    return benchmark.cross_corpus(study.config, study.possible)


def cross_corpus(study: Study) -> pd.DataFrame:
    """UAR by training corpus (rows) and test corpus (columns); empty with fewer than two corpora."""
    declared = _crossed(study)
    if not declared:
        return pd.DataFrame()
    scores = summaries.uar(study.scores(declared, read=LABELS))
    sources = {one.name: one.sources[0] if one.sources else one.selection for one in declared}
    scores = scores.assign(source=scores["experiment"].map(sources))
    names = list(dict.fromkeys(scores["corpus"]))
    return scores.pivot(index="source", columns="corpus", values="value").reindex(index=names, columns=names)


def role_counts(folds: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """Clips, speakers and sentences of each role in the first fold of each protocol."""
    plain = folds[folds["variant"] == 0].sort_values(["repeat", "fold"])
    places = ["repeat", "fold"]
    first = plain[plain.groupby("protocol")[places].transform("first").eq(plain[places]).all(axis=1)]
    joined = first.merge(clips[["clip_id", "speaker", "statement"]], on="clip_id")
    groups = joined.groupby(["protocol", "role"], sort=False)
    counted = groups.agg(clips=("clip_id", "size"), speakers=("speaker", "nunique"), sentences=("statement", "nunique"))
    return counted.reset_index()
