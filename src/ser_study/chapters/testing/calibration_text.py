"""What the section on calibration and abstention says: captions, titles, and sentences whose numbers are computed."""

from __future__ import annotations

import pandas as pd

from ser_study.chapters.testing.calibration import NEVER, NO_VALIDATION
from ser_study.evaluation.abstention import AIMS
from ser_study.wording import Caption, listed, minus, percent, share, signed, word

NO_SYSTEM = "No selection here names two speakers or more, so no system can be tested on new ones."
NEAR = 0.03  # ECE above what chance shows, up to which a system counts as calibrated here
MIDDLE = AIMS[1]
UNCHANGED = 0.0005  # log loss; half a unit of the last decimal in the tables


def scores(table: pd.DataFrame) -> Caption:
    """Log loss and ECE, and what a further temperature changes."""
    return Caption(
        "calibration",
        "Probabilities on new speakers. Overconfidence: mean confidence minus accuracy. Tempered: at a further "
        "temperature, learned on the validation speakers of each fold; a dash where there are none.",
        empty=NO_SYSTEM,
        finding=_temperature_finding(table) if len(table) else "",
        labels={"log_loss": "log loss", "log_loss_after": "log loss, tempered", "ece_after": "ECE, tempered"},
        only_csv=("temperature", "n_speakers"),
    )


def brier(table: pd.DataFrame) -> Caption:
    """The Brier score and its parts."""
    return Caption(
        "brier_parts",
        "Brier score (0 best, 2 worst) = reliability − resolution + uncertainty + within. Reliability is the cost of "
        "wrong probabilities, resolution the gain of telling clips apart, uncertainty the score of the class shares "
        "alone, within the rest, from unequal probabilities inside a bin; it can be negative.",
        empty=NO_SYSTEM,
    )


def reliability(bins: pd.DataFrame, scores: pd.DataFrame) -> Caption:
    """Confidence against accuracy."""
    return Caption(
        "reliability",
        "Accuracy against mean confidence in bins of equal size, on new speakers; bars: 95 % intervals over "
        "speakers. Below the dotted line a system is surer than it is right.",
        alt=f"One panel per selection, one line per system. {reliability_title(scores)}." if len(bins) else "",
        empty=NO_SYSTEM,
        finding=_reliability_finding(bins, scores) if len(scores) else "",
    )


def reliability_title(scores: pd.DataFrame) -> str:
    """How many systems are calibrated, as far as chance can tell."""
    near = int((scores["ece"] - scores["ece_if_calibrated"] <= NEAR).sum())
    return (
        f"Of {_systems(len(scores))}, {near} {_are(near)} within {minus(100 * NEAR, 0)} points of "
        "the calibration error that chance alone would show"
    )


def _reliability_finding(bins: pd.DataFrame, scores: pd.DataFrame) -> str:
    """Whose probabilities have no scale, how many others are over- or underconfident, and the worst of them."""
    learned = scores[scores["temperature"].notna()]
    text = _unscaled(bins, scores[scores["temperature"].isna()])
    if learned.empty:
        return text
    excess = learned["ece"] - learned["ece_if_calibrated"]
    worst = learned.loc[excess.idxmax()]
    over, under = (int((sign * learned["overconfidence"] > 0).sum()) for sign in (1, -1))
    return (
        f"{text} Of {'the other ' if text else ''}{_systems(len(learned))}, {_count(over, len(learned))} overconfident "
        f"and {_count(under, len(learned))} underconfident. The furthest from calibrated is {worst['system']} on "
        f"{word(worst['corpus'])}: ECE {share(worst['ece'])} where chance alone would show "
        f"{share(worst['ece_if_calibrated'])}; confidence minus accuracy {signed(100 * worst['overconfidence'])} "
        "points."
    ).strip()


def _count(some: int, every: int) -> str:
    """How many of all, with the verb: ``none is``, ``3 are``, ``all 12 are``."""
    return f"{'all ' if some == every > 1 else ''}{some or 'none'} {'are' if some > 1 else 'is'}"


def _unscaled(bins: pd.DataFrame, rows: pd.DataFrame) -> str:
    """The selections without a validation speaker to learn a scale from, and how sure their systems are."""
    sentences = []
    for name in dict.fromkeys(rows["corpus"]):
        own = bins[bins["corpus"] == name]
        totals = own[["confidence", "accuracy"]].mul(own["n"], axis=0).groupby(own["system"]).sum()
        means = totals.div(own.groupby("system")["n"].sum(), axis=0)
        sentences.append(
            f"{word(name)} has no validation speaker to learn a scale of the probabilities from: mean confidence is "
            f"{_range(means['confidence'])} there, accuracy {_range(means['accuracy'])}."
        )
    return " ".join(sentences)


def _range(values: pd.Series) -> str:
    low, high = share(values.min()), share(values.max())
    return low if low == high else f"{low} to {high}"


def _temperature_finding(scores: pd.DataFrame) -> str:
    """What a further temperature adds to the scale that the experiments learn inside."""
    learned = scores[scores["temperature"].notna()]
    none = _without(scores[scores["temperature"].isna()], "temperature")
    if learned.empty:
        return none.strip()
    change = learned["log_loss_after"] - learned["log_loss"]
    same = int((change.abs() < UNCHANGED).sum())
    most = learned.loc[change.abs().idxmax()]
    better = "better" if change[most.name] < 0 else "worse"
    case = f"{most['system']}, {word(most['corpus'])}"
    rest = f" The largest change is {minus(abs(change[most.name]), 3)} for the {better} ({case})."
    return (
        "The experiments scale their probabilities on validation rows already; a further temperature leaves the log "
        f"loss of {same} of {_systems(len(learned))} as it is.{rest if same < len(learned) else ''}{none}"
    )


def _without(rows: pd.DataFrame, what: str) -> str:
    """Which selections have no validation speaker, so none of something; empty where all have."""
    names = [word(name) for name in dict.fromkeys(rows["corpus"])]
    return f" {listed(names)}: no validation speaker, so no {what}." if names else ""


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _systems(n: int) -> str:
    return f"{n} system{'s' if n != 1 else ''}"


def coverage(answers: pd.DataFrame) -> Caption:
    """Accuracy of the answers against the share of clips answered."""
    return Caption(
        "risk_coverage",
        "Accuracy of the answers on new speakers when only the surest clips are answered. Hollow: where the thresholds "
        f"learned on validation speakers for {listed(map(percent, AIMS))} right answers end up.",
        alt=f"One panel per selection, one falling line per system. {coverage_title(answers)}." if len(answers) else "",
        empty=NO_SYSTEM,
        finding=_coverage_finding(answers) if len(answers) else "",
    )


def answers(table: pd.DataFrame) -> Caption:
    """How often a system can be right so often."""
    return Caption(
        "abstention",
        "Thresholds learned fold by fold on validation speakers for an aim, and what they bring on test speakers: the "
        "share of clips answered, and the accuracy of these answers; in brackets 95 % intervals over speakers.",
        empty=NO_SYSTEM,
        labels={"coverage": "answered", "accuracy_of_all": "accuracy, all clips", "n_answered": "clips answered"},
        decimals={"aim": 2},
    )


def coverage_title(answers: pd.DataFrame) -> str:
    """How much of each selection its largest system answers at the middle aim."""
    chosen = answers[(answers["aim"] == MIDDLE) & answers["accuracy"].notna()]
    if chosen.empty:
        return f"No system is ever sure enough to be right {percent(MIDDLE)} of the time on its validation speakers"
    largest = chosen.groupby("corpus", sort=False)["coverage"].last()
    low, high = percent(largest.min()), percent(largest.max())
    clips = low if low == high else f"{low} to {high}"
    return f"Sure enough for {percent(MIDDLE)} right answers, the largest system answers {clips} of the clips"


def _coverage_finding(answers: pd.DataFrame) -> str:
    """How often the aims are reached, in how many cases nothing is answered, and who has no threshold."""
    known = answers[answers["note"] != NO_VALIDATION]
    given = known[known["accuracy"].notna()]
    none = _without(answers[answers["note"] == NO_VALIDATION], "threshold")
    if given.empty:
        return f"No threshold answers any test clip.{none}"
    reached, missed = int((given["accuracy"] >= given["aim"]).sum()), int((given["high"] < given["aim"]).sum())
    idle = int(((given["accuracy"] >= given["aim"]) & (given["coverage"] >= 1)).sum())
    trivial = f" ({idle} of these answer every clip, so had nothing to leave out)" if idle else ""
    silent, shortfall = int((known["note"] == NEVER).sum()), (given["aim"] - given["accuracy"]).max()
    return (
        f"{reached} of {len(known)} thresholds reach their aim on test speakers{trivial}; {missed} miss it by more "
        f"than the interval allows, and {silent} let nothing be answered. The largest shortfall is "
        f"{minus(100 * max(shortfall, 0))} points.{none}"
    )
