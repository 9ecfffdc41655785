"""Gender and hierarchy: gender first and then emotion, both at once, or emotion alone; and the price of a wrong label.

Conventions
-----------
Everything is computed from predictions. Flat is the model of eight emotions; joint has the sixteen classes gender ×
emotion; two-step is ``models.hierarchical.GenderFirst``. All are scored over the emotions, on the same clips and
speaker folds (those of RAVDESS are fixed by actor, so label schemes share them). ``oracle`` is no system: it is told
the true gender and bounds what this two-step model could reach.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study.config import Config, Evaluation
from ser_study.evaluation import comparisons, metrics, tables
from ser_study.experiments import run
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material
from ser_study.models import ensembles, hierarchical
from ser_study.schema import classes_in
from ser_study.store import Store
from ser_study.words import listed, share, word

SELECTIONS = ("ravdess-speech", "ravdess-song")
SYSTEMS: Mapping[str, str] = {
    "flat": "emotion alone",
    "joint_sum": "gender × emotion at once, summed over genders",
    "joint_argmax": "gender × emotion at once, likeliest class",
    "two_step_soft": "gender first, both genders weighed",
    "two_step_hard": "gender first, the likelier gender decides",
    "oracle": "gender first, true gender given (bound)",
}
GENDERS = ("female", "male")
MISLABELLED = "tess/OAF"  # the older actress, whom seed 000 labels male
AS_000 = "tess-as-000"  # name of the TESS clips with that label


def declared(selections: Iterable[str], config: Config) -> list[Experiment]:
    """Flat, joint and two-step on the speaker folds of RAVDESS, in this order for each selection."""
    row = {"protocol": "speaker_independent", "feature": config.study.ladder_feature}
    return [
        Experiment(selection, model=model, scheme=scheme, **row)
        for selection in SELECTIONS
        if selection in selections
        for model, scheme in (("logistic", "8"), ("logistic", "16"), ("gender_first", "16"))
    ]


def hierarchy(gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """``compare`` for each selection of RAVDESS that is here, column ``corpus`` first; empty without RAVDESS."""
    wanted, parts = declared(gathered, config), []
    told = run.answers(wanted, gathered, config=config, store=store)
    for selection in dict.fromkeys(experiment.selection for experiment in wanted):
        flat, joint, two_step = (told[experiment] for experiment in wanted if experiment.selection == selection)
        random = settings.rng(config, f"hierarchy/{selection}")
        clips = gathered[selection].clips
        part = compare(flat, joint, two_step, clips, evaluation=config.evaluation, rng=random)
        parts.append(part.assign(corpus=selection)[["corpus", *part.columns]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


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
    role : rows that are scored; "valid" while developing

    Returns
    -------
    Columns ``system, title, value, low, high, interval`` (UAR), ``difference, difference_low, difference_high, p,
    p_holm, note`` (against flat; Holm's family holds the four systems, not the bound), ``gender_accuracy``
    (empty where no gender is said; 1 by definition where it is given), ``n, n_speakers``.

    Raises
    ------
    ValueError
        There are no rows of this role, or the tables answer different clips.
    """
    chosen = [table[table["role"] == role].assign(role="test") for table in (flat, joint, two_step)]
    if not all(map(len, chosen)):
        raise ValueError(f"No {role} rows in {sum(not len(table) for table in chosen)} of 3 tables; keep them.")
    told = systems(*chosen)
    seed = int(rng.integers(2**63))
    streams = [np.random.default_rng([seed, place]) for place in range(3)]
    scored = tables.scores(told, clips, evaluation=evaluation, rng=streams[0])
    rows = scored[scored["metric"] == "uar"].rename(columns={"experiment": "system"}).set_index("system")
    rows = rows.loc[list(SYSTEMS), ["value", "low", "high", "interval", "n", "n_speakers"]]
    rivals = [("flat", name) for name in SYSTEMS if name not in ("flat", "oracle")]
    steps = [
        comparisons.steps(told, clips, pairs, family=family, evaluation=evaluation, rng=stream)
        for pairs, family, stream in ((rivals, "models", streams[1]), ([("flat", "oracle")], "bound", streams[2]))
    ]
    against = pd.concat(steps).set_index("experiment_b")
    if (against[["n_only_a", "n_only_b"]] > 0).any(axis=None):
        raise ValueError("Flat, joint and two-step answer different clips; run them on the same folds.")
    against = against.rename(columns={"low": "difference_low", "high": "difference_high"})
    kept = ["difference", "difference_low", "difference_high", "p", "p_holm", "note"]
    rows = rows.join(against[kept]).join(_gender_accuracy(chosen[1], chosen[2]))
    rows.insert(0, "title", pd.Series(SYSTEMS))
    return rows.rename_axis("system").reset_index()


def systems(flat: pd.DataFrame, joint: pd.DataFrame, two_step: pd.DataFrame) -> pd.DataFrame:
    """Predictions over the emotions of every system of ``SYSTEMS``, which stands in ``experiment`` and ``model``."""
    emotions = ensembles.emotions_of(classes_in(joint))
    true_gender = two_step["truth"].map(ensembles.genders_of(classes_in(two_step)))
    made = {
        "flat": flat,
        "joint_sum": ensembles.collapse(joint, emotions, how="sum"),
        "joint_argmax": ensembles.collapse(joint, emotions, how="argmax"),
        "two_step_soft": ensembles.collapse(two_step, emotions, how="sum"),
        "two_step_hard": ensembles.collapse(hierarchical.given_gender(two_step), emotions, how="sum"),
        "oracle": ensembles.collapse(hierarchical.given_gender(two_step, true_gender), emotions, how="sum"),
    }
    scheme = flat["scheme"].iloc[0]
    return pd.concat(
        [made[name].assign(experiment=name, model=name, scheme=scheme) for name in SYSTEMS], ignore_index=True
    )


def _gender_accuracy(joint: pd.DataFrame, two_step: pd.DataFrame) -> pd.Series:
    """Share of clips whose gender each system gets right."""
    genders = ensembles.genders_of(classes_in(joint))

    def right(table: pd.DataFrame, how: str) -> float:
        said = ensembles.collapse(table, genders, how=how)
        return float((said["prediction"] == said["truth"]).mean())

    two = right(two_step, "sum")
    found = {"joint_sum": right(joint, "sum"), "joint_argmax": right(joint, "argmax"), "oracle": 1.0}
    return pd.Series(found | {"two_step_soft": two, "two_step_hard": two}, name="gender_accuracy")


def mislabelled(tess: Material) -> Material:
    """TESS as seed 000 labels it: its older actress a man."""
    wrong = tess.clips["gender"].mask(tess.clips["speaker"] == MISLABELLED, "male")
    return dataclasses.replace(tess, selection=AS_000, clips=tess.clips.assign(gender=wrong))


def declared_genders(gathered: Mapping[str, Material], config: Config) -> list[Experiment]:
    """Gender from RAVDESS speech to TESS, and from both to every other corpus with women and men, each with
    the true labels and with those of seed 000; none without RAVDESS speech and TESS."""
    if not {"ravdess-speech", "tess"} <= set(gathered):
        return []
    others = [
        name
        for name, part in gathered.items()
        if name not in (*SELECTIONS, "tess", AS_000) and set(GENDERS) <= set(part.clips["gender"].dropna())
    ]
    cases = [("tess", ("ravdess-speech",))]
    cases += [(name, ("ravdess-speech", tess)) for name in others for tess in ("tess", AS_000)]
    row = {"protocol": "cross_corpus", "feature": config.study.ladder_feature, "model": "gender_first"}
    return [Experiment(target, scheme="16", sources=sources, fixed=True, **row) for target, sources in cases]


def genders(gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """What one wrong label costs a gender model: ``gender_rows`` of every experiment of ``declared_genders``.

    TESS itself appears twice: its answers against the true labels, and against those of seed 000.
    """
    wanted = declared_genders(gathered, config)
    if not wanted:
        return pd.DataFrame()
    everything = {**gathered, AS_000: mislabelled(gathered["tess"])}
    told = run.answers(wanted, everything, config=config, store=store)
    rows = []
    for experiment in wanted:
        clips = gathered[experiment.selection].clips
        labels = "as seed 000" if AS_000 in experiment.sources else "true"
        facts = {"corpus": experiment.selection, "trained_on": "+".join(experiment.sources), "labels": labels}
        rows.append(facts | gender_row(told[experiment], clips))
        if experiment.selection == "tess":
            wrong = everything[AS_000].clips
            rows.append(facts | {"labels": "as seed 000"} | gender_row(told[experiment], wrong))
    return pd.DataFrame(rows)


def gender_row(predictions: pd.DataFrame, clips: pd.DataFrame, *, role: str = "test") -> dict[str, float]:
    """Accuracy and recalls of the gender, from predictions over crossed classes and the gender in ``clips``.

    Returns
    -------
    ``accuracy, recall_female, recall_male`` (empty for a gender that no clip has), ``n, n_speakers``.
    """
    rows = predictions[predictions["role"] == role]
    said = ensembles.collapse(rows, ensembles.genders_of(classes_in(rows)), how="sum")["prediction"]
    about = clips.set_index("clip_id").loc[rows["clip_id"]]
    counts = metrics.confusion(about["gender"].to_numpy(), said.to_numpy(), GENDERS)
    recalls = {f"recall_{name}": float(value) for name, value in zip(GENDERS, metrics.recall_per_class(counts))}
    counted = {"n": int(counts.sum()), "n_speakers": int(about["speaker"].nunique())}
    return {"accuracy": float(metrics.accuracy(counts))} | recalls | counted


def hierarchy_words(table: pd.DataFrame) -> str:
    """For each selection, what the best system gains on flat, and the most that two steps could."""
    said = []
    for corpus, rows in table.groupby("corpus", sort=False):
        rows = rows.set_index("system")
        best = (
            rows.loc[[name for name in SYSTEMS if name not in ("flat", "oracle")], "difference"].astype(float).idxmax()
        )
        gain, bound = (100 * rows.loc[name, "difference"] for name in (best, "oracle"))
        verdict = "" if rows.loc[best, "p_holm"] < 0.05 else ", which chance can explain"
        said.append(
            f"{word(corpus)}: emotion alone {share(rows.loc['flat', 'value'])}; best of the others, "
            f"{SYSTEMS[best]}, {gain:+.1f} points{verdict}; with the true gender given {bound:+.1f}".replace("-", "−")
        )
    return f"UAR of the emotions. {listed(said)}." if said else "RAVDESS is not here, so there is nothing to compare."
