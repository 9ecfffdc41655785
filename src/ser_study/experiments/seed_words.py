"""Sentences and headings of chapter 08, computed from its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ser_study import corpora, splits
from ser_study.config import Config
from ser_study.experiments import seed_results, seeds
from ser_study.experiments.seed_results import Row
from ser_study.models import seed_models
from ser_study.words import interval, listed, minus, p_text, share, voices, word

LABELS: Mapping[str, str] = {
    "rebuild": "their model, rebuilt",
    "ours_sd": "training noise (sd)",
    "n_seeds": "training seeds",
    "wilson_low": "Wilson, from",
    "wilson_high": "to",
    "n": "test clips",
    "fresh_mean": "fresh splits, mean",
    "fresh_sd": "sd",
    "honest": "new speakers (UAR)",
    "honest_low": "from",
    "honest_high": "to ",
    "honest_protocol": "how",
}
METRICS = {"accuracy": "accuracy", "uar": "UAR", "weighted_f1": "weighted F1", "kappa": "κ", "mcc": "MCC"}


def introduction(rows: Sequence[Row], failed: Mapping[str, str], config: Config) -> str:
    """Which rows were run, which not and why, and with how many training seeds."""
    done = [row.system.id for row in rows]
    asked = config.seeds.systems or tuple(seeds.SYSTEMS)
    left = [name for name in seeds.SYSTEMS if name not in done and name not in failed]
    if not rows and not failed:
        return (
            "The recordings of these systems (RAVDESS, TESS, SAVEE, CREMA-D) are not here, so no row can be run. "
            "Get what is free with `ser-study download ravdess tess crema_d`; below are the published numbers only:\n\n"
            + "\n".join(f"- **{s.id}** {s.title}: {_published(s)}" for s in seeds.SYSTEMS.values())
        )
    n_deep, n_all = config.training.seeds, config.seeds.training_seeds
    more = f" (`--set training.seeds={n_all}` adds the others)" if n_deep < n_all else ""
    text = "".join(f"**{name} could not be run**: {reason}\n\n" for name, reason in failed.items())
    text += (
        f"Here are {listed(done)}. Classical models are fitted with {n_all} training seeds, "
        f"networks with {n_deep}{more}."
    )
    if left:
        skipped = [name for name in left if name not in asked]
        why = "left to the preset `full`" if skipped == left else "their recordings are not here, or not asked for"
        text += f" Not run: {listed(left)} ({why})."
    reasons = seed_results.lacking([row.system for row in rows])
    return " ".join([text, *(f"Candidates left out: {reason}" for reason in reasons)])


def _published(system: seeds.System) -> str:
    told = system.bars or system.quoted
    return ", ".join(f"{METRICS[name]} {share(value)}" for name, value in told.items())


def accuracy_rows(summary: pd.DataFrame) -> pd.DataFrame:
    """The accuracy line of every row, for the figure."""
    return summary[summary["metric"] == "accuracy"].reset_index(drop=True)


_APART = tuple(name for name, system in seeds.SYSTEMS.items() if splits.RECIPES[system.split].by_actor)


def title(shown: pd.DataFrame) -> str:
    """The finding of the figure."""
    above = int((shown["verdict"] != "missed").sum())
    drops = 100 * (shown["ours"] - shown["honest"])[~shown["id"].isin(_APART)]
    told = f"Ours is above the bar in {above} of {len(shown)} rows"
    if drops.empty:
        return told
    low, high = drops.min(), drops.max()
    span = f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} to {high:.0f}"
    return f"{told}; with known voices its figure is {span} points higher than with new ones"


def caption(rows: Sequence[Row], config: Config) -> str:
    """What the marks are, and what is special about the rows that are here."""
    ids = {row.system.id: set(row.material.clips["corpus"]) for row in rows}
    lines = "Lines: Wilson interval of the list (ours); speakers, where each corpus has over three (new speakers)."
    notes = [f"{lines} Fresh splits in the table: {config.seeds.fresh_splits} of the same recipe."]
    if "savee" not in ids.get("E001", {"savee"}):
        notes.append("SAVEE is not here: E001 is scored on the listed clips of the other corpora, its bar is higher.")
    if "E002b" in ids:
        notes.append("E002b: the seed's list is not at hand, the split is ours by the same recipe.")
    if "E003" in ids:
        notes.append("E003 keeps actors apart on its list too.")
    if "E004" in ids:
        notes.append("E004: the published value was measured on other clips; its bar is the rebuilt network.")
    return " ".join(notes)


def summary_caption(rows: Sequence[Row]) -> str:
    """What the summary table holds."""
    return (
        "Every row on its published list, on fresh splits made the same way, and on new speakers (feature and model "
        "as named on the list, hyperparameters on valid speakers). A dash under Wilson: not a share of clips. TESS has "
        "two voices: no interval over speakers where it is part of a row."
    )


def verdicts(summary: pd.DataFrame) -> str:
    """Passed, passed clearly, or missed; one sentence a line of the table."""
    lines = []
    for row in summary.itertuples():
        system = seeds.SYSTEMS[row.id]
        lines.append(
            f"- **{row.id}**, {METRICS[row.metric]}: {share(row.ours)} against {_source(system, row)} "
            f"{share(row.bar)}: **{row.verdict}**; new speakers "
            f"{interval(row.honest, row.honest_low, row.honest_high)} (UAR)."
        )
    return "\n".join(lines)


def _source(system: seeds.System, row) -> str:
    """Whose number the bar is."""
    if row.bar == system.bars.get(row.metric):
        return "the published"
    return "the rebuilt model's" if row.bar == row.rebuild else "the bar for these clips (not all of the list are here)"


def rebuild_words(rows: Sequence[Row], config: Config) -> str:
    """How many rebuilt models lie in their band, which do not, and which have fewer trees than published."""
    table = seed_results.all_models(rows)
    judged = table[table["inside"].notna()]
    inside = int(judged["inside"].sum())
    outside = [
        f"{word(row.model)} {share(row.rebuilt)} (band {share(row.low)} to {share(row.high)})"
        for row in judged.itertuples()
        if not row.inside
    ]
    told = f"{inside} rebuilt models lie in their band" if inside != 1 else "One rebuilt model lies in its band"
    told += f"; outside: {listed(outside)}." if outside else ", none outside."
    names = dict.fromkeys(model.model for row in rows for model in row.system.rebuilt)
    capped = [seed_models.title(name, config.models) for name in names if name in seed_models.PUBLISHED_TREES]
    return told + (f" Grown short for their time: {listed(capped)}." if capped else "")


def _accuracy(table: pd.DataFrame) -> float:
    return float(seed_results.by_draw(table, "accuracy").mean())


def paired_words(pairs: pd.DataFrame) -> str:
    """Effect and interval first, then p."""
    lines = []
    for row in pairs.itertuples():
        few = "too few speakers for any p below .05" if row.metric == "accuracy" else "not tested, see accuracy"
        p = f"p (Holm) {p_text(row.p_holm)}" if row.p_holm == row.p_holm else few
        span = f"[{minus(100 * row.low)}, {minus(100 * row.high)}]{voices(row.interval)}"
        lines.append(
            f"- **{row.id}**, {METRICS[row.metric]}: {minus(100 * row.difference)} points {span} over "
            f"{word(row.against)}; {p}."
        )
    return "\n".join(lines)


def shared_words(shared: pd.DataFrame) -> str:
    """The share of test clips whose other take was in training, row by row."""
    told = [
        f"{row.id} {100 * row.take / row.n:.0f} % ({row.take:,} of {row.n:,}), exact copies {row.duplicate}"
        for row in shared.itertuples()
    ]
    return f"Test clips with their other take in the training part: {'; '.join(told)}." if told else ""


def section(system_id: str, rows: Sequence[Row]) -> str:
    """What the seed did, its number, our rebuild, ours and the leak-free value, in a paragraph."""
    system = seeds.SYSTEMS[system_id]
    row = next((row for row in rows if row.system.id == system_id), None)
    published = _published(system)
    if row is None:
        return f"*{system.title}.* Published: {published}. Not run here. {system.note}"
    return (
        f"*{system.title}.* Published: {published}. Their {word(system.bar_model)}, rebuilt: "
        f"{share(_accuracy(row.rebuilt[system.bar_model]))}. Ours ({row.name}): "
        f"{share(_accuracy(row.ours['list']))} on the same list, {share(_accuracy(row.ours['fresh']))} on fresh splits "
        f"(accuracy). {system.note}"
    )


def intensity_words(parts: pd.DataFrame) -> str:
    """Whether what is acted strongly is easier for the system, beside what people made of RAVDESS's speech.

    Parameters
    ----------
    parts : from ``seed_comparisons.channels``
    """
    chosen = parts[(parts["corpus"] == "ravdess") & (parts["by"] == "intensity")].set_index("part")["value"]
    if not {"normal", "strong"} <= set(chosen.index):
        return ""
    people = corpora.module("ravdess").INFO.human_figures
    normal, strong = (people[f"speech, {at} intensity"] for at in ("normal", "strong"))
    change = 100 * (chosen["strong"] - chosen["normal"])
    return (
        f"RAVDESS at strong against normal intensity: the system's UAR {'rises' if change > 0 else 'falls'} by "
        f"{abs(change):.1f} points, to {share(chosen['strong'])}; people chose the intended emotion of speech in "
        f"{100 * strong:.0f} % against {100 * normal:.0f} % of the trials (Livingstone and Russo 2018). What people "
        "cannot hear either may not be in the sound at all, so not all of the distance to 1 is the system's own error."
    )
