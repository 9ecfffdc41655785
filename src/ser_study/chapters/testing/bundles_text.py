"""Captions and sentences about the recognisers that a run leaves behind."""

from __future__ import annotations

import pandas as pd

from ser_study import features
from ser_study.download import weights
from ser_study.wording import Caption, interval, listed, percent, share, voices, word

EMPTY = (
    "This run leaves no recogniser: it takes a corpus that can be tested on new speakers and has four or more, so that "
    "some are left to choose by."
)
FACTS = (
    *("size", "reads a clip by", "fitted on", "licences", "emotions", "UAR on new speakers", "UAR on validation rows"),
    *("answers from a confidence of", "then, on new speakers", "not for"),
)


def cards(table: pd.DataFrame) -> pd.DataFrame:
    """The recognisers side by side, one column each, one row a fact; of ``bundles.export``."""
    columns = {row["file"]: _facts(row) for row in table.to_dict("records")}
    return pd.DataFrame({"fact": FACTS} | columns) if columns else pd.DataFrame(columns=["fact"])


def _facts(row: dict) -> list[str]:
    names = listed(map(word, row["corpora"].split(", ")))
    answered = (
        f"{percent(row['coverage'])} of the clips answered, {percent(row['accuracy'])} of these right "
        f"(aim {percent(row['aim'])})"
    )
    return [
        f"{row['kilobytes']:,.0f} kB",
        f"{word(row['feature'])}, LDA",
        f"{names}, {row['n_train']:,} clips",
        row["licences"],
        row["classes"],
        f"{_score(row)}, {row['n_speakers']} speakers of {word(row['selection'])}",
        share(row["uar_validation"]),
        share(row["threshold"]) if row["threshold"] == row["threshold"] else "none: it always says unsure",
        answered if row["accuracy"] == row["accuracy"] else "no clip answered",
        row["limits"],
    ]


def bundles(table: pd.DataFrame) -> Caption:
    """The files, what is in them, and what they are not for."""
    words = (
        "The recognisers of this run, from the cards inside their files. Feature and corpus were chosen by validation "
        "speakers; the UAR is that of the same system on speakers that each of its folds left out."
    )
    return Caption("bundles", words, empty=EMPTY, finding=finding(table) if len(table) else "")


def finding(table: pd.DataFrame) -> str:
    """What each file is, needs besides and scores, and why that is no score of other corpora."""
    each = []
    for row in table.to_dict("records"):
        reads = f"{word(row['feature'])}{_weights(row['feature'])}"
        what = f"`{row['file']}` ({row['kilobytes']:,.0f} kB) reads {reads} and scores {_score(row)} on"
        beside = " beside other corpora" * (row["corpora"] != row["selection"])
        each.append(f"{what} new speakers of {word(row['selection'])}, fitted{beside} on {row['n_train']:,} clips.")
    missing = "" if "large.npz" in set(table["file"]) else (
        " There is no large one: this run has no two encoders to set side by side."
    )  # fmt: skip
    easiest = (
        " Each corpus was chosen because its validation speakers are recognised best, so it is the easiest one here; "
        "the section on other corpora and languages says what remains elsewhere."
    )
    return " ".join(each) + missing + easiest


def _weights(feature: str) -> str:
    """Which published weights a feature needs beside the file, and how large they are; empty where it needs none."""
    needed = [features.get(part).weights for part in feature.split("+")]
    each = [f"`{name}`, {weights.get(name).size / 1e6:.1f} MB" for name in needed if name]
    return f" (published weights needed besides: {'; '.join(each)})" if each else ""


def _score(row: dict) -> str:
    return interval(row["uar"], row["low"], row["high"]) + voices(row["interval"])
