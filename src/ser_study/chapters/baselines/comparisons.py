"""Our system against the rebuilt one, clip by clip; what a project's test shares with its training; parts of a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import splits
from ser_study.chapters.baselines.results import Result
from ser_study.config import Config
from ser_study.evaluation import intervals, metrics, significance
from ser_study.experiments.baseline_results import by_draw, test_rows
from ser_study.models import ensembles
from ser_study.schema import classes_in
from ser_study.splits import UNITS
from ser_study.study import Study
from ser_study.wording import word

Results = Mapping[str, Result]
PAIRED = [
    *("id", "metric", "against", "against_seeds", "difference", "low", "high", "interval"),
    *("p", "p_mcnemar", "n", "n_speakers"),
]
SHARED = ["id", "n", "speaker", "sentence", "take", "duplicate"]
FEW = 5  # speakers; with so few no p of the sign-flip test can reach .05
ALIKE = {"channel": "clip_speaker", "intensity": "clip_emotion"}  # what its parts have in common besides the classes
SIXTEEN = "16"  # label scheme of emotion and gender together


def paired(results: Results, study: Study) -> pd.DataFrame:
    """Score of ours minus that of the rebuilt best model on the same clips, one line a project and metric.

    Scores are means over training seeds, of the rebuilt model over ``against_seeds``. Columns: ``id, metric, against,
    against_seeds, difference, low, high, interval``; of accuracy also ``p`` (sign flips over speakers), ``p_holm``
    (over the projects) and ``p_mcnemar`` (first training seeds; ignores that clips of one speaker resemble each
    other); ``n, n_speakers``.
    """
    lines = [line for result in results.values() for line in _paired_lines(result, study.config)]
    table = pd.DataFrame(lines, columns=PAIRED)
    table.insert(table.columns.get_loc("p_mcnemar"), "p_holm", significance.holm(table["p"]))
    return table


def _paired_lines(result: Result, config: Config) -> list[dict]:
    baseline = result.baseline
    ours, rebuilt = _test_by_seed(result.ours["list"]), _test_by_seed(result.best_rebuilt)
    truth, ids = ours[0]["truth"], ours[0].index
    rebuilt = [one.loc[ids] for one in rebuilt]
    clips = result.selection.clips.set_index("clip_id").loc[ids]
    speaker = clips["speaker"].to_numpy()
    random = settings.rng(config, f"baseline pairs/{baseline.id}")
    classes = sorted(set(truth).union(*(one["prediction"] for one in (*ours, *rebuilt))))
    codes = metrics.encode(truth, classes, what="Truth")
    drawn = intervals.resample(codes, _voices(clips), n_bootstrap=config.evaluation.n_bootstrap, rng=random)
    totals = [
        [
            intervals.totals(
                codes, metrics.encode(one["prediction"], classes, what="Prediction"), None, drawn,
                n_classes=len(classes),
            )
            for one in tables
        ]
        for tables in (rebuilt, ours)
    ]  # fmt: skip
    lines, head = [], {"id": baseline.id, "against": baseline.bar_model, "against_seeds": len(rebuilt)}
    for metric in baseline.bars or baseline.quoted:
        value, span = significance.difference_interval(*totals, drawn, metric=metric, level=config.evaluation.level)
        tests = _tests(ours, rebuilt, speaker, config, random) if metric == "accuracy" else {}
        score = {"metric": metric, "difference": value, "low": span.low, "high": span.high, "interval": span.kind}
        lines.append(head | score | tests | {"n": len(ids), "n_speakers": len(set(speaker))})
    return lines


def _voices(clips: pd.DataFrame) -> np.ndarray:
    """Speakers that intervals draw; unknown where a corpus has so few that its two or three voices would sway all."""
    few = clips.groupby("corpus")["speaker"].nunique().min() < intervals.MIN_JACKKNIFE
    return np.full(len(clips), None) if few else clips["speaker"].to_numpy()


def _tests(ours: list[pd.DataFrame], rebuilt: list[pd.DataFrame], speaker: np.ndarray, config: Config, random) -> dict:
    """Sign flips of the speakers' mean gains, and McNemar's test of the first training seeds."""
    right = [np.mean([one["prediction"] == one["truth"] for one in tables], axis=0) for tables in (ours, rebuilt)]
    gains = pd.Series(right[0] - right[1]).groupby(speaker).mean()
    test = significance.sign_flip(gains, n_permutations=config.evaluation.n_permutations, rng=random)
    by_clip = significance.mcnemar(ours[0]["truth"], rebuilt[0]["prediction"], ours[0]["prediction"])
    return {"p": test.p if len(gains) > FEW else np.nan, "p_mcnemar": by_clip.p}


def _test_by_seed(predictions: pd.DataFrame) -> list[pd.DataFrame]:
    """Truth and prediction of the test rows of every training seed, by clip."""
    test = test_rows(predictions).set_index("clip_id")[["draw", "truth", "prediction"]]
    return [part.sort_index() for _, part in test.groupby("draw", sort=True)]


def shared(results: Results, study: Study) -> pd.DataFrame:
    """How many test clips of each list share something with its training part (columns ``SHARED``)."""
    folder = study.store.project / "data" / "folds"
    lines = [shared_of(result, folder) for result in results.values()]
    return pd.DataFrame(lines, columns=SHARED)


def shared_of(result: Result, folder: Path) -> dict:
    """The line of one project.

    The training part is what the authors had: everything else of the project's clips, copies included, and the
    second listing of a clip that their list of all recordings holds twice (``folder``: the study's ``data/folds``).
    """
    clips, baseline = result.selection.clips, result.baseline
    table = result.ours["list"]
    test = clips["clip_id"].isin(table.loc[table["role"] == "test", "clip_id"]).to_numpy()
    dev = table.loc[table["role"] == "validation", "clip_id"] if splits.RECIPES[baseline.split].by_actor else []
    train = ~test & ~clips["clip_id"].isin(dev).to_numpy()
    line = {"id": result.id, "n": int(test.sum())}
    for unit in ("speaker", "sentence", "take", "duplicate"):
        values = clips[UNITS[unit]]
        in_training = values[test].isin(set(values[train].dropna()))
        if baseline.doubled:
            in_training |= clips.loc[test, "clip_id"].isin(_listed_once(result, folder))
        line[unit] = int(in_training.sum())
    return line


def _listed_once(result: Result, folder: Path) -> set[str]:
    """Test clips of the corpus that was listed twice whose other listing is in training."""
    table = splits.listed(splits.RECIPES[result.baseline.split].published, folder=folder)
    return set(table.loc[(table["corpus"] == result.baseline.doubled) & (table["times"] == 1), "clip_id"])


def slices(result: Result) -> pd.DataFrame:
    """Accuracy on the list by corpus and without TESS: ``id, clips, n``, the best rebuilt model, votes, ``ours``.

    Means over training seeds; empty where the list has one corpus only.
    """
    if len(result.corpora) < 2:
        return pd.DataFrame(columns=["id", "clips", "n"])
    corpus_of = result.selection.clips.set_index("clip_id")["corpus"]
    names = dict.fromkeys([result.baseline.bar_model, *(vote.name for vote in result.baseline.votes)])
    tables = {name: result.rebuilt[name] for name in names if name in result.rebuilt} | {"ours": result.ours["list"]}
    corpora = sorted(corpus_of.loc[tables["ours"]["clip_id"]].unique())
    parts = {name: {name} for name in corpora}
    if "tess" in corpora:
        parts["without TESS"] = set(corpora) - {"tess"}
    lines = []
    for label, chosen in parts.items():
        rows = {name: table[table["clip_id"].map(corpus_of).isin(chosen)] for name, table in tables.items()}
        n = test_rows(rows["ours"])["clip_id"].nunique()
        scores = {name: by_draw(part, "accuracy").mean() for name, part in rows.items()}
        lines.append({"id": result.id, "clips": word(label), "n": n} | scores)
    return pd.DataFrame(lines)


def collapsed(result: Result) -> pd.DataFrame:
    """Sixteen classes read as eight emotions and as gender, by the winning class and by summed probabilities.

    Columns: ``id, protocol, system, classes, how, accuracy, uar``; empty for other label schemes.
    """
    columns = ["id", "protocol", "system", "classes", "how", "accuracy", "uar"]
    lines = []
    for protocol, label, table in (
        ("published list", "rebuilt", result.best_rebuilt),
        ("published list", "ours", result.ours["list"]),
        ("new speakers", "ours", result.ours["honest"]),
    ):
        names = classes_in(table) if result.baseline.scheme == SIXTEEN else ()
        for classes, place in (("emotion", 0), ("gender", 1)) if names else ():
            mapping = {name: name.rsplit("_", 1)[place] for name in names}
            for how, words in (("argmax", "winning class"), ("sum", "summed probabilities")):
                read = ensembles.collapse(table, mapping, how=how)
                scores = {metric: float(by_draw(read, metric).mean()) for metric in ("accuracy", "uar")}
                head = {"id": result.id, "protocol": protocol, "system": label, "classes": classes, "how": words}
                lines.append(head | scores)
    return pd.DataFrame(lines, columns=columns)


def as_emotions(predictions: pd.DataFrame, scheme: str) -> pd.DataFrame:
    """Predictions of sixteen classes as those of eight emotions, by the winning class; others as they are."""
    if scheme != SIXTEEN:
        return predictions
    return ensembles.collapse(predictions, {name: name.rsplit("_", 1)[0] for name in classes_in(predictions)})


def confusions(result: Result) -> list[tuple[str, np.ndarray, tuple[str, ...]]]:
    """Confusions of ours on the list and on new speakers: label, counts (C, C) with the truth in rows, classes."""
    panels = []
    for label, kind in (("ours, published list", "list"), ("ours, new speakers", "honest")):
        table = as_emotions(result.ours[kind], result.baseline.scheme)
        test, classes = test_rows(table), tuple(sorted(classes_in(table)))
        panels.append((label, metrics.confusion(test["truth"], test["prediction"], classes), classes))
    return panels


def parts(result: Result, study: Study) -> pd.DataFrame:
    """UAR of ours on new speakers by channel, intensity and gender within each corpus.

    Columns ``id, corpus, by, part, n, value, low, high``. Only classes that every part has are compared and, for
    channels, speakers; for intensities, emotions as acted (neutral has no strong one, though calm may count as it).
    Sixteen classes are read as emotions.
    """
    clips = result.selection.clips.set_index("clip_id")
    facts = clips[["corpus", "channel", "intensity", "gender", "speaker", "emotion"]].add_prefix("clip_")
    test = test_rows(as_emotions(result.ours["honest"], result.baseline.scheme)).join(facts, on="clip_id")
    lines = []
    for corpus, rows in test.groupby("clip_corpus", sort=True):
        for by in ("channel", "intensity", "gender"):
            compared = _comparable([part for _, part in rows.groupby(f"clip_{by}", sort=True)], by)
            head = {"id": result.id, "corpus": corpus, "by": by}
            lines += [head | {"part": part[f"clip_{by}"].iloc[0]} | _uar(part, study.config) for part in compared]
    return pd.DataFrame(lines)


def _comparable(compared: list[pd.DataFrame], by: str) -> list[pd.DataFrame]:
    """The parts on what they have in common; none where there is nothing to compare."""
    for unit in filter(None, ("truth", ALIKE.get(by))):
        common = set.intersection(*(set(part[unit].dropna()) for part in compared)) if compared else set()
        compared = [part[part[unit].isin(common)] for part in compared]
    able = len(compared) > 1 and all(part["truth"].nunique() > 1 for part in compared)
    return compared if able else []


def _uar(rows: pd.DataFrame, config: Config) -> dict:
    classes = sorted(set(rows["truth"]) | set(rows["prediction"]))
    options = {"level": config.evaluation.level, "n_bootstrap": config.evaluation.n_bootstrap}
    random, speaker = settings.rng(config, "baseline parts"), rows["clip_speaker"].to_numpy()
    span = intervals.interval("uar", rows["truth"], rows["prediction"], speaker, classes=classes, rng=random, **options)
    return {"n": len(rows), "value": metrics.uar_of(rows), "low": span.low, "high": span.high}
