"""What the chapter shows of one project after another: (figure or table, caption) pairs for ``Exhibits.all``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ser_study.chapters.baselines import comparisons, figures, section_text, tables, text
from ser_study.chapters.baselines.results import Result
from ser_study.study import Study
from ser_study.wording import Caption

Pairs = list[tuple[Any, Caption]]


def exhibits(name: str, results: Mapping[str, Result], study: Study) -> Pairs:
    """A sentence and the tables of one project; of a project that was not run, its published numbers only."""
    sentence = Caption(name, "", empty=section_text.project(name, results))
    if name not in results:
        return [(None, sentence)]
    result = results[name]
    parts = comparisons.parts(result, study)
    pairs = [
        (tables.new_speakers(result, study), section_text.new_speakers(result)),
        (comparisons.slices(result), section_text.slices(result)),
        (comparisons.collapsed(result), section_text.collapsed(result)),
        (parts, section_text.parts(result, parts)),
    ]
    return [(None, sentence), *((table, caption) for table, caption in pairs if len(table))]


def confusion_matrices(results: Mapping[str, Result]) -> Pairs:
    """Confusion matrices of our system for every project that was run."""
    if not results:
        return [(None, Caption("baseline_confusions", "", empty=text.NOTHING))]
    return [(figures.confusion(result), section_text.confusion(result)) for result in results.values()]
