"""Captions and sentences of the methods; every number comes from the tables and the settings."""

from __future__ import annotations

import pandas as pd

from ser_study.config import Config
from ser_study.wording import Caption, listed, percent, word


def protocols(table: pd.DataFrame) -> Caption:
    """Of ``tables.protocols``."""
    selections = list(table.columns[2:])
    words = (
        "Protocols, from the easiest to the strictest: what is kept apart between test and training, and the number of "
        "folds on each selection. A dash: the clips do not allow it, or it would repeat another protocol."
    )
    return Caption(
        "methods_protocols",
        words,
        empty="No selection of this run allows a protocol.",
        labels={"separates": "kept apart", **{name: word(name) for name in selections}},
        decimals=dict.fromkeys(selections, 0),
    )


def searches(table: pd.DataFrame, config: Config) -> Caption:
    """Of ``tables.searches``."""
    n, free = len(table), int((table["n_candidates"] == 1).sum())
    words = f"Models of the benchmark and the values among which {config.tuning.inner_folds} inner folds choose."
    finding = (
        f"{n - free} of {n} models have something to choose. In every fold the values with the best "
        "mean UAR of the inner folds are taken, the model is fitted again on all that is not test, and only then are "
        "the test clips predicted. A corpus of two speakers leaves none to choose by: its "
        "values are those that the other corpora choose."
    )
    return Caption("methods_searches", words, finding=finding, labels={"params": "values"})


def class_map(table: pd.DataFrame) -> Caption:
    """Of ``tables.class_map``."""
    words = (
        "Labels of each corpus, the emotions that they count as, and whether their clips join the training of another "
        "corpus. Which corpora join, and with what weight, is chosen by inner folds, and none is among the choices."
    )
    return Caption(
        "methods_class_map",
        words,
        empty="No corpus of this run is joined with another.",
        labels={"joins": "joins training"},
        page_length=20,
    )


def uncertainty(table: pd.DataFrame, config: Config) -> Caption:
    """Of ``tables.uncertainty``."""
    level = percent(config.evaluation.level)
    words = f"How the {level} interval of a score is made, by the number of speakers of a selection."
    few = table.iloc[-1]
    finding = "" if few["selections"] == "none" else (
        f"On {few['selections']} nothing can be said about other people: the interval is over clips of these voices."
    )  # fmt: skip
    return Caption("methods_intervals", words, finding=finding, labels={"made": "how"})


def smallest_p(table: pd.DataFrame) -> Caption:
    """Of ``tables.smallest_p``."""
    words = (
        "The sign-flip test on each selection: how many sign patterns are counted or drawn, and the smallest p that "
        "they can give."
    )
    cannot = table.loc[table["smallest"] > 0.05, "selection"]
    finding = f"On {listed(cannot)} no difference can reach .05, however large." if len(cannot) else ""
    return Caption(
        "methods_tests",
        words,
        empty="No selection of this run has two speakers, so no test between systems is made.",
        finding=finding,
        labels={"patterns": "sign patterns", "smallest": "smallest p"},
        decimals={"smallest": 4},
    )


def test_evaluations(table: pd.DataFrame) -> Caption:
    """Of ``tables.test_evaluations``."""
    words = (
        "Test-set evaluations of each corpus so far. Declared: part of a run. Undeclared: scored by name on the "
        "command line, part of no chapter. Development: before the settings were frozen."
    )
    total = int(table[["declared", "undeclared", "development"]].to_numpy().sum()) if len(table) else 0
    finding = f"{total:,} evaluations are in the ledger; each has its date, its commit and its score." if total else ""
    return Caption("test_evaluations", words, empty="No test set of a real corpus was scored yet.", finding=finding)
