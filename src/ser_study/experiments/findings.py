"""From scores to findings: the small tables that figures and sentences are made from.

Every function takes tables and returns tables; nothing is trained here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import splits
from ser_study.config import Config
from ser_study.evaluation import comparisons, metrics
from ser_study.experiments import ladder, run, study
from ser_study.experiments import material as materials
from ser_study.experiments.material import Material
from ser_study.store import Store

STEPS = (  # from rung to rung; the two branches meet again at the strictest
    ("random_augmented", "random"),
    ("random", "take_disjoint"),
    ("random", "sentence_independent"),
    ("random", "speaker_independent"),
    ("sentence_independent", "speaker_and_sentence"),
    ("speaker_independent", "speaker_and_sentence"),
)
LEAGUE = ["corpus", "protocol", "feature", "model"]


def uar(scores: pd.DataFrame) -> pd.DataFrame:
    """The UAR rows of a scores table."""
    return scores[scores["metric"] == "uar"].reset_index(drop=True)


def rung_of(scores: pd.DataFrame) -> pd.Series:
    """Name of the ladder's rung: the protocol, or random with augmentation before the split."""
    return scores["protocol"].where(scores["leak"].fillna("") == "", "random_augmented")


def chance(gathered: Mapping[str, Material]) -> dict[str, float]:
    """UAR of guessing: one over the number of classes, for each selection."""
    return {name: 1 / part.clips["emotion"].nunique() for name, part in gathered.items()}


def listeners(gathered: Mapping[str, Material]) -> pd.DataFrame:
    """Human reference of every selection that has listeners' answers clip by clip."""
    tables = []
    for name, part in gathered.items():
        table = comparisons.human_reference(part.clips, sorted(part.clips["emotion"].unique()))
        tables.append(table.assign(corpus=name))
    told = [table for table in tables if len(table)]
    return pd.concat(told, ignore_index=True).infer_objects() if told else tables[0]


def listener_lines(reference: pd.DataFrame) -> dict[str, float]:
    """One line a corpus for figures: the UAR of a single listener."""
    return reference.groupby("corpus", sort=False)["uar"].first().dropna().to_dict()


def inflation(league: pd.DataFrame, feature: str) -> pd.DataFrame:
    """Random against speaker-independent UAR of every corpus and model on one feature."""
    chosen = uar(league)
    return chosen[(chosen["feature"] == feature) & (chosen["model"] != "dummy")].reset_index(drop=True)


def gaps(league: pd.DataFrame) -> pd.DataFrame:
    """One row a corpus, feature and model: random UAR, speaker-independent UAR, and the difference."""
    chosen = uar(league)
    wide = chosen.pivot_table(index=["corpus", "feature", "model"], columns="protocol", values="value", sort=False)
    wide = wide.assign(change=wide["speaker_independent"] - wide["random"]).reset_index()
    return wide[wide["model"] != "dummy"].reset_index(drop=True)


def valid_scores(league: pd.DataFrame) -> pd.DataFrame:
    """UAR on valid *speakers*, by which systems are chosen; two-speaker corpora have none to spare."""
    honest = (league["protocol"] == "speaker_independent") & (league["n_speakers"] >= 3)
    return league[honest & (league["metric"] == "uar_valid")]


def headline(league: pd.DataFrame) -> pd.DataFrame:
    """The system of each corpus with the best score on valid speakers, and what it scores on test.

    A corpus without valid speakers of its own (TESS) takes the system that does best, on average,
    on the valid speakers of the other corpora.
    """
    honest = league[league["protocol"] == "speaker_independent"]
    inner = valid_scores(league)
    test = uar(honest).set_index(["corpus", "feature", "model"])
    rows = []
    for corpus in dict.fromkeys(honest["corpus"]):
        own = inner[inner["corpus"] == corpus]
        borrowed = own.empty
        if borrowed:
            there = test.loc[corpus].index
            mean = inner.groupby(["feature", "model"])["value"].agg(["mean", "size"])
            mean = mean[(mean["size"] == mean["size"].max()) & mean.index.isin(there)]
            if mean.empty:
                continue
            feature, model = mean["mean"].idxmax()
        else:
            feature, model = own.loc[own["value"].idxmax(), ["feature", "model"]]
        chosen_by = "the other corpora" if borrowed else "its own valid speakers"
        rows.append(test.loc[(corpus, feature, model)].to_dict() | {
            "corpus": corpus, "feature": feature, "model": model, "chosen_by": chosen_by})  # fmt: skip
    first = ["corpus", "feature", "model", "value", "low", "high", "interval", "n", "n_speakers", "chosen_by"]
    return pd.DataFrame(rows)[first] if rows else pd.DataFrame(columns=first)


def nested(gathered: Mapping[str, Material], *, config: Config, store: Store) -> dict[str, float]:
    """UAR on test when the system is chosen anew in each fold, by that fold's valid speakers alone."""
    found = {}
    for name, part in gathered.items():
        league = ladder.league(config, ladder.possible({name: part}))
        rivals = [e for e in league if e.protocol == "speaker_independent" and e.model != "dummy"]
        if part.n_speakers < 3 or not rivals:
            continue
        told = pd.concat([run.predictions(e, gathered, config=config, store=store) for e in rivals])
        chosen = pd.concat([_best_on_valid(fold) for _, fold in told.groupby("fold")])
        found[name] = metrics.uar_of(chosen)
    return found


def _best_on_valid(fold: pd.DataFrame) -> pd.DataFrame:
    """Test rows of the experiment that does best on the valid rows of this fold."""
    valid = (
        fold[fold["role"] == "valid"].groupby("experiment", sort=False)[["truth", "prediction"]].apply(metrics.uar_of)
    )
    return fold[(fold["role"] == "test") & (fold["experiment"] == valid.idxmax())]


def steps(gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """What each step of the ladder costs at equal training size, with interval and test, Holm by corpus."""
    full = ladder.rungs(config, ladder.possible(gathered))
    sizes = study.smallest_training(full, gathered, config=config, store=store)
    tables = []
    for selection, part in gathered.items():
        equal = {_rung(e): e for e in ladder.equal_size(config, full, sizes) if e.selection == selection}
        pairs = [(equal[a].name, equal[b].name) for a, b in STEPS if a in equal and b in equal]
        told = pd.concat([run.predictions(e, gathered, config=config, store=store) for e in equal.values()])
        random = settings.rng(config, f"steps/{selection}")
        table = comparisons.steps(told, part.clips, pairs, family=selection, evaluation=config.evaluation, rng=random)
        named = {e.name: rung for rung, e in equal.items()}
        tables.append(
            table.assign(step_from=table["experiment_a"].map(named), step_to=table["experiment_b"].map(named))
        )
    return pd.concat(tables, ignore_index=True)


def shared_units(gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """Share of test clips whose speaker, sentence or other take is in training, by protocol."""
    rows = []
    for rung in ladder.rungs(config, ladder.possible(gathered)):
        if rung.leak:
            continue
        part = gathered[rung.selection]
        truth = materials.classes_of(part, rung.scheme)
        folds = materials.folds_of(rung, part, truth, config, store, 0)
        told = folds.merge(part.clips[["clip_id", "speaker", "statement", "take"]], on="clip_id")
        rows.append({"corpus": rung.selection, "protocol": rung.protocol} | _shared(told))
    return pd.DataFrame(rows)


def _shared(told: pd.DataFrame) -> dict[str, float]:
    found = {}
    for unit in ("speaker", "statement", "take"):
        train = told.loc[told["role"] == "train", ["repeat", "fold", unit]].drop_duplicates().assign(there=True)
        test = told[told["role"] == "test"].merge(train, on=["repeat", "fold", unit], how="left")
        found[unit] = float((test["there"].notna() & test[unit].notna()).mean())
    return found | {"n_train": int(told[told["role"] == "train"].groupby(["repeat", "fold"]).size().mean())}


def shuffled_scores(gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """UAR of every repeat with shuffled labels: ``corpus, rung, draw, value``."""
    rows = []
    sizes = {name: len(part.clips) for name, part in gathered.items()}
    for experiment in ladder.controls(config, sizes, ladder.possible(gathered)):
        table = run.predictions(experiment, gathered, config=config, store=store)
        for draw, one in table[table["role"] == "test"].groupby("draw"):
            rows.append((experiment.selection, _rung(experiment), draw, metrics.uar_of(one)))
    return pd.DataFrame(rows, columns=["corpus", "rung", "draw", "value"])


def corpus_counts(gathered: Mapping[str, Material]) -> pd.DataFrame:
    """Found and analysed clips, speakers, sentences and classes of each selection."""
    rows = []
    for name, part in gathered.items():
        rows.append(
            {
                "corpus": name,
                "found": len(part.clips) + len(part.dropped),
                "analysed": len(part.clips),
                "dropped": ", ".join(f"{n} {why}" for why, n in part.dropped["reason"].value_counts().items()) or "–",
                "speakers": part.n_speakers,
                "sentences": part.clips["statement"].nunique(),
                "classes": part.clips["emotion"].nunique(),
                "hours": part.clips["duration"].sum() / 3600,
            }
        )
    return pd.DataFrame(rows)


def protocol_words() -> pd.DataFrame:
    """Every protocol and what it keeps apart, in words."""
    rows = [
        {"protocol": p.name, "keeps apart": ", ".join(p.separates) or "nothing", "why": p.explanation}
        for p in splits.PROTOCOLS.values()
    ]
    return pd.DataFrame(rows)


def _rung(experiment) -> str:
    return "random_augmented" if experiment.leak else experiment.protocol


def variance_shares(values: np.ndarray, groups: pd.Series) -> np.ndarray:
    """Share of each column's variance that lies between the groups (η²), shape (d,)."""
    names, code = np.unique(groups.astype(str).to_numpy(), return_inverse=True)
    counts = np.bincount(code)[:, None]
    means = np.stack([np.bincount(code, weights=column, minlength=len(names)) for column in values.T], axis=1) / counts
    overall = values.mean(axis=0)
    between = (counts * (means - overall) ** 2).sum(axis=0)
    total = ((values - overall) ** 2).sum(axis=0)
    return np.divide(between, total, out=np.zeros_like(between), where=total > 0)
