"""Captions and sentences of chapter 08 on all projects, computed from its tables."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser_study.chapters.baselines import gaps as gap_tables
from ser_study.chapters.baselines import protocols
from ser_study.chapters.baselines.results import Result
from ser_study.experiments import baseline_results, baselines
from ser_study.experiments.baseline_results import unavailable_candidates
from ser_study.experiments.baselines import BASELINES, Baseline
from ser_study.models import baseline_models
from ser_study.plotting import baselines as plots
from ser_study.study import Study
from ser_study.wording import Caption, interval, listed, minus, p_text, percent, share, voices, word

Results = Mapping[str, Result]
METRICS = {"accuracy": "accuracy", "uar": "UAR", "weighted_f1": "weighted F1", "kappa": "κ", "mcc": "MCC"}
NOTHING = "No project was run."
SUMMARY = {
    "rebuild": "their model, rebuilt",
    "n": "test clips",
    "fresh_mean": "fresh splits, mean",
    "list_uar": "ours on the list, UAR, mean over corpora",
    "honest": "ours on new speakers, UAR, mean over corpora",
}
SHORT = 0.05  # how far below the published number a rebuilt model without a band is said to fall short
MEMORISED = 0.99  # accuracy on its own training rows from which a model counts as having memorised them


def introduction(results: Results, failed: Mapping[str, str], study: Study) -> str:
    """Which projects were run, which not and why, and with how many training seeds."""
    config = study.config
    partial = baseline_results.left_out(study.baselines, config, study.store)
    notes = [f"**{word(name)} is left out**: {reason}" for name, reason in partial.items()]
    notes += [f"**{word(name)} could not be run**: {reason}" for name, reason in failed.items()]
    text = "".join(f"{note}\n\n" for note in notes)
    if not results and not failed:
        return text + (
            "The recordings of these projects (RAVDESS, TESS, SAVEE, CREMA-D) are not all here, so none can be run. "
            "Get what is free with `ser-study download ravdess tess crema_d`; below are the published numbers only:\n\n"
            + "\n".join(f"- **{word(one.id)}**: {published(one)}" for one in BASELINES.values())
        )
    n_deep, n_all = config.training.seeds, config.baselines.training_seeds
    more = f" (`--set training.seeds={n_all}` adds the others)" if n_deep < n_all else ""
    text += (
        f"Run: {'; '.join(map(word, results))}. Classical models are fitted with {n_all} training seeds, "
        f"networks with {n_deep}{more}. Their repositories: {_repositories(results)}."
    )
    wanted = config.baselines.systems or tuple(BASELINES)
    left = [name for name in BASELINES if name not in {*results, *failed, *partial}]
    if left:
        not_wanted = [name for name in left if name not in wanted]
        named = "left out by `baselines.systems`"
        why = named if not_wanted == left else f"their recordings are not here, or they are {named}"
        text += f" Not run: {'; '.join(map(word, left))} ({why})."
    reasons = unavailable_candidates([one.baseline for one in results.values()])
    return " ".join([text, *(f"Candidates left out: {reason}" for reason in reasons)])


def published(baseline: Baseline) -> str:
    """The published numbers of a project."""
    return ", ".join(f"{METRICS[name]} {share(value)}" for name, value in (baseline.bars or baseline.quoted).items())


def accuracy_rows(scored: pd.DataFrame) -> pd.DataFrame:
    """The accuracy line of every project, for the figure."""
    return scored[scored["metric"] == "accuracy"].reset_index(drop=True)


def overview_title(scored: pd.DataFrame) -> str:
    """The finding of the overview figure."""
    return plots.overview_title(accuracy_rows(scored), speaker_disjoint=baselines.speaker_disjoint())


def overview(scored: pd.DataFrame, results: Results, study: Study) -> Caption:
    """What the marks are, and what is special about the projects that are here."""
    corpora = {name: set(result.corpora) for name, result in results.items()}
    lines = "Lines: Wilson interval of the list (ours); speakers, where each corpus has over three (new speakers)."
    notes = [f"{lines} Fresh splits in the table: {study.config.baselines.fresh_splits} of the same recipe."]
    notes += [plots.seeds_note(accuracy_rows(scored))] if len(scored) else []
    if "savee" not in corpora.get("E001", {"savee"}):
        notes.append("SAVEE is not here: E001 is scored on the listed clips of the other corpora, its bar is higher.")
    if "E002b" in corpora:
        notes.append("E002b: the project's list is not available; the split is made here by the same recipe.")
    if "E003" in corpora:
        notes.append("E003 has no speaker on both sides of its list either.")
    if "E004" in corpora:
        notes.append("E004: the published value was measured on other clips; its bar is the rebuilt network.")
    alt = overview_title(scored) if len(scored) else ""
    return Caption("baselines", " ".join(notes), alt=alt, empty=NOTHING, lead=True)


def _repositories(results: Results) -> str:
    known = {name: BASELINES[name].repository for name in results}
    return listed(f"[{name}](https://github.com/{place})" for name, place in known.items())


def summary() -> Caption:
    """What ``baselines.csv`` holds."""
    words = (
        "Every project on its list, on fresh splits made the same way, and on new speakers (feature and "
        "model as chosen for the list, hyperparameters on validation speakers). Intervals: Wilson's for shares of the "
        "list's clips; over speakers on new speakers, but for lists with the two voices of TESS."
    )
    more = {
        "interval_of": {"ours": "wilson"},
        "only_csv": ("rebuild_seeds", "ours_sd", "n_seeds", "fresh_sd", "honest_protocol"),
    }
    return Caption("baselines", words, labels=SUMMARY, empty=NOTHING, **more)


def verdicts(scored: pd.DataFrame) -> Caption:
    """Passed, passed clearly, or missed; one sentence a line of the table."""
    lines = []
    for row in scored.itertuples():
        lines.append(
            f"- **{word(row.id)}**: {METRICS[row.metric]} {share(row.ours)} against "
            f"{_bar_source(BASELINES[row.id], row)} {share(row.bar)}: **{row.verdict}**{_beside_rebuilt(row)}; new "
            f"speakers {interval(row.honest, row.honest_low, row.honest_high)} (UAR)."
        )
    words = "The bar of every project, and whether our system passes it."
    labels = {"rebuild": "their model, rebuilt", "wilson_low": "Wilson, from"}
    return Caption("baseline_verdicts", words, labels=labels, finding="\n".join(lines), empty=NOTHING)


def _beside_rebuilt(row) -> str:
    """That a bar was passed, but their own model, rebuilt here, is no worse than ours on this list."""
    if row.verdict == "missed" or row.rebuild <= row.bar or not row.wilson_low <= row.rebuild:
        return ""
    return f", but not clearly above their model as rebuilt here ({share(row.rebuild)})"


def _bar_source(baseline: Baseline, row) -> str:
    """Whose number the bar is."""
    if row.bar == baseline.bars.get(row.metric):
        return "the published"
    if row.bar == row.rebuild:
        return "the rebuilt model's"
    whole = f"published for all of the list {share(baseline.bars[row.metric])}" if row.metric in baseline.bars else ""
    return f"the bar for the clips that are here ({whole})" if whole else "the bar for the clips that are here"


def candidates() -> Caption:
    """What our systems were chosen from."""
    words = "Candidates of every project, with their scores inside the training part; one is chosen."
    return Caption("baseline_choice", words, empty=NOTHING)


def models(table: pd.DataFrame, study: Study) -> Caption:
    """How many rebuilt models lie in their band, which do not, and which have fewer trees than published."""
    judged = table[table["inside"].notna()]
    inside = int(judged["inside"].astype(bool).sum())
    outside = [
        f"{word(row.model)} {share(row.rebuilt)} (band {share(row.low)} to {share(row.high)})"
        for row in judged.itertuples()
        if not row.inside
    ]
    text = f"{inside} rebuilt models lie in their band" if inside != 1 else "One rebuilt model lies in its band"
    text += f"; outside: {listed(outside)}." if outside else ", none outside."
    text += f" {len(table) - len(judged)} have no band." if len(judged) < len(table) else ""
    short = table[table["inside"].isna() & (table["published"] - table["rebuilt"] > SHORT)]
    each = [
        f"{word(row.model)} of {row.id} {share(row.rebuilt)} (published {share(row.published)})"
        for row in short.itertuples()
    ]
    text += f" Of these, more than {100 * SHORT:.0f} points below the published number: {listed(each)}." if each else ""
    far = table[table["inside"].isna() & (table["rebuilt"] - table["published"] > SHORT)]
    each = [f"{word(row.model)} {share(row.rebuilt)} (published {share(row.published)})" for row in far.itertuples()]
    text += f" More than that above it: {listed(each)}; E003's reads our encoder, not VGGish." if each else ""
    names = [name for name in dict.fromkeys(table["model"]) if name in baseline_models.PUBLISHED_TREES]
    capped = [baseline_models.title(name, study.config.models) for name in names]
    text += f" Trained with fewer trees to save time: {listed(capped)}." if capped else ""
    labels = {"low": "band, from", "high": "band, to", "inside": "in its band"}
    words = "Accuracy of the rebuilt models on the published lists."
    return Caption("baseline_models", words, labels=labels, finding=text, empty=NOTHING)


def gaps(table: pd.DataFrame, study: Study) -> Caption:
    """What the columns are, how many models memorised their training rows, and what each step costs."""
    words = (
        "Accuracy of their classical models: on the rows of one fit, augmented copies included; inside the training "
        f"part by cross-validation in {study.config.baselines.inner_folds} folds; on the list, mean over training "
        f"seeds; and on new speakers, where they were run there. Left out for their time: "
        f"{listed(map(word, gap_tables.LEFT_OUT))}."
    )
    labels = {"train": "on these rows", "inside": "cross-validated inside"}
    labels["test"] = "published list"
    empty = "Not part of this run; `--set baselines.gaps=true` adds it." if not study.config.baselines.gaps else NOTHING
    finding = gaps_finding(table) if len(table) else ""
    return Caption("baseline_gaps", words, labels=labels, finding=finding, empty=empty)


def gaps_finding(table: pd.DataFrame) -> str:
    """How many models memorised their training rows, and what each step away from them costs."""
    memorised = int((table["train"] >= MEMORISED).sum())
    fit, split = 100 * (table["train"] - table["inside"]), 100 * (table["test"] - table["inside"])
    widest = table.loc[fit.idxmax()]
    text = (
        f"{memorised} of {len(table)} models have at least {percent(MEMORISED)} of their own training rows right. "
        f"Cross-validated inside the training part they lose {fit.mean():.1f} points on average, most of all "
        f"{word(widest['model'])} ({share(widest['train'])} to {share(widest['inside'])}). On the published list they "
        f"are {abs(split.mean()):.1f} points {'above' if split.mean() >= 0 else 'below'} the score inside, whose fits "
        "have fewer rows."
    )
    known = table[table["new_speakers"].notna()]
    if known.empty:
        return text
    change = 100 * (known["new_speakers"] - known["test"]).mean()
    return (
        f"{text} None of these three is a score on new speakers: there it changes by {minus(change)} points against "
        f"the list (models run there: {len(known)})."
    )


def paired(table: pd.DataFrame) -> Caption:
    """Effect and interval first, then p."""
    lines = []
    for row in table.itertuples():
        untested = "too few speakers to test" if row.metric == "accuracy" else "not tested, see accuracy"
        p = f"p (Holm) {p_text(row.p_holm)}" if row.p_holm == row.p_holm else untested
        span = f"[{minus(100 * row.low)}, {minus(100 * row.high)}]{voices(row.interval)}"
        lines.append(
            f"- **{word(row.id)}**: {METRICS[row.metric]} {minus(100 * row.difference)} points {span} over "
            f"{word(row.against)}{' (trained once)' if row.against_seeds == 1 else ''}; {p}."
        )
    words = (
        "Score of ours minus that of the rebuilt best model, on the same clips. Intervals are over speakers; where a "
        "corpus of the list has fewer than four, over clips of these voices."
    )
    labels = {"p_mcnemar": "p (McNemar, ignores speakers)"}
    more = {"finding": "\n".join(lines), "empty": NOTHING, "only_csv": ("against_seeds",)}
    return Caption("baseline_pairs", words, labels=labels, **more)


def shared(table: pd.DataFrame) -> Caption:
    """The share of test clips whose other take was in training, project by project."""
    parts = [
        f"- **{word(row.id)}**: {percent(row.take / row.n)} ({row.take:,} of {row.n:,}), exact copies {row.duplicate}"
        f"{' (in training as published; both systems are trained without them here)' * bool(BASELINES[row.id].doubled)}"
        for row in table.itertuples()
    ]
    finding = "Test clips with their other take in the training part:\n\n" + "\n".join(parts)
    words = "Test clips that share something with the training part that the project had."
    labels = {"n": "test clips", "take": "other take", "duplicate": "exact copy"}
    return Caption("baseline_shared", words, finding=finding, labels=labels, empty=NOTHING)


def by_protocol_title(table: pd.DataFrame) -> str:
    """How much our systems change from the list to each stricter protocol, over lists that share speakers."""
    means = protocols.means(table[~table["id"].isin(baselines.speaker_disjoint())])
    ours = means[means["system"] == "ours"].pivot(index="id", columns="protocol", values="value")
    steps = [
        f"{_range(100 * (ours[name] - ours['baseline_list']).dropna())} points on {word(name)}"
        for name in protocols.PROTOCOLS[2:]
        if name in ours and ours[name].notna().any()
    ]
    if not steps:
        return "Our system on its list and on new speakers"
    return f"Against lists that share speakers, the UAR of our system changes by {listed(steps)}"


def _range(points: pd.Series) -> str:
    """The smallest and the largest change, or the only one; projects differ in what they allow, so no mean."""
    near, far = minus(points.max()), minus(points.min())
    return near if near == far else f"{near} to {far}"


def by_protocol(table: pd.DataFrame) -> Caption:
    """The figure of five protocols."""
    words = (
        "Lines: interval over speakers, where every corpus has over three. List and fresh splits: mean over training "
        "seeds or splits. A dash: not run, or no other corpus."
    )
    alt = by_protocol_title(table) if len(table) else ""
    return Caption("baseline_protocols", words, alt=alt, finding=_protocol_finding(table), lead=True)


def protocol_table() -> Caption:
    """The table of five protocols."""
    return Caption("baseline_protocols", "UAR by system, protocol and corpus.", labels={"value": "UAR"}, empty=NOTHING)


def _protocol_finding(table: pd.DataFrame) -> str:
    """Our system from one corpus to another, project by project."""
    ours = table[(table["system"] == "ours") & (table["corpus"] != protocols.MEAN)]
    lines = []
    for name, part in ours[ours["protocol"] == "baseline_corpora"].groupby("id", sort=False):
        scores = listed(f"{word(one.corpus)} {share(one.value)}" for one in part.itertuples())
        lines.append(f"- **{word(name)}**, trained on the other corpora of its list only: {scores} (UAR).")
    return "\n".join(lines)


def test_evaluations() -> Caption:
    """Lines of the ledger that belong to this chapter."""
    words = "Test-set evaluations of this chapter, by the name that each experiment has in the ledger and as a file."
    return Caption("baseline_ledger", words, empty="None was logged.")
