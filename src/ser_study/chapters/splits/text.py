"""Titles, captions and sentences of chapter 03, all computed from its tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ser_study.experiments.benchmark import AUGMENTED
from ser_study.study import Study
from ser_study.wording import Caption, listed, minus, p_text, sentence, share, word

SPEAKER_STEP = ("random", "speaker_independent")
NOT_TWICE = (
    "One that would repeat another (takes where nothing was said twice, one speaker left out where every fold tests "
    "one) is not run twice."
)


def protocols() -> Caption:
    """Caption of the protocols."""
    return Caption("protocols", "The protocols, and the units that test shares with neither training nor validation.")


def left_out() -> Caption:
    """Caption of the protocols that are left out."""
    return Caption(
        "left_out",
        f"Protocols that are left out, and why; a dash stands for all of them. {NOT_TWICE}",
        empty=f"Every corpus of this run allows every protocol. {NOT_TWICE}",
    )


def fold_scores_title(scores: pd.DataFrame, selection: str) -> str:
    """Mean score of the two cross-validations."""
    mean = scores.groupby("split")["score"].mean()
    wrong, right = mean["KFold"], mean["GroupKFold"]
    return f"{sentence(word(selection))}: {share(wrong)} with shuffled folds, {share(right)} on new speakers"


def fold_scores(scores: pd.DataFrame, selection: str) -> Caption:
    """Caption of the two cross-validations, and by how much they differ."""
    by_split = scores.groupby("split")["score"]
    mean, sd = by_split.mean(), by_split.std()
    lost, n = 100 * (mean["KFold"] - mean["GroupKFold"]), scores["fold"].nunique()
    lowest, highest = by_split.min()["GroupKFold"], by_split.max()["GroupKFold"]
    return Caption(
        "fold_scores",
        f"Balanced accuracy of {n} folds (dots) and their mean (line): the same clips, features and model, two splits.",
        alt=fold_scores_title(scores, selection),
        finding=(
            f"`KFold` scores {share(mean['KFold'])} ± {share(sd['KFold'])} (mean and sd over {n} folds), `GroupKFold` "
            f"{share(mean['GroupKFold'])} ± {share(sd['GroupKFold'])}: {minus(lost, 0)} points less. Only the split "
            f"differs. On new speakers the folds range from {share(lowest)} to {share(highest)}: voices differ, and a "
            "mean without that range says little about the next speaker. The ladder below has other folds and another "
            "shrinkage and pools the clips of all folds, so its scores differ a little."
        ),
    )


def fold_map_title(selection: str) -> str:
    """What the map of folds shows."""
    return f"First fold of each protocol: {word(selection)}"


def fold_map(selection: str, roles: pd.DataFrame) -> Caption:
    """Caption of the map of folds.

    Parameters
    ----------
    roles : of ``tables.role_counts``, for those who cannot see the map
    """
    counted = [
        f"{word(protocol)}: "
        + listed(f"{row.role} {row.clips:,} clips of {row.speakers} speakers and {row.sentences} sentences"
                 for row in rows.itertuples())
        for protocol, rows in roles.groupby("protocol", sort=False)
    ]  # fmt: skip
    return Caption(
        "fold_map",
        "Rows are speakers, columns are sentences. Stripes: a cell whose clips have several roles. Grey: not used in "
        "this fold.",
        alt=f"{fold_map_title(selection)}. Speakers by sentences, coloured by role. {'; '.join(counted)}.",
    )


def shared_units() -> Caption:
    """Caption of the shared units."""
    labels = {"statement": "sentence", "take": "other take"}
    return Caption(
        "shared_units", "Share of test clips whose speaker, sentence or other take is in training.", labels=labels
    )


def _wide(scores: pd.DataFrame) -> pd.DataFrame:
    """Equal-size UAR, corpus × protocol."""
    wide = scores[scores["size"] == "equal"].pivot(index="corpus", columns="protocol", values="value")
    return wide.reindex(columns=wide.columns.union(SPEAKER_STEP, sort=False))


def ladder_title(scores: pd.DataFrame) -> str:
    """What new speakers cost at equal training size."""
    wide = _wide(scores)
    lost = 100 * (wide["random"] - wide["speaker_independent"]).dropna()
    if lost.empty:
        return "No selection names two speakers, so none can be tested on new speakers"
    if len(lost) == 1:
        return f"New speakers cost {minus(lost.iloc[0], 0)} points at equal training size"
    return f"At equal training size new speakers cost {minus(lost.min(), 0)} to {minus(lost.max(), 0)} points"


def ladder(scores: pd.DataFrame) -> Caption:
    """Caption of the ladder; its alternative text holds the scores."""
    whole = _wide(scores)
    wide = whole[list(SPEAKER_STEP)].set_axis(["random", "new speakers"], axis=1)
    parts = [
        f"{word(corpus)}: " + ", ".join(f"{name} {share(value)}" for name, value in row.dropna().items())
        for corpus, row in wide.iterrows()
    ]
    return Caption(
        "ladder",
        "UAR of one model with fixed hyperparameters, by protocol. Bars: 95 % intervals over speakers (with three or "
        f"fewer: over clips).{_augmented_on(whole)}",
        alt="UAR at equal training size. " + "; ".join(parts) + ".",
        lead=True,
    )


def _augmented_on(wide: pd.DataFrame) -> str:
    """Which corpora were also augmented before the split, where not all were."""
    if AUGMENTED not in wide or wide[AUGMENTED].notna().all():
        return ""
    return f" Augmented before the split: {listed([word(name) for name in wide.index[wide[AUGMENTED].notna()]])} only."


def costs(steps: pd.DataFrame) -> Caption:
    """Caption of the steps: on which corpora new speakers cost more than chance, on which not, and where none can."""
    speaker = steps[(steps["step_from"] == SPEAKER_STEP[0]) & (steps["step_to"] == SPEAKER_STEP[1])]
    tested = speaker[speaker["note"] == ""]
    groups = {
        "significant on": tested[tested["p_holm"] < 0.05],
        "not significant on": tested[tested["p_holm"] >= 0.05],
        "not tested, for too few speakers, on": speaker[speaker["note"] != ""],
    }
    parts = [f"{how} {listed(map(_step, rows.itertuples()))}" for how, rows in groups.items() if len(rows)]
    finding = f"The step from a random split to new speakers is {'; '.join(parts)}." if parts else ""
    return Caption(
        "steps",
        "What each step costs in UAR, at equal training size.",
        finding=finding,
        empty="No selection allows two protocols to compare.",
    )


def _step(row) -> str:
    """A corpus with the change in points, and p where it was tested."""
    p = f", p (Holm) {p_text(row.p_holm)}" if row.note == "" else ""
    return f"{word(row.family)} ({minus(100 * row.difference)} points{p})"


def ladder_speakers(study: Study) -> Caption:
    """Caption of the scores of single speakers, and which corpora have only two."""
    pairs = [word(name) for name, part in study.selections.items() if part.n_speakers == 2]
    finding = (
        f"On {listed(pairs)}, training without the test speaker means training on one person. The hyperparameters of "
        "tuned systems then come from the other corpora (not nested by speaker); the ladder here tunes nothing."
    )
    return Caption(
        "ladder_speakers",
        "UAR of each speaker at equal training size.",
        finding=finding if pairs else "No corpus of this run has only two speakers.",
    )


ENDS = ["fewest", "most"]


def span_text(fewest: float, most: float) -> str:
    """``13–14``, or ``13`` where both are equal."""
    return f"{fewest:.0f}" if fewest == most else f"{fewest:.0f}–{most:.0f}"


def curve_title(scores: pd.DataFrame) -> str:
    """How much the largest number of training speakers gains over the smallest, on the corpus where the first system
    gains most; beside it what the second gains there."""
    systems = scores.groupby(["feature", "model"], sort=False)
    first, *others = [_gains(own) for _, own in systems]
    best = first["gain"].idxmax()
    gain, few, many, last = first.loc[best, ["gain", "few", "many", "last"]]
    if few == many:
        return f"With {few} training speakers, {word(best)} scores {share(last)}"
    verb = "gains" if gain >= 0 else "loses"
    title = f"From {few} to {many} training speakers, {word(best)} {verb} {minus(abs(100 * gain), 0)} points"
    if others and best in others[0].index:
        names = [", ".join(map(word, name)) for name in systems.groups]
        title += f" ({names[0]}) and {minus(100 * others[0]['gain'][best], 0)} ({names[1]})"
    return title


def _gains(scores: pd.DataFrame) -> pd.DataFrame:
    """Of one system, by corpus: ``gain`` from the fewest training speakers to the most, ``few``, ``many``, ``last``."""
    by_corpus = scores.sort_values("train_speakers").groupby("corpus")
    first, last = by_corpus.first(), by_corpus.last()
    spans = {name: [span_text(*pair) for pair in zip(ends["fewest"], ends["most"])] for name, ends in
             (("few", first), ("many", last))}  # fmt: skip
    return pd.DataFrame({"gain": last["value"] - first["value"], "last": last["value"], **spans}, index=first.index)


def curve(scores: pd.DataFrame) -> Caption:
    """Caption of the learning curve."""
    return Caption(
        "learning_curve",
        "UAR on new speakers against the number of speakers really trained on (fewest–most over the folds), of the "
        "reference system and of the pretrained encoder where there is one; band: 95 % interval.",
        alt=curve_title(scores) if len(scores) else "",
        empty="No selection has enough speakers for a learning curve.",
    )


def cross_corpus_title(matrix: pd.DataFrame) -> str:
    """Median UAR between corpora, and within."""
    values = matrix.to_numpy(float)
    between = values[~np.eye(len(values), dtype=bool)]
    within = np.diag(values)[~np.isnan(np.diag(values))]  # none where a corpus does not name its speakers
    rest = f"; within the corpus {share(np.median(within))}" if len(within) else ""
    return f"Trained on another corpus, UAR is {share(np.median(between))} in the median{rest}"


def cross_corpus(matrix: pd.DataFrame) -> Caption:
    """Caption of the matrix of corpora."""
    return Caption(
        "cross_corpus",
        f"UAR on six classes (chance {share(1 / 6)}). Outlined: within the corpus, new speakers.",
        alt=cross_corpus_title(matrix) if len(matrix) else "",
        empty="This run holds only one corpus, so none can be tested by a model of another.",
        lead=True,
    )


def ladder_summary() -> Caption:
    """Caption of the summary."""
    return Caption("ladder_summary", "UAR by protocol, at equal and at full training size.")


def ladder_table() -> Caption:
    """Caption of all scores of the ladder."""
    words = "The same scores, one row per protocol and training size."
    return Caption("ladder", words, labels={"value": "UAR"})
