"""Tables that set one thing beside another: steps between experiments, and the human listeners.

Conventions
-----------
A step goes from experiment a to experiment b and is paired by clip; its difference is b − a.
Draws are scored one by one and averaged, as equal-size comparisons must. A family is the set of
tests declared together; Holm's correction runs over it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from ser_study.config import Evaluation
from ser_study.evaluation import intervals, metrics, significance
from ser_study.evaluation.predictions import Predictions, draws_of, experiments, rows_of
from ser_study.schema import EMOTIONS, check_columns

STEP_COLUMNS = (
    *("family", "experiment_a", "experiment_b", "value_a", "value_b", "difference", "low", "high", "interval"),
    *("p", "p_holm", "smallest_p", "note", "n", "n_only_a", "n_only_b", "n_speakers"),
)
REFERENCE_COLUMNS = ("corpus", "reference", "accuracy", "uar", "n", "n_votes", "ties")
LABELLED_BY_VOTE = ("iemocap",)  # its votes made its labels, so they cannot serve as a reference


def steps(
    predictions: pd.DataFrame,
    clips: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    *,
    family: str,
    role: str = "test",
    evaluation: Evaluation,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Difference in UAR of each pair (a, b) of experiments on the clips both predicted (``STEP_COLUMNS``).

    Rows of one ``role`` are compared: test rows, or validation rows in development.

    ``p`` is the two-sided sign-flip test over speakers, ``p_holm`` corrects it over all ``pairs``;
    ``note`` says "cannot reach .05" where even the smallest attainable p would not, so corrected.
    Empty p: a speaker is unknown. ``n_only_a`` and ``n_only_b`` count clips that the other lacks.

    Raises
    ------
    ValueError
        An experiment is missing, two experiments share no clip, or their classes or truths differ.
    """
    wanted = {name for pair in pairs for name in pair}
    missing = wanted - set(predictions["experiment"].unique())
    if missing or not wanted:
        raise ValueError(f"No predictions of {', '.join(sorted(missing)) or 'any pair'}; run these experiments first.")
    chosen = predictions[predictions["experiment"].isin(wanted)]
    draws = {one.facts["experiment"]: draws_of(one) for one in experiments(chosen, clips, role=role)}
    seed = int(rng.integers(2**63))
    rows = [_step(draws[a], draws[b], evaluation, np.random.default_rng(seed)) for a, b in pairs]
    return corrected(pd.DataFrame(rows).assign(family=family))[list(STEP_COLUMNS)]


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """A family of tests (``p``, ``smallest_p``) with ``p_holm``, and with a ``note`` where a test says nothing."""
    hopeless = np.minimum(1, table["smallest_p"] * table["p"].notna().sum()) > 0.05
    note = np.where(table["p"].isna(), "speakers unknown", np.where(hopeless, "cannot reach .05", ""))
    return table.assign(p_holm=significance.holm(table["p"]), note=note)


def _step(a: list[Predictions], b: list[Predictions], evaluation: Evaluation, rng: np.random.Generator) -> dict:
    first, second = a[0], b[0]
    names = {"experiment_a": first.facts["experiment"], "experiment_b": second.facts["experiment"]}
    unpaired = {
        "n_only_a": int((~np.isin(first.clip, second.clip)).sum()),
        "n_only_b": int((~np.isin(second.clip, first.clip)).sum()),
    }
    a = [rows_of(one, np.isin(one.clip, second.clip)) for one in a]
    b = [rows_of(_in_classes(one, first.classes), np.isin(one.clip, first.clip)) for one in b]
    shared, truth = a[0], a[0].truth
    if not len(truth) or (truth != b[0].truth).any():
        raise ValueError(
            f"{' and '.join(names.values())} share {len(truth)} clips and disagree on the truth of "
            f"{(truth != b[0].truth).sum()}; compare experiments of one corpus and label scheme."
        )
    drawn = intervals.resample(truth, shared.speaker, n_bootstrap=evaluation.n_bootstrap, rng=rng)
    parts_a, parts_b = totals(a, drawn), totals(b, drawn)
    difference, span = significance.difference_interval(parts_a, parts_b, drawn, level=evaluation.level)
    whole = np.ones((1, drawn.weights.shape[1]))
    values = {
        f"value_{side}": float(intervals.mean_scores(parts, whole, "uar")["uar"][0])
        for side, parts in (("a", parts_a), ("b", parts_b))
    }
    spread = {"difference": difference, "low": span.low, "high": span.high, "interval": span.kind}
    return (
        names
        | values
        | spread
        | sign_flips((a, b), lambda own: own[1] - own[0], evaluation, rng)
        | unpaired
        | {"n": len(truth)}
    )


def _in_classes(one: Predictions, classes: tuple[str, ...]) -> Predictions:
    """The predictions unchanged where the classes agree; another order of classes would compare wrong codes."""
    if one.classes != classes:
        raise ValueError(
            f"Experiment {one.facts['experiment']!r} has the classes {', '.join(one.classes)}, its partner "
            f"{', '.join(classes)}; compare experiments of one label scheme."
        )
    return one


def totals(each: list[Predictions], drawn: intervals.Resamples) -> list[intervals.Totals]:
    """What each unit of the resamples adds to the scores of every draw."""
    return [intervals.totals(one.truth, one.prediction, None, drawn, n_classes=len(one.classes)) for one in each]


def sign_flips(
    sides: Sequence[list[Predictions]],
    gap: Callable[[Sequence[np.ndarray]], np.ndarray],
    evaluation: Evaluation,
    rng: np.random.Generator,
) -> dict:
    """Sign-flip test over the speakers' own gaps: ``gap`` of the UAR (speakers,) of each side, draws averaged."""
    speaker, names = pd.factorize(sides[0][0].speaker)
    if (speaker < 0).any():
        return {"p": np.nan, "smallest_p": np.nan, "n_speakers": len(names)}
    by_speaker = intervals.Resamples(speaker, np.eye(len(names)), "")
    own = [np.mean([metrics.uar(parts.counts) for parts in totals(side, by_speaker)], axis=0) for side in sides]
    flips = evaluation.n_permutations
    test = significance.sign_flip(gap(own), n_permutations=flips, rng=rng)
    smallest = significance.smallest_p(len(names), n_permutations=flips)
    return {"p": test.p, "smallest_p": smallest, "n_speakers": len(names)}


def human_reference(clips: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """How listeners classify the same clips, by corpus (``REFERENCE_COLUMNS``): a reference, not a ceiling.

    Parameters
    ----------
    clips : clips table; clips of other emotions, and clips without votes or recognition, are left out
    classes : canonical emotions

    Returns
    -------
    Rows ``one listener`` (every vote is one prediction; ``n_votes`` of them) and ``plurality`` (the
    class with most votes; ``ties`` for the first place count as wrong) for corpora with votes;
    ``mean recognition`` for corpora that state only the share of right answers of each clip.
    IEMOCAP is left out: its votes are its labels.

    Raises
    ------
    ValueError
        A class is no canonical emotion, or votes are not a JSON object of counts.
    """
    check_columns(clips, ("clip_id", "corpus", "emotion", "human_votes", "human_recognition"), what="clips")
    unknown = set(classes) - set(EMOTIONS)
    if unknown:
        raise ValueError(f"Unknown emotions {', '.join(sorted(unknown))}; use {', '.join(EMOTIONS)}.")
    labelled = clips[clips["emotion"].isin(list(classes)) & ~clips["corpus"].isin(LABELLED_BY_VOTE)]
    rows = []
    for corpus, group in labelled.groupby("corpus", sort=True):
        voted = group[group["human_votes"].notna() & (group["human_votes"] != "")]
        known = group[group["human_recognition"].notna()]
        if len(voted):
            rows += _from_votes(corpus, voted)
        elif len(known):
            share, emotion = known["human_recognition"].to_numpy(), known["emotion"].to_numpy()
            rows.append(_reference(corpus, "mean recognition", share, np.ones(len(share)), emotion))
    return pd.DataFrame(rows, columns=list(REFERENCE_COLUMNS))


def listener_answers(clips: pd.DataFrame) -> pd.DataFrame:
    """What listeners answered clip by clip: ``hits`` for the intended class and ``answers`` in all.

    Of a clip whose share of right answers is all that is known, the share counts as one answer. Clips without either,
    and of corpora whose labels are votes, are left out. Indexed like ``clips``.
    """
    own = clips[~clips["corpus"].isin(LABELLED_BY_VOTE)]
    voted = own[own["human_votes"].notna() & (own["human_votes"] != "")]
    votes = [votes_of(text, clip) for text, clip in zip(voted["human_votes"], voted["clip_id"], strict=True)]
    hits = [count.get(emotion, 0) for count, emotion in zip(votes, voted["emotion"], strict=True)]
    counted = pd.DataFrame({"hits": hits, "answers": [sum(count.values()) for count in votes]}, index=voted.index)
    shares = own.drop(voted.index)["human_recognition"].dropna()
    return pd.concat([counted, pd.DataFrame({"hits": shares, "answers": 1.0})]).astype(float)


def _from_votes(corpus: str, voted: pd.DataFrame) -> list[dict]:
    votes = [votes_of(text, clip) for text, clip in zip(voted["human_votes"], voted["clip_id"], strict=True)]
    emotion = voted["emotion"].to_numpy()
    own = np.array([count.get(label, 0) for count, label in zip(votes, emotion, strict=True)], dtype=float)
    most = np.array([max(count.values()) for count in votes], dtype=float)
    tied = np.array([sum(number == max(count.values()) for number in count.values()) > 1 for count in votes])
    all_votes = np.array([sum(count.values()) for count in votes], dtype=float)
    one = _reference(corpus, "one listener", own, all_votes, emotion) | {"n_votes": int(all_votes.sum())}
    won = ((own == most) & ~tied).astype(float)
    return [one, _reference(corpus, "plurality", won, np.ones(len(won)), emotion) | {"ties": int(tied.sum())}]


def votes_of(text: str, clip_id: str) -> Mapping[str, float]:
    """Class → number of votes, from the text of ``human_votes``; ``ValueError`` where it holds none."""
    try:
        votes = json.loads(text)
    except json.JSONDecodeError:
        votes = None
    sound = isinstance(votes, dict) and all(isinstance(v, (int, float)) and v >= 0 for v in votes.values())
    if not sound or not sum(votes.values()):
        raise ValueError(f"Votes of {clip_id} are {text!r}; they must be a JSON object of class and count.")
    return votes


def _reference(corpus: str, name: str, right: np.ndarray, answers: np.ndarray, emotion: np.ndarray) -> dict:
    """Share of right answers, and its mean over emotions."""
    by_class = pd.DataFrame({"right": right, "answers": answers}).groupby(emotion).sum()
    uar = (by_class["right"] / by_class["answers"]).mean()
    return {"corpus": corpus, "reference": name, "accuracy": right.sum() / answers.sum(), "uar": uar, "n": len(right)}
