"""Tables of the front page, read from the tables that the other chapters wrote; nothing is computed anew."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from ser_study.evaluation import summaries
from ser_study.experiments.benchmark import hand_crafted
from ser_study.study import Study
from ser_study.wording import share, voices, word

CHAPTERS = {  # table → chapter that writes it
    "scores": "04",
    "headline": "04",
    "listeners": "04",
    "systems": "06b",
    "systems_protocols": "06b",
    "corpora": "02",
    "ladder": "03",
    "ladder_speakers": "03",
}


@dataclass(frozen=True)
class RunTables:
    """The tables of a run that the front page needs."""

    scores: pd.DataFrame
    headline: pd.DataFrame  # on hand-crafted features
    listeners: pd.DataFrame
    systems: pd.DataFrame  # every kind
    systems_protocols: pd.DataFrame  # one recipe of each kind on every protocol
    corpora: pd.DataFrame
    ladder: pd.DataFrame
    ladder_speakers: pd.DataFrame


def read(study: Study) -> RunTables:
    """The tables that the earlier chapters wrote.

    Raises
    ------
    FileNotFoundError
        A table is missing; the message names the chapter to run.
    """
    tables = {}
    for name, chapter in CHAPTERS.items():
        path = study.store.run / "tables" / f"{name}.csv"
        if not path.is_file():
            raise FileNotFoundError(
                f"The table {name}.csv of this run is missing; chapter {chapter} writes it{_advice(study, chapter)}"
            )
        tables[name] = pd.read_csv(path)
    return RunTables(**tables)


def _advice(study: Study, chapter: str) -> str:
    """What to do where a chapter's table is missing: mend what ended the chapter, or run it."""
    facts = study.store.run / "run.json"
    known = json.loads(facts.read_text(encoding="utf-8"))["chapters"] if facts.is_file() else {}
    for page, one in known.items():
        if page.partition("_")[0] == chapter and one["status"] == "failed":
            return f" and ended with an error ({one['error'].splitlines()[0]}); see logs/{page}.log, then run it again."
    return f": python run_all.py --from {chapter}."


def benchmark(run: RunTables) -> pd.DataFrame:
    """Scores of feature × model: tuned, on all clips and the own classes of each corpus, without a declared leak."""
    scores = run.scores
    others = scores["others"].isna() if "others" in scores else True  # runs of before have no such column
    plain = scores["leak"].isna() & scores["source"].isna() & (scores["scheme"] == "native") & others
    return scores[plain & ~scores["fixed"].astype(bool) & (scores["size"].fillna(0) == 0)]


def inflation(run: RunTables) -> pd.DataFrame:
    """Random and speaker-independent UAR of every corpus and model, with the feature set that is best on average."""
    scores = hand_crafted(benchmark(run))
    return summaries.inflation(scores, summaries.common_feature(scores))


def chance(run: RunTables) -> dict[str, float]:
    """Corpus → one over its number of classes."""
    return dict(zip(run.corpora["corpus"], 1 / run.corpora["classes"]))


def listeners(run: RunTables) -> dict[str, float]:
    """Corpus → UAR of one listener, where listeners judged the clips."""
    return summaries.listener_lines(run.listeners)


def headline(run: RunTables) -> pd.DataFrame:
    """The chosen system of each corpus on hand-crafted features, and the best of all its systems.

    Columns: ``corpus, system, random split, new speakers, interval, best system, best score, best interval, listeners,
    chance``; empty where chapter 06b has no system of a corpus.
    """
    keys = ["corpus", "feature", "model"]
    uar = summaries.uar(benchmark(run))
    random = uar[uar["protocol"] == "random"].set_index(keys)["value"].rename("random split")
    table = run.headline.join(random, on=keys)
    table = table.assign(listeners=table["corpus"].map(listeners(run)), chance=table["corpus"].map(chance(run)))
    bounds = zip(table["low"], table["high"], table["interval"])
    spans = [f"[{share(low)}, {share(high)}]{voices(kind)}" for low, high, kind in bounds]
    systems = [f"{word(feature)}, {word(model)}" for feature, model in zip(table["feature"], table["model"])]
    table = table.assign(system=systems, interval=spans).rename(columns={"value": "new speakers"})
    table = table.merge(best_systems(run), how="left", on="corpus")
    best = ["best system", "best score", "best interval"]
    return table[["corpus", "system", "random split", "new speakers", "interval", *best, "listeners", "chance"]]


def best_systems(run: RunTables) -> pd.DataFrame:
    """The best of all kinds of systems on new speakers: ``corpus, best system, best score, best interval``."""
    best = run.systems[run.systems["system"] == "best_system"]
    bounds = zip(best["uar_low"], best["uar_high"], best["interval"])
    spans = [f"[{share(low)}, {share(high)}]{voices(kind)}" for low, high, kind in bounds]
    table = best.assign(interval=spans)[["corpus", "chosen", "uar", "interval"]]
    return table.set_axis(["corpus", "best system", "best score", "best interval"], axis=1)


def protocols(run: RunTables) -> pd.DataFrame:
    """The recipes on hand-crafted features and on an encoder, and one listener, on every protocol; in full in 06b."""
    table = run.systems_protocols
    rows = table[table["system"].isin(("hand_crafted", "encoder_head", "one_listener"))]
    kept = [name for name in table.columns if name not in ("chosen", "n_common")]
    return rows[kept].fillna("").reset_index(drop=True)


def baselines(study: Study) -> pd.DataFrame:
    """Accuracy rows of the student projects, with their verdicts; empty where chapter 08 is not in this run."""
    paths = [study.store.run / "tables" / f"{name}.csv" for name in ("baselines", "baseline_verdicts")]
    if not all(path.is_file() for path in paths):
        return pd.DataFrame()
    scores, verdicts = map(pd.read_csv, paths)
    table = scores.merge(verdicts[["id", "metric", "verdict"]], on=["id", "metric"])
    return table[table["metric"] == "accuracy"].reset_index(drop=True)


def outside(study: Study) -> pd.DataFrame:
    """What chapter 07 measured of use outside the studio, one row a corpus; empty where it is not in this run.

    Beside the columns of ``in_short.csv``, alike in every row: ``moved``, the best of the systems that were trained on
    one corpus and tested on another, ``elsewhere``, their median UAR, and ``within``, that on new speakers of the
    tested corpus.
    """
    paths = [study.store.run / "tables" / f"{name}.csv" for name in ("in_short", "transfer")]
    if not paths[0].is_file():
        return pd.DataFrame()
    table = pd.read_csv(paths[0])
    if not paths[1].is_file():
        return table
    pairs = pd.read_csv(paths[1])
    pairs = pairs[pairs["source"] != pairs["corpus"]].dropna(subset=["uar", "uar_within"])
    medians = pairs.groupby("system")[["uar", "uar_within"]].median()
    if medians.empty:
        return table
    best = medians["uar_within"].idxmax()
    return table.assign(moved=best, elsewhere=medians.loc[best, "uar"], within=medians.loc[best, "uar_within"])
