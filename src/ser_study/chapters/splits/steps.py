"""Comparisons of protocols: which units they share, and what each step costs."""

from __future__ import annotations

import pandas as pd

from ser_study import config as settings
from ser_study.chapters.splits.tables import equal_ladder
from ser_study.evaluation import comparisons
from ser_study.experiments import benchmark, folds, selections
from ser_study.experiments.published import LABELS
from ser_study.study import Study
from ser_study.wording import word

STEPS = (  # from protocol to protocol; the two branches meet again at the strictest
    ("random_augmented", "random"),
    ("random", "take_disjoint"),
    ("random", "sentence_independent"),
    ("random", "speaker_independent"),
    ("sentence_independent", "speaker_and_sentence"),
    ("speaker_independent", "speaker_and_sentence"),
)
UNITS = ("speaker", "statement", "take")


def shared_units(study: Study) -> pd.DataFrame:
    """Share of test clips whose speaker, sentence or other take is in training, by selection and protocol."""
    rows = []
    for one in benchmark.ladder(study.config, study.possible):
        if not one.leak:
            part = study.selections[one.selection]
            truth = selections.classes_of(part, one.scheme)
            table = folds.folds_of(one, part, truth, study.config, study.store, draw=0)
            table = table.merge(part.clips[["clip_id", *UNITS]], on="clip_id")
            rows.append({"corpus": one.selection, "protocol": one.protocol} | _shared(table))
    return pd.DataFrame(rows)


def _shared(table: pd.DataFrame) -> dict[str, float]:
    train, test = table[table["role"] == "train"], table[table["role"] == "test"]
    shares = {}
    for unit in UNITS:
        in_training = train[["repeat", "fold", unit]].drop_duplicates().assign(in_training=True)
        joined = test.merge(in_training, on=["repeat", "fold", unit], how="left")
        shares[unit] = float((joined["in_training"].notna() & joined[unit].notna()).mean())
    return shares


def costs(study: Study) -> pd.DataFrame:
    """What each step of the ladder costs at equal training size, with interval and test, Holm by corpus.

    Returns
    -------
    ``comparisons.STEP_COLUMNS`` with the protocols of each step, ``step_from`` and ``step_to``.
    """
    equal, tables = equal_ladder(study), []
    for name, part in study.selections.items():
        steps = {benchmark.step_of(one): one for one in equal if one.selection == name}
        pairs = [(steps[a].name, steps[b].name) for a, b in STEPS if a in steps and b in steps]
        if not pairs:
            continue
        predictions = pd.concat(study.predict(steps.values(), read=LABELS).values())
        random = settings.rng(study.config, f"steps/{name}")
        options = {"family": name, "evaluation": study.config.evaluation, "rng": random}
        table = comparisons.steps(predictions, part.clips, pairs, **options)
        step_of = {one.name: step for step, one in steps.items()}
        step_from, step_to = table["experiment_a"].map(step_of), table["experiment_b"].map(step_of)
        tables.append(table.assign(step_from=step_from, step_to=step_to))
    none = pd.DataFrame(columns=[*comparisons.STEP_COLUMNS, "step_from", "step_to"])
    return pd.concat(tables, ignore_index=True) if tables else none


def cost_table(steps: pd.DataFrame) -> pd.DataFrame:
    """The steps as readers see them."""
    names = steps["step_from"].map(word) + " → " + steps["step_to"].map(word)
    table = steps.assign(corpus=steps["family"].map(word), step=names)
    return table[["corpus", "step", "difference", "low", "high", "p", "p_holm", "note", "n_speakers"]]
