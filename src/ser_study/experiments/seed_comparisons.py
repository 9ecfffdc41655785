"""Our system against the rebuilt one, clip by clip; what a seed's test shares with its training; slices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study.config import Config
from ser_study.evaluation import intervals, metrics, significance
from ser_study.experiments.material import Material
from ser_study.experiments.seed_results import Row, by_draw
from ser_study.models import ensembles
from ser_study.splits import UNITS
from ser_study.words import NAMES

PAIRED = ["id", "against", "difference", "low", "high", "interval", "p", "p_mcnemar", "n", "n_speakers"]
FEW = 5  # speakers; with so few no p of the sign-flip test can reach .05


def paired(rows: Sequence[Row], config: Config) -> pd.DataFrame:
    """Accuracy of ours minus that of the rebuilt best model on the same clips, one line a row.

    Columns: ``id, against, difference, low, high, interval, p`` (sign flips over speakers), ``p_holm`` (over the
    rows), ``p_mcnemar`` (ignores that clips of one speaker resemble each other), ``n, n_speakers``.
    """
    table = pd.DataFrame([_pair(row, config) for row in rows], columns=PAIRED)
    table.insert(table.columns.get_loc("p_mcnemar"), "p_holm", significance.holm(table["p"]))
    return table


def _pair(row: Row, config: Config) -> dict:
    mine, theirs = (_majority(t) for t in (row.ours["list"], row.rebuilt[row.system.bar_model]))
    theirs = theirs.loc[mine.index]
    speaker = row.material.clips.set_index("clip_id")["speaker"].loc[mine.index].to_numpy()
    random = settings.rng(config, f"seed pairs/{row.system.id}")
    classes = sorted(set(mine["truth"]) | set(mine["prediction"]) | set(theirs["prediction"]))
    guesses = (mine["truth"], theirs["prediction"], mine["prediction"])
    options = {"level": config.evaluation.level, "n_bootstrap": config.evaluation.n_bootstrap, "rng": random}
    value, span = significance.paired_difference(*guesses, speaker, classes=classes, metric="accuracy", **options)
    gain = (mine["prediction"] == mine["truth"]).astype(float) - (theirs["prediction"] == theirs["truth"])
    each = gain.groupby(speaker).mean()
    test = significance.sign_flip(each, n_permutations=config.evaluation.n_permutations, rng=random)
    return {
        "id": row.system.id,
        "against": row.system.bar_model,
        "difference": value,
        "low": span.low,
        "high": span.high,
        "interval": span.kind,
        "p": test.p if len(each) > FEW else np.nan,
        "p_mcnemar": significance.mcnemar(*guesses).p,
        "n": len(mine),
        "n_speakers": len(each),
    }


def _majority(table: pd.DataFrame) -> pd.DataFrame:
    """One answer a test clip: the mean probability over training seeds decides."""
    test = table[table["role"] == "test"]
    columns = [name for name in test.columns if name.startswith("p_")]
    mean = test.groupby("clip_id", sort=True)[columns].mean()
    guess = pd.Series([columns[place][2:] for place in mean.to_numpy().argmax(axis=1)], index=mean.index)
    return pd.DataFrame({"truth": test.groupby("clip_id", sort=True)["truth"].first(), "prediction": guess})


def shared(row: Row) -> pd.DataFrame:
    """How many test clips of the list share something with its training part: ``id, unit, shared, n``.

    The training part is everything else of the system's clips, copies of test clips included: what the authors had.
    """
    clips = row.material.clips
    table = row.ours["list"]
    test = clips["clip_id"].isin(table.loc[table["role"] == "test", "clip_id"]).to_numpy()
    dev = table.loc[table["role"] == "valid", "clip_id"] if row.system.split == "003" else []
    train = ~test & ~clips["clip_id"].isin(dev).to_numpy()
    lines = []
    for unit in ("speaker", "sentence", "take", "duplicate"):
        values = clips[UNITS[unit]]
        seen = set(values[train].dropna())
        lines.append({"id": row.system.id, "unit": unit, "shared": int(values[test].isin(seen).sum()), "n": test.sum()})
    return pd.DataFrame(lines)


def all_shared(rows: Sequence[Row]) -> pd.DataFrame:
    """``shared`` of all rows, one column a unit: ``id, n, speaker, sentence, take, duplicate``."""
    tables = [shared(row) for row in rows]
    if not tables:
        return pd.DataFrame(columns=["id", "n", "speaker", "sentence", "take", "duplicate"])
    wide = pd.concat(tables).pivot(index=["id", "n"], columns="unit", values="shared").reset_index()
    return wide[["id", "n", "speaker", "sentence", "take", "duplicate"]].rename_axis(columns=None)


def slices(row: Row) -> pd.DataFrame:
    """Accuracy on the list by corpus and without TESS: ``id, clips, n``, the best rebuilt model, votes, ``ours``.

    Means over training seeds.
    """
    home = row.material.clips.set_index("clip_id")["corpus"]
    theirs = dict.fromkeys([row.system.bar_model, *(vote.name for vote in row.system.votes)])
    tables = {name: row.rebuilt[name] for name in theirs if name in row.rebuilt} | {"ours": row.ours["list"]}
    corpora = sorted(home.loc[tables["ours"]["clip_id"]].unique())
    chosen = {name: {name} for name in corpora} | (
        {"without TESS": set(corpora) - {"tess"}} if "tess" in corpora else {}
    )
    lines = []
    for label, names in chosen.items():
        parts = {key: table[table["clip_id"].map(home).isin(names)] for key, table in tables.items()}
        n = parts["ours"].loc[parts["ours"]["role"] == "test", "clip_id"].nunique()
        scores = {key: by_draw(part, "accuracy").mean() for key, part in parts.items()}
        lines.append({"id": row.system.id, "clips": NAMES.get(label, label), "n": n} | scores)
    return pd.DataFrame(lines)


def collapsed(row: Row) -> pd.DataFrame:
    """Sixteen classes read as eight emotions and as gender, by the winning class and by summed probabilities.

    Columns: ``id, protocol, system, classes, how, accuracy, uar``.
    """
    lines = []
    for protocol, label, table in (
        ("list", "rebuilt", row.rebuilt[row.system.bar_model]),
        ("list", "ours", row.ours["list"]),
        ("honest", "ours", row.ours["honest"]),
    ):
        names = _classes(table)
        for classes, place in (("emotion", 0), ("gender", 1)):
            mapping = {name: name.rsplit("_", 1)[place] for name in names}
            for how in ("argmax", "sum"):
                told = ensembles.collapse(table, mapping, how=how)
                scores = {metric: float(by_draw(told, metric).mean()) for metric in ("accuracy", "uar")}
                head = {"id": row.system.id, "protocol": protocol, "system": label, "classes": classes, "how": how}
                lines.append(head | scores)
    return pd.DataFrame(lines)


def confusions(row: Row) -> list[tuple[str, np.ndarray, tuple[str, ...]]]:
    """Answers of ours on the list and on new speakers: label, counts (C, C) with the truth in rows, classes.

    Sixteen classes are read as eight emotions, by the winning class.
    """
    panels = []
    for label, table in (("ours, their list", row.ours["list"]), ("ours, new speakers", row.ours["honest"])):
        if row.system.scheme == "16":
            table = ensembles.collapse(table, {name: name.rsplit("_", 1)[0] for name in _classes(table)})
        test = table[table["role"] == "test"]
        classes = tuple(sorted(_classes(table)))
        panels.append((label, metrics.confusion(test["truth"], test["prediction"], classes), classes))
    return panels


def _classes(table: pd.DataFrame) -> list[str]:
    return [name[2:] for name in table.columns if name.startswith("p_")]


def channels(row: Row, config: Config) -> pd.DataFrame:
    """Leak-free UAR of ours by channel, intensity and gender: ``id, by, part, n, value, low, high``.

    Only classes present in every part of a kind are compared (neutral has no strong intensity).
    """
    clips = row.material.clips.set_index("clip_id")
    test = row.ours["honest"]
    test = test[test["role"] == "test"]
    lines = []
    for by in ("channel", "intensity", "gender"):
        part_of = clips[by].loc[test["clip_id"]].to_numpy()
        kinds = [kind for kind in pd.unique(part_of) if isinstance(kind, str)]
        common = set.intersection(*(set(test.loc[part_of == kind, "truth"]) for kind in kinds)) if kinds else set()
        for kind in sorted(kinds):
            rows = test[(part_of == kind) & test["truth"].isin(common)]
            if len(common) > 1 and len(rows):
                lines.append({"id": row.system.id, "by": by, "part": kind} | _uar(rows, row.material, config))
    return pd.DataFrame(lines)


def _uar(rows: pd.DataFrame, material: Material, config: Config) -> dict:
    speaker = material.clips.set_index("clip_id")["speaker"].loc[rows["clip_id"]].to_numpy()
    classes = sorted(set(rows["truth"]) | set(rows["prediction"]))
    options = {"level": config.evaluation.level, "n_bootstrap": config.evaluation.n_bootstrap}
    random = settings.rng(config, "seed parts")
    found = intervals.interval(
        "uar", rows["truth"], rows["prediction"], speaker, classes=classes, rng=random, **options
    )
    return {"n": len(rows), "value": metrics.uar_of(rows), "low": found.low, "high": found.high}
