"""Captions and sentences of chapter 08 on one project."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser_study import corpora
from ser_study.chapters.baselines import comparisons, text
from ser_study.chapters.baselines.results import Result
from ser_study.experiments.baseline_results import by_draw
from ser_study.experiments.baselines import BASELINES
from ser_study.plotting import matrices
from ser_study.wording import Caption, percent, share, word


def project(name: str, results: Mapping[str, Result]) -> str:
    """What the project did, its number, our rebuild, ours, in a paragraph; the published numbers if it was not run."""
    baseline = BASELINES[name]
    start = f"*{baseline.title}.* Published: {text.published(baseline)}."
    if name not in results:
        return f"{start} Not run here. {baseline.note}"
    result = results[name]
    return (
        f"{start} Their {word(baseline.bar_model)}, rebuilt: {_accuracy(result.best_rebuilt)}. "
        f"Ours ({result.system}): {_accuracy(result.ours['list'])} on the same list, "
        f"{_accuracy(result.ours['fresh'])} on fresh splits (accuracy). {baseline.note}"
    )


def _accuracy(predictions: pd.DataFrame) -> str:
    return share(float(by_draw(predictions, "accuracy").mean()))


def new_speakers(result: Result) -> Caption:
    """UAR by corpus on new speakers."""
    words = "UAR by corpus when no speaker of the test is in training."
    return Caption(f"{_file(result)}_new_speakers", words, labels={"value": "UAR"})


def slices(result: Result) -> Caption:
    """Accuracy on the list by corpus."""
    return Caption(f"{_file(result)}_slices", "Accuracy on the list by corpus.", labels={"clips": "part"})


def collapsed(result: Result) -> Caption:
    """Sixteen classes read as emotion or gender."""
    words = "Sixteen classes read as emotion or gender: by the winning class, or by summed probabilities."
    return Caption(f"{_file(result)}_collapsed", words)


def parts(result: Result, table: pd.DataFrame) -> Caption:
    """UAR by channel, intensity and gender, and what people made of the intensities."""
    words = "Ours on new speakers by channel, intensity and gender; only classes that both parts have."
    return Caption(f"{_file(result)}_parts", words, labels={"value": "UAR"}, finding=intensities(table))


def intensities(table: pd.DataFrame) -> str:
    """Whether what is acted strongly is easier for the system, beside what people made of RAVDESS's speech.

    Parameters
    ----------
    table : from ``comparisons.parts``
    """
    if table.empty:
        return ""
    chosen = table[(table["corpus"] == "ravdess") & (table["by"] == "intensity")].set_index("part")["value"]
    if not {"normal", "strong"} <= set(chosen.index):
        return ""
    people = corpora.module("ravdess").INFO.human_figures
    normal, strong = (people[f"speech, {level} intensity"] for level in ("normal", "strong"))
    change = 100 * (chosen["strong"] - chosen["normal"])
    channels = set(table.loc[(table["corpus"] == "ravdess") & (table["by"] == "channel"), "part"])
    both = ", of speech and song together," if len(channels) > 1 else ""
    return (
        f"RAVDESS at strong against normal intensity: the system's UAR{both} {'rises' if change > 0 else 'falls'} by "
        f"{abs(change):.1f} points, to {share(chosen['strong'])}; people chose the intended emotion of speech in "
        f"{percent(strong)} against {percent(normal)} of the trials (Livingstone and Russo 2018)."
    )


def confusion_title(result: Result) -> str:
    """The finding of the confusion matrices, on new speakers."""
    _, counts, classes = comparisons.confusions(result)[-1]
    return matrices.confusion_title(f"{word(result.id)}, new speakers", counts, classes)


def confusion(result: Result) -> Caption:
    """What the confusion matrices count."""
    words = f"{word(result.id)}: shares of each true class and number of predictions, all training seeds together"
    words += "; sixteen classes read as eight emotions." if result.baseline.scheme == comparisons.SIXTEEN else "."
    alt = f"{confusion_title(result)}. {matrices.confusions_alt(comparisons.confusions(result))}"
    return Caption(f"{_file(result)}_confusion", words, alt=alt)


def _file(result: Result) -> str:
    return result.id.lower()
