"""Gender and emotion: gender first and then emotion, both at once, or emotion alone; and the price of a wrong label.

Conventions
-----------
Everything is computed from predictions. Flat is the model of eight emotions; joint has the sixteen classes gender ×
emotion; two-step is ``models.hierarchical.GenderFirst``. All are scored over the emotions, on the same clips and
speaker folds (those of RAVDESS are fixed by actor, so label schemes share them). ``oracle`` is no system: the two-step
model is given the true gender. It is no bound: the others can score higher, because weighing both genders also
averages two models.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study.config import Evaluation
from ser_study.evaluation import comparisons, metrics, tables
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import Selection
from ser_study.models import ensembles, hierarchical
from ser_study.schema import classes_in
from ser_study.study import Study
from ser_study.wording import word

SELECTIONS = ("ravdess-speech", "ravdess-song")
SYSTEMS: Mapping[str, str] = {
    "flat": "emotion alone",
    "joint_sum": "gender × emotion at once, summed over genders",
    "joint_argmax": "gender × emotion at once, likeliest class",
    "two_step_soft": "gender first, both genders weighed",
    "two_step_hard": "gender first, the likelier gender decides",
    "oracle": "gender first, true gender given",
}
RIVALS = tuple(name for name in SYSTEMS if name not in ("flat", "oracle"))  # compared with flat as one family
GENDERS = ("female", "male")
MISLABELLED = "tess/OAF"  # the older actress, whom E000 labels male
TESS_OF_E000 = "tess-as-E000"  # name of the TESS clips with that label
SYSTEM = "system"  # in the ``attrs`` of a table: feature and base model of all its rows
BASE = "logistic"  # emotion alone, and what predicts gender and emotion in turn
DIFFERENCE = ["difference", "difference_low", "difference_high", "p", "p_holm", "note"]


def declared_emotions(study: Study) -> list[Experiment]:
    """Flat, joint and two-step on the speaker folds of RAVDESS, in this order for each selection."""
    row = {"protocol": "speaker_independent", "feature": study.config.ladder.feature}
    return [
        Experiment(selection, model=model, scheme=scheme, **row)
        for selection in SELECTIONS
        if selection in study.selections and _both_genders(study, selection)
        for model, scheme in ((BASE, "8"), (BASE, "16"), ("gender_first", "16"))
    ]


def _both_genders(study: Study, selection: str) -> bool:
    """Whether every training part holds women and men who say two emotions or more."""
    if "speaker_independent" not in study.possible[selection]:
        return False
    clips = study.clips(selection).set_index("clip_id")
    folds = study.folds(selection, "speaker_independent")
    for _, train in folds[folds["role"] == "train"].groupby("fold"):
        n_emotions = clips.loc[train["clip_id"]].groupby("gender")["emotion"].nunique().reindex(GENDERS, fill_value=0)
        if n_emotions.min() < 2:
            return False
    return True


def emotions(study: Study) -> pd.DataFrame:
    """``compare`` for each selection of RAVDESS that is here, column ``corpus`` first; empty without RAVDESS.

    ``attrs[SYSTEM]``: feature and base model.
    """
    declared, parts = declared_emotions(study), []
    predictions = study.predict(declared)
    for selection in dict.fromkeys(one.selection for one in declared):
        flat, joint, two_step = (predictions[one] for one in declared if one.selection == selection)
        random = settings.rng(study.config, settings.SCORES)
        clips = study.selections[selection].clips
        part = compare(flat, joint, two_step, clips, evaluation=study.config.evaluation, rng=random)
        parts.append(part.assign(corpus=selection)[["corpus", *part.columns]])
    return _about(study, pd.concat(parts, ignore_index=True) if parts else pd.DataFrame())


def _about(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """A table with its feature and base model in ``attrs``."""
    table.attrs[SYSTEM] = (study.config.ladder.feature, BASE)
    return table


def compare(
    flat: pd.DataFrame,
    joint: pd.DataFrame,
    two_step: pd.DataFrame,
    clips: pd.DataFrame,
    *,
    role: str = "test",
    evaluation: Evaluation,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row a system of ``SYSTEMS``: UAR over the emotions, and the paired difference to flat.

    Parameters
    ----------
    flat, joint, two_step : predictions of the same clips; the latter two over crossed classes
    clips : clips table
    role : rows that are scored; "validation" while developing

    Returns
    -------
    Columns ``system, title, value, low, high, interval`` (UAR), ``n, n_speakers, difference, difference_low,
    difference_high, p, p_holm, note`` (against flat; Holm's family holds the four systems, not ``oracle``),
    ``gender_accuracy`` (empty where no gender is predicted; 1 by definition where it is given).

    Raises
    ------
    ValueError
        There are no rows of this role, or the tables hold different clips.
    """
    chosen = [table[table["role"] == role] for table in (flat, joint, two_step)]
    if not all(map(len, chosen)):
        raise ValueError(f"No {role} rows in {sum(not len(table) for table in chosen)} of 3 tables; keep them.")
    predictions = systems(*chosen)
    scored = tables.scores(predictions, clips, role=role, evaluation=evaluation, rng=rng)
    seed = int(rng.integers(2**63))
    streams = [np.random.default_rng([seed, place]) for place in range(2)]
    rows = scored[scored["metric"] == "uar"].rename(columns={"experiment": "system"}).set_index("system")
    rows = rows.loc[list(SYSTEMS), ["value", "low", "high", "interval", "n", "n_speakers"]]
    steps = _differences(predictions, clips, streams, role=role, evaluation=evaluation)
    rows = rows.join(steps[DIFFERENCE]).join(_gender_accuracy(chosen[1], chosen[2]))
    rows.insert(0, "title", pd.Series(SYSTEMS))
    return rows.rename_axis("system").reset_index()


def _differences(
    predictions: pd.DataFrame,
    clips: pd.DataFrame,
    streams: list[np.random.Generator],
    *,
    role: str,
    evaluation: Evaluation,
) -> pd.DataFrame:
    """Every other system against flat, indexed by system; the rivals are one Holm family, ``oracle`` another."""
    tables_of = []
    for family, names, stream in zip(("models", "oracle"), (RIVALS, ("oracle",)), streams):
        pairs = [("flat", name) for name in names]
        options = {"family": family, "role": role, "evaluation": evaluation, "rng": stream}
        tables_of.append(comparisons.steps(predictions, clips, pairs, **options))
    steps = pd.concat(tables_of).set_index("experiment_b")
    if (steps[["n_only_a", "n_only_b"]] > 0).any(axis=None):
        raise ValueError("Flat, joint and two-step hold different clips; run them on the same folds.")
    return steps.rename(columns={"low": "difference_low", "high": "difference_high"})


def systems(flat: pd.DataFrame, joint: pd.DataFrame, two_step: pd.DataFrame) -> pd.DataFrame:
    """Predictions over the emotions of every system of ``SYSTEMS``, which stands in ``experiment`` and ``model``."""
    of_class = ensembles.emotions_of(classes_in(joint))
    true_gender = two_step["truth"].map(ensembles.genders_of(classes_in(two_step)))
    made = {
        "flat": flat,
        "joint_sum": ensembles.collapse(joint, of_class, how="sum"),
        "joint_argmax": ensembles.collapse(joint, of_class, how="argmax"),
        "two_step_soft": ensembles.collapse(two_step, of_class, how="sum"),
        "two_step_hard": ensembles.collapse(hierarchical.given_gender(two_step), of_class, how="sum"),
        "oracle": ensembles.collapse(hierarchical.given_gender(two_step, true_gender), of_class, how="sum"),
    }
    scheme = flat["scheme"].iloc[0]
    return pd.concat(
        [made[name].assign(experiment=name, model=name, scheme=scheme) for name in SYSTEMS], ignore_index=True
    )


def _gender_accuracy(joint: pd.DataFrame, two_step: pd.DataFrame) -> pd.Series:
    """Share of clips whose gender each system predicts rightly."""
    of_class = ensembles.genders_of(classes_in(joint))

    def accuracy(table: pd.DataFrame, how: str) -> float:
        genders = ensembles.collapse(table, of_class, how=how)
        return float((genders["prediction"] == genders["truth"]).mean())

    both = dict.fromkeys(("two_step_soft", "two_step_hard"), accuracy(two_step, "sum"))
    ways = {f"joint_{how}": accuracy(joint, how) for how in ("sum", "argmax")}
    return pd.Series({**ways, "oracle": 1.0, **both}, name="gender_accuracy")


def as_e000(tess: Selection) -> Selection:
    """TESS as E000 labels it: its older actress a man."""
    wrong = tess.clips["gender"].mask(tess.clips["speaker"] == MISLABELLED, "male")
    return dataclasses.replace(tess, name=TESS_OF_E000, clips=tess.clips.assign(gender=wrong))


def declared_genders(study: Study) -> list[Experiment]:
    """Gender from RAVDESS speech to TESS, and from both to every other corpus with women and men, each with
    the true labels and with those of E000; none without RAVDESS speech and TESS."""
    if not {"ravdess-speech", "tess"} <= set(study.selections):
        return []
    others = [
        name
        for name, part in study.selections.items()
        if name not in (*SELECTIONS, "tess", TESS_OF_E000) and set(GENDERS) <= set(part.clips["gender"].dropna())
    ]
    cases = [("tess", ("ravdess-speech",))]
    cases += [(name, ("ravdess-speech", tess)) for name in others for tess in ("tess", TESS_OF_E000)]
    row = {"protocol": "cross_corpus", "feature": study.config.ladder.feature, "model": "gender_first"}
    return [Experiment(target, scheme="16", sources=sources, fixed=True, **row) for target, sources in cases]


def genders(study: Study) -> pd.DataFrame:
    """What one wrong label costs a gender model: ``gender_row`` of every experiment of ``declared_genders``.

    TESS itself appears twice: its predictions against the true labels, and against those of E000. ``attrs[SYSTEM]``:
    feature and base model.
    """
    declared = declared_genders(study)
    if not declared:
        return pd.DataFrame()
    everything = {**study.selections, TESS_OF_E000: as_e000(study.selections["tess"])}
    predictions = Study(study.config, study.store, everything).predict(declared)
    rows = []
    for one in declared:
        labels = "as E000" if TESS_OF_E000 in one.sources else "true"
        facts = {"corpus": one.selection, "trained_on": " + ".join(map(_title, one.sources)), "labels": labels}
        rows.append(facts | gender_row(predictions[one], everything[one.selection].clips))
        if one.selection == "tess":
            wrong = everything[TESS_OF_E000].clips
            rows.append(facts | {"labels": "as E000"} | gender_row(predictions[one], wrong))
    return _about(study, pd.DataFrame(rows))


def _title(source: str) -> str:
    """What a gender model is trained on, as readers say it."""
    return "TESS as labelled by E000" if source == TESS_OF_E000 else word(source)


def gender_row(predictions: pd.DataFrame, clips: pd.DataFrame, *, role: str = "test") -> dict[str, float]:
    """Accuracy and recalls of the gender, from predictions over crossed classes and the gender in ``clips``.

    Returns
    -------
    ``accuracy, recall_female, recall_male`` (empty for a gender that no clip has), ``n, n_speakers``.
    """
    rows = predictions[predictions["role"] == role]
    predicted = ensembles.collapse(rows, ensembles.genders_of(classes_in(rows)), how="sum")["prediction"]
    about = clips.set_index("clip_id").loc[rows["clip_id"]]
    counts = metrics.confusion(about["gender"].to_numpy(), predicted.to_numpy(), GENDERS)
    recalls = {f"recall_{name}": float(value) for name, value in zip(GENDERS, metrics.recall_per_class(counts))}
    counted = {"n": int(counts.sum()), "n_speakers": int(about["speaker"].nunique())}
    return {"accuracy": float(metrics.accuracy(counts))} | recalls | counted
