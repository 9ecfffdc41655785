"""Our system against the rebuilt one, clip by clip; what a seed's test shares with its training; slices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import splits
from ser_study.config import Config
from ser_study.evaluation import intervals, metrics, significance
from ser_study.experiments import ledger
from ser_study.experiments.seed_results import Row, by_draw
from ser_study.models import ensembles
from ser_study.schema import classes_in
from ser_study.splits import UNITS
from ser_study.store import Store
from ser_study.words import NAMES

PAIRED = ["id", "metric", "against", "difference", "low", "high", "interval", "p", "p_mcnemar", "n", "n_speakers"]
FEW = 5  # speakers; with so few no p of the sign-flip test can reach .05


def paired(rows: Sequence[Row], config: Config) -> pd.DataFrame:
    """Score of ours minus that of the rebuilt best model on the same clips, one line a row and metric.

    Scores are means over training seeds. Columns: ``id, metric, against, difference, low, high, interval``; of
    accuracy also ``p`` (sign flips over speakers), ``p_holm`` (over the rows) and ``p_mcnemar`` (first training
    seeds; ignores that clips of one speaker resemble each other); ``n, n_speakers``.
    """
    table = pd.DataFrame([line for row in rows for line in _pair(row, config)], columns=PAIRED)
    table.insert(table.columns.get_loc("p_mcnemar"), "p_holm", significance.holm(table["p"]))
    return table


def _pair(row: Row, config: Config) -> list[dict]:
    mine, theirs = _sittings(row.ours["list"]), _sittings(row.rebuilt[row.system.bar_model])
    truth, ids = mine[0]["truth"], mine[0].index
    theirs = [one.loc[ids] for one in theirs]
    speaker = row.material.clips.set_index("clip_id")["speaker"].loc[ids].to_numpy()
    random = settings.rng(config, f"seed pairs/{row.system.id}")
    classes = sorted(set(truth).union(*(one["prediction"] for one in (*mine, *theirs))))
    codes = metrics.encode(truth, classes, what="Truth")
    drawn = intervals.resample(codes, speaker, n_bootstrap=config.evaluation.n_bootstrap, rng=random)
    mine_all, theirs_all = (
        [
            intervals.totals(codes, metrics.encode(one["prediction"], classes, what="Prediction"), None, drawn,
                             n_classes=len(classes))
            for one in tables
        ]
        for tables in (mine, theirs)
    )  # fmt: skip
    lines, head = [], {"id": row.system.id, "against": row.system.bar_model}
    for metric in row.system.bars or row.system.quoted:
        value, span = significance.difference_interval(
            theirs_all, mine_all, drawn, metric=metric, level=config.evaluation.level
        )
        tested = _tests(mine, theirs, speaker, config, random) if metric == "accuracy" else {}
        found = {"metric": metric, "difference": value, "low": span.low, "high": span.high, "interval": span.kind}
        lines.append(head | found | tested | {"n": len(ids), "n_speakers": len(set(speaker))})
    return lines


def _tests(mine: list[pd.DataFrame], theirs: list[pd.DataFrame], speaker: np.ndarray, config: Config, random) -> dict:
    """Sign flips of the speakers' mean gains, and McNemar's test of the first training seeds."""
    right = [np.mean([one["prediction"] == one["truth"] for one in tables], axis=0) for tables in (mine, theirs)]
    each = pd.Series(right[0] - right[1]).groupby(speaker).mean()
    test = significance.sign_flip(each, n_permutations=config.evaluation.n_permutations, rng=random)
    clips = significance.mcnemar(mine[0]["truth"], theirs[0]["prediction"], mine[0]["prediction"])
    return {"p": test.p if len(each) > FEW else np.nan, "p_mcnemar": clips.p}


def _sittings(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Truth and prediction of the test rows of every training seed, by clip."""
    test = table[table["role"] == "test"].set_index("clip_id")[["draw", "truth", "prediction"]]
    return [part.sort_index() for _, part in test.groupby("draw", sort=True)]


def shared(row: Row, folder: Path) -> pd.DataFrame:
    """How many test clips of the list share something with its training part: ``id, unit, shared, n``.

    The training part is what the authors had: everything else of the system's clips, copies included, and the
    second listing of a clip that their list of all recordings holds twice (``folder``: the project's ``data/folds``).
    """
    clips = row.material.clips
    table = row.ours["list"]
    test = clips["clip_id"].isin(table.loc[table["role"] == "test", "clip_id"]).to_numpy()
    dev = table.loc[table["role"] == "valid", "clip_id"] if splits.RECIPES[row.system.split].by_actor else []
    train = ~test & ~clips["clip_id"].isin(dev).to_numpy()
    lines = []
    for unit in ("speaker", "sentence", "take", "duplicate"):
        values = clips[UNITS[unit]]
        seen = values[test].isin(set(values[train].dropna()))
        if row.system.doubled:
            seen |= clips.loc[test, "clip_id"].isin(_listed_once(row, folder))
        lines.append({"id": row.system.id, "unit": unit, "shared": int(seen.sum()), "n": test.sum()})
    return pd.DataFrame(lines)


def _listed_once(row: Row, folder: Path) -> set[str]:
    """Test clips of the corpus that was listed twice whose other listing is in training."""
    table = splits.listed(splits.RECIPES[row.system.split].published, folder=folder)
    return set(table.loc[(table["corpus"] == row.system.doubled) & (table["times"] == 1), "clip_id"])


def all_shared(rows: Sequence[Row], folder: Path) -> pd.DataFrame:
    """``shared`` of all rows, one column a unit: ``id, n, speaker, sentence, take, duplicate``."""
    tables = [shared(row, folder) for row in rows]
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
        names = classes_in(table)
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
            table = ensembles.collapse(table, {name: name.rsplit("_", 1)[0] for name in classes_in(table)})
        test = table[table["role"] == "test"]
        classes = tuple(sorted(classes_in(table)))
        panels.append((label, metrics.confusion(test["truth"], test["prediction"], classes), classes))
    return panels


def channels(row: Row, config: Config) -> pd.DataFrame:
    """Leak-free UAR of ours by channel, intensity and gender within each corpus.

    Columns ``id, corpus, by, part, n, value, low, high``. Only classes and, for channels, speakers that every part
    has are compared (neutral has no strong intensity); sixteen classes are read as emotions.
    """
    clips, test = row.material.clips.set_index("clip_id"), row.ours["honest"]
    if row.system.scheme == "16":
        test = ensembles.collapse(test, {name: name.rsplit("_", 1)[0] for name in classes_in(test)})
    test = test[test["role"] == "test"]
    told = test.join(clips[["corpus", "channel", "intensity", "gender", "speaker"]].add_prefix("clip_"), on="clip_id")
    lines = []
    for corpus, here in told.groupby("clip_corpus", sort=True):
        for by in ("channel", "intensity", "gender"):
            parts = _comparable([part for _, part in here.groupby(f"clip_{by}", sort=True)], by)
            head = {"id": row.system.id, "corpus": corpus, "by": by}
            lines += [head | {"part": part[f"clip_{by}"].iloc[0]} | _uar(part, config) for part in parts]
    return pd.DataFrame(lines)


def _comparable(parts: list[pd.DataFrame], by: str) -> list[pd.DataFrame]:
    """The parts on what they have in common; none where there is nothing to compare."""
    for unit in ("truth", "clip_speaker") if by == "channel" else ("truth",):
        common = set.intersection(*(set(part[unit].dropna()) for part in parts)) if parts else set()
        parts = [part[part[unit].isin(common)] for part in parts]
    able = len(parts) > 1 and all(part["truth"].nunique() > 1 for part in parts)
    return parts if able else []


def _uar(rows: pd.DataFrame, config: Config) -> dict:
    classes = sorted(set(rows["truth"]) | set(rows["prediction"]))
    options = {"level": config.evaluation.level, "n_bootstrap": config.evaluation.n_bootstrap}
    random, speaker = settings.rng(config, "seed parts"), rows["clip_speaker"].to_numpy()
    found = intervals.interval(
        "uar", rows["truth"], rows["prediction"], speaker, classes=classes, rng=random, **options
    )
    return {"n": len(rows), "value": metrics.uar_of(rows), "low": found.low, "high": found.high}


def ledger_lines(rows: Sequence[Row], store: Store) -> pd.DataFrame:
    """Lines of the ledger that belong to these rows: ``id, experiment, looks, first, last``."""
    kept = ledger.read(store)
    names = {name: row.system.id for row in rows for name in experiments_of(row)}
    mine = kept[kept["experiment"].isin(names)]
    grouped = mine.assign(id=mine["experiment"].map(names)).groupby(["id", "experiment"])["date"]
    return grouped.agg(looks="size", first="min", last="max").reset_index()


def experiments_of(row: Row) -> list[str]:
    """Names of the experiments of a row that touched test clips."""
    tables = (*row.rebuilt.values(), *row.rebuilt_honest.values(), *row.ours.values())
    return list(dict.fromkeys(name for table in tables for name in table["experiment"].unique()))
