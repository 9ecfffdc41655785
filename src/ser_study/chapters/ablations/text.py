"""Captions, titles and alternative texts of chapter 04b; the sentences are in ``sentences``."""

from __future__ import annotations

import dataclasses

import pandas as pd

from ser_study import config as settings
from ser_study import features
from ser_study.chapters.ablations import automl as comparing
from ser_study.chapters.ablations import preparations, sentences
from ser_study.chapters.ablations.channels import BOTH
from ser_study.chapters.ablations.selection import FEATURE
from ser_study.chapters.ablations.sentences import DROPPED, SURE, points
from ser_study.models.baseline_models import COMPONENTS_004
from ser_study.study import Study
from ser_study.wording import Caption, listed, sentence, share, word

NEEDS = {  # switch → what a study needs besides
    **dict.fromkeys(("descriptions", "signal", "augmentation"), "recordings of a corpus with four speakers or more"),
    "selection": "a corpus with four speakers or more",
    "channels": "speech and song of RAVDESS",
    **dict.fromkeys(("automl", "searches", "long_searches", "nested"), "the RAVDESS recordings, speech and song"),
}
TITLES = {
    "descriptions": "ways to describe a clip",
    "automl": "E004's comparison of models",
    "signal": "signal preparation",
    "augmentation": "augmentation",
    "channels": "speech and song",
    "selection": "selection of features",
    "searches": "published searches",
    "long_searches": "the published searches of hours",
    "nested": "nested searches",
}
NO_ROWS = "No rows in this run."  # where the figure before it says why
_TEST = "p: sign-flip test of the speakers' own scores, so it can disagree with the interval of the pooled score."
_SURE = f"95 % intervals over speakers; beyond chance: p < {share(SURE, 2)} after Holm's correction. {_TEST}"


def introduction(study: Study) -> str:
    """Which ablations the settings ask for."""
    switches = dataclasses.asdict(study.config.ablations)
    on = [TITLES[name] for name, is_on in switches.items() if is_on]
    chosen = f"{len(on)} of {len(switches)} ablations: {listed(on)}" if on else f"none of the {len(switches)} ablations"
    return (
        f"This run (preset `{study.config.preset}`) holds {chosen}. "
        "All but the nested searches are scored on validation speakers or on inner folds of the training part; "
        "they read no test row."
    )


def absent(study: Study, *switches: str) -> str:
    """Why a study is not in this run: its switches are off, or the clips that it needs are not here."""
    if any(getattr(study.config.ablations, name) for name in switches):
        return f"Not in this run: this study needs {NEEDS[switches[0]]}."
    presets = [name for name in settings.PRESETS if getattr(settings.load(name).ablations, switches[0])]
    return (
        f"Not in this run: `ablations.{switches[0]}` is off here (preset `{study.config.preset}`). "
        f"It is on in {listed(f'`{name}`' for name in presets)}; "
        f'to switch it on, set `overrides = {{"ablations.{switches[0]}": True}}`.'
    )


def descriptions_title(table: pd.DataFrame) -> str:
    """The best feature."""
    best = table.iloc[0]
    return sentence(
        f"{word(best['corpus'])}: {best['title']} describes a clip best "
        f"(UAR {share(best['uar_validation'])} on validation speakers)"
    )


def descriptions(study: Study, table: pd.DataFrame) -> Caption:
    """The figure of features under one model."""
    return _figure(
        "descriptions",
        "UAR of every feature under logistic regression, on validation speakers; beside its name, its columns.",
        f"Dots, one per feature, the best on top. {descriptions_title(table)}." if len(table) else "",
        absent(study, "descriptions"),
        sentences.descriptions(table) if len(table) else "",
    )


def descriptions_table() -> Caption:
    """The table of the same."""
    labels = {"title": "feature", "uar_validation": "UAR, validation"}
    about = "Features under logistic regression, on validation speakers."
    return Caption("descriptions", about, empty=NO_ROWS, labels=labels, page_length=25)


def automl_title(table: pd.DataFrame) -> str:
    """How much higher random folds score."""
    able = table[table["model"] != "dummy"]
    return (
        f"Random folds score {sentences.inflation_points(table):.1f} points higher than folds by speaker, "
        f"mean over {len(able)} models"
    )


def automl(study: Study, table: pd.DataFrame) -> Caption:
    """The figure of E004's comparison of models."""
    return _figure(
        "automl",
        f"Accuracy of the models of E004's comparison: as published, in {comparing.PUBLISHED_FOLDS} folds, and here in "
        f"{comparing.N_FOLDS} random folds and in {comparing.N_FOLDS} folds by speaker.",
        f"Three marks a model, the best in random folds on top. {automl_title(table)}." if len(table) else "",
        absent(study, "automl"),
        sentences.automl(table, study.selections) if len(table) else "",
    )


def automl_table() -> Caption:
    """The table of the same."""
    about = (
        f"Models of E004's comparison on {COMPONENTS_004} components of its log-mel values, without a choice of "
        f"hyperparameters, in {comparing.N_FOLDS} folds (E004: {comparing.PUBLISHED_FOLDS}). "
        f"{sentence(word('hist_boosting'))} stands for E004's gradient boosting."
    )
    return Caption("automl", about, empty=NO_ROWS, labels={"published": "published accuracy"})


def signal_title(table: pd.DataFrame) -> str:
    """How many preparations change the score beyond chance."""
    return _changes_title(table, "preparation")


def signal(study: Study, table: pd.DataFrame) -> Caption:
    """The figure of signal preparations."""
    return _figure(
        "signal",
        f"Change of UAR on validation speakers by another preparation of the signal. {_SURE}",
        f"Dots with intervals around zero, one per preparation and corpus. {signal_title(table)}.",
        absent(study, "signal"),
        f"{sentences.treatments(table)} {preparations.described(table['treatment'], study.config.audio)}"
        if len(table)
        else "",
    )


def signal_table(study: Study) -> Caption:
    """The table of the same."""
    system = f"{word(study.config.ladder.feature)} with {word(study.config.ladder.model)}"
    about = (
        f"Preparations of the signal on validation speakers ({system}); the change is against the study's own. {_TEST}"
    )
    return Caption("signal", about, empty=NO_ROWS, labels={"baselines": "used by"}, page_length=20)


def augmentation_title(table: pd.DataFrame) -> str:
    """How many augmentations change the score beyond chance."""
    return _changes_title(table, "augmentation")


def augmentation(study: Study, table: pd.DataFrame) -> Caption:
    """The figure of augmentations."""
    return _figure(
        "augmentation",
        f"Change of UAR on validation speakers by augmentation of the training clips. {_SURE}",
        f"Dots with intervals around zero, one per augmentation, corpus and model. {augmentation_title(table)}.",
        absent(study, "augmentation"),
        sentences.augmentation(table),
    )


def augmentation_table() -> Caption:
    """The table of the same."""
    about = (
        f"Augmentation of the training clips; the change is against none. Validation clips stay as recorded. {_TEST}"
    )
    return Caption("augmentation", about, empty=NO_ROWS, page_length=20, only_csv=("n_train", "n_speakers"))


def channels_title(table: pd.DataFrame) -> str:
    """What the other channel adds, and what it is worth alone."""
    both = table[table["trained_on"] == BOTH]["difference"]
    other = table[(table["trained_on"] != BOTH) & table["difference"].notna()]["difference"]
    return (
        f"The other channel beside one's own changes UAR by {points(both.min())} to {points(both.max())}; "
        f"alone it changes UAR by {points(other.min())} to {points(other.max())}"
    )


def channels(study: Study, table: pd.DataFrame) -> Caption:
    """The figure of training channels."""
    return _figure(
        "channels",
        f"Change of UAR on validation speakers against training on the scored channel alone. {_SURE}",
        f"Dots with intervals around zero. {channels_title(table)}." if len(table) else "",
        absent(study, "channels"),
        sentences.channels(table),
    )


def channels_table() -> Caption:
    """The table of the same."""
    about = "Six emotions on validation speakers; the change is against training on the scored channel alone."
    return Caption("channels", about, empty=NO_ROWS)


def selection_title(table: pd.DataFrame) -> str:
    """What a hundred features are worth."""
    whole, best = table.loc[table["dropped"] == 0, "uar"].mean(), table.loc[table["dropped"] == DROPPED, "uar"].max()
    return sentence(
        f"{word(table['corpus'].iloc[0])}: without the {DROPPED} least important features "
        f"UAR is {share(best)} at best, with all {share(whole)}"
    )


def selection(study: Study, table: pd.DataFrame) -> Caption:
    """The figure of rankings."""
    return _figure(
        "selection",
        f"UAR of logistic regression on {features.get(FEATURE).title}, on validation speakers, by number of features "
        "dropped, one line per ranking; mean over folds. Its penalty is fixed, so with all features its UAR is not the "
        "tuned one of the section on ways to describe a clip.",
        f"Lines that start together, one per ranking and one for dropping at random. {selection_title(table)}."
        if len(table)
        else "",
        absent(study, "selection"),
        sentences.selection(table) + _without_permutation(table) if len(table) else "",
    )


def _without_permutation(table: pd.DataFrame) -> str:
    few = " Permutation importance is left out: some fold has too few training speakers to hold one out."
    return "" if "permutation" in set(table["ranking"]) else few


def selection_table() -> Caption:
    """The table of the same."""
    about = "UAR on validation speakers after the least important features are dropped; gain over random dropping."
    labels = {"folds_ahead": "folds ahead of random"}
    return Caption("selection", about, empty=NO_ROWS, labels=labels)


def searches(study: Study, table: pd.DataFrame) -> Caption:
    """The table of replayed searches."""
    return Caption(
        "searches",
        "Published searches and our replays, cross-validated inside the training part.",
        empty=absent(study, "searches", "long_searches"),
        finding=sentences.searches(table) if len(table) else "",
        labels={"params": "chosen", "published_params": "published choice", "seconds": "s"},
        only_csv=("published_cost", "complete", "pruned", "failed", "n_clips"),
    )


def nested_title(table: pd.DataFrame) -> str:
    """How far the score inside a search is from that on new speakers."""
    return f"The score inside a search differs from that on new speakers by {sentences.optimism(table)}"


def nested(study: Study, table: pd.DataFrame) -> Caption:
    """The figure of nested searches."""
    return _figure(
        "nested_searches",
        "UAR of each nested search: inside, by which it chooses, and on new speakers; the authors' choice there.",
        f"Three marks a search. {nested_title(table)}." if len(table) else "",
        absent(study, "nested"),
        sentences.nested(table) if len(table) else "",
    )


def nested_table() -> Caption:
    """The table of the same."""
    labels = {"value": "UAR", "authors": "authors' choice"}
    labels |= {"inner_score": "score inside", "inner": "inner folds by"}
    about = "Searches nested by speaker; UAR on new speakers, mean over corpora."
    return Caption("nested_searches", about, empty=NO_ROWS, labels=labels)


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """A table of searches with their names as readers say them."""
    return table.assign(search=table["search"].map(sentences.search_title)) if "search" in table else table


def _figure(name: str, about: str, alt: str, empty: str, finding: str) -> Caption:
    leads = name in ("descriptions", "signal", "augmentation")
    return Caption(name, about, alt=alt, empty=empty, finding=finding, lead=leads)


def _changes_title(table: pd.DataFrame, what: str) -> str:
    compared = table[table["difference"].notna()]
    sure = compared[compared["p_holm"] < SURE]["difference"]
    return (
        f"Of {len(compared)} comparisons with another {what}, {(sure > 0).sum()} gain and "
        f"{(sure < 0).sum()} lose beyond chance"
    )
