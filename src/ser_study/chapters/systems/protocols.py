"""One system of each kind on every protocol: the same recipe where the test is easy and where it is hard.

Conventions
-----------
A kind is represented by one recipe (feature and model), the one with the best score on the inner folds of new speakers;
hyperparameters are chosen anew inside every protocol, by its own rule. A corpus of two speakers takes the recipe that
does best, on average, on the inner folds of the other corpora. Votes, networks and what is trained beside other
corpora are scored on new speakers only. Another corpus means: trained on all others, on the classes they share, by the
best recipe on features that every corpus has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from ser_study import corpora
from ser_study.chapters.systems import declare
from ser_study.chapters.systems.declare import KINDS, PROTOCOL
from ser_study.chapters.systems.tables import label_of, levels, validation_uar
from ser_study.experiments import benchmark
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.published import LABELS
from ser_study.study import Study
from ser_study.wording import interval, share, word

EVERYWHERE = ("dummy", "hand_crafted", "encoder_head")  # kinds that every protocol can test
VOTES = ("feature_vote", "encoder_vote")  # who votes is said in the table of systems
COMMON = "6_common"  # label scheme of what several corpora share
LISTENER = "one_listener"
COLUMNS = ["corpus", "system", "chosen", "protocol", "uar", "low", "high", "interval", "n", "n_speakers", "n_train"]

Recipes = Mapping[str, Mapping[str, Experiment]]  # selection → kind → the experiment on new speakers


def recipes(study: Study, *, everywhere: bool = False) -> Recipes:
    """Selection → kind → its recipe on new speakers.

    Parameters
    ----------
    everywhere : only recipes on features that the benchmark has of every selection
    """
    groups = {name: _candidates(study, name, everywhere) for name in declare.able(study)}
    own = [name for name in groups if study.selections[name].n_speakers > 2]
    validation = study.predict_validation([one for name in own for some in groups[name].values() for one in some])
    inner = {(one.selection, _recipe(one)): validation_uar(rows) for one, rows in validation.items()}
    chosen: dict[str, dict[str, Experiment]] = {}
    for name, kinds in groups.items():
        means = {one: _inner(one, [name] if name in own else own, inner) for some in kinds.values() for one in some}
        best = {kind: max(some, key=means.get) for kind, some in kinds.items()}
        chosen[name] = {kind: one for kind, one in best.items() if means[one] > 0}
    return chosen


def _candidates(study: Study, selection: str, everywhere: bool) -> dict[str, list[Experiment]]:
    """Kind → candidates, without kinds that have none."""
    large = study.config.benchmark.large_features if everywhere else ()
    kinds = declare.candidates(study, selection).items()
    groups = {kind: [one for one in some if one.feature not in large] for kind, some in kinds}
    return {kind: some for kind, some in groups.items() if some}


def _recipe(one: Experiment) -> tuple[str, str, bool]:
    return one.feature, one.model, bool(one.others)


def _inner(one: Experiment, by: list[str], inner: Mapping[tuple, float]) -> float:
    """Mean score of a recipe on the inner folds of some selections; 0 where it ran on none of them."""
    scores = [inner[name, _recipe(one)] for name in by if (name, _recipe(one)) in inner]
    return sum(scores) / len(scores) if scores else 0.0


def declared(study: Study, chosen: Recipes) -> dict[tuple[str, str, str], Experiment]:
    """(selection, kind, protocol) → experiment, of the protocols that the settings name and the clips allow."""
    experiments = {}
    for name, kinds in chosen.items():
        for kind, one in kinds.items():
            for protocol in study.config.benchmark.protocols if kind in EVERYWHERE else (PROTOCOL,):
                if protocol in study.possible[name]:
                    experiments[name, kind, protocol] = replace(one, protocol=protocol)
    return experiments | (_crossing(study) if "cross_corpus" in study.config.benchmark.protocols else {})


def _crossing(study: Study) -> dict[tuple[str, str, str], Experiment]:
    """Those that are trained on all other corpora; of a corpus with several selections, the first stands for it."""
    chosen = recipes(study, everywhere=True)
    first = {corpora.corpus_of(name): name for name in reversed(list(chosen)) if name != "synthetic"}
    experiments = {}
    for corpus, name in first.items():
        sources = tuple(other for source, other in sorted(first.items()) if source != corpus)
        for kind, one in chosen[name].items():
            if kind in EVERYWHERE and sources:
                crossing = replace(one, protocol="cross_corpus", scheme=COMMON, sources=sources)
                experiments[name, kind, "cross_corpus"] = crossing
    return experiments


def scores(study: Study, systems: pd.DataFrame, chosen: Recipes) -> pd.DataFrame:
    """UAR of every recipe on every protocol (``COLUMNS``), and of the votes and one listener.

    Parameters
    ----------
    systems : of ``tables.scores`` on new speakers; its votes are taken over
    chosen : of ``recipes``
    """
    experiments = declared(study, chosen)
    scored = study.scores(experiments.values(), read=LABELS)
    uar = scored[scored["metric"] == "uar"].set_index("experiment")
    rows = [
        {"system": kind, "chosen": _title(one), "protocol": protocol} | _facts(uar.loc[one.name], name)
        for (name, kind, protocol), one in experiments.items()
    ]
    votes = systems[systems["system"].isin(VOTES)]
    votes = votes.rename(columns={"uar_low": "low", "uar_high": "high"}).reindex(columns=COLUMNS)
    rows += votes.to_dict("records") + _listeners(study, rows)
    table = pd.DataFrame(rows, columns=COLUMNS)
    kinds = {kind: place for place, kind in enumerate((*KINDS, LISTENER))}
    names = {name: place for place, name in enumerate(study.selections)}
    order = pd.DataFrame({"corpus": table["corpus"].map(names), "system": table["system"].map(kinds)})
    return table.loc[order.sort_values(["corpus", "system"], kind="stable").index].reset_index(drop=True)


def _title(one: Experiment) -> str:
    """The majority class is the same for every feature."""
    return word("dummy") if one.model == "dummy" else label_of(one)


def _facts(row: pd.Series, corpus: str) -> dict:
    kept = {name: row[name] for name in ("low", "high", "interval", "n", "n_speakers", "n_train")}
    return {"corpus": corpus, "uar": row["value"]} | kept


def _listeners(study: Study, rows: list[dict]) -> list[dict]:
    """One listener on the own classes of a corpus; people need no training, so the split changes nothing."""
    known = levels(study).set_index("corpus")["listener"].dropna()
    done = {(row["corpus"], row["protocol"]): row["n"] for row in rows if row["protocol"] != "cross_corpus"}
    head = {"system": LISTENER, "chosen": ""}
    return [head | {"corpus": c, "protocol": p, "uar": known[c], "n": n} for (c, p), n in done.items() if c in known]


def wide(long: pd.DataFrame) -> pd.DataFrame:
    """One row a system: ``corpus, system, chosen, n``, then a column a protocol, each score with its interval, and the
    clips of the classes that several corpora share."""
    protocols = [name for name in (*benchmark.LADDER, "cross_corpus") if name in set(long["protocol"])]
    rows = []
    for (corpus, system), some in long.groupby(["corpus", "system"], sort=False):
        cells = {one.protocol: _cell(one) for one in some.itertuples()}
        n = some.set_index("protocol")["n"]
        recipe = "" if system in ("dummy", *VOTES) else some["chosen"].iloc[0]
        row = {"corpus": corpus, "system": system, "chosen": recipe, "n": n.get(PROTOCOL)}
        rows.append(row | {name: cells.get(name, "") for name in protocols} | {"n_common": n.get("cross_corpus")})
    columns = ["corpus", "system", "chosen", "n", *protocols, *["n_common"] * ("cross_corpus" in protocols)]
    return pd.DataFrame(rows, columns=columns)


def _cell(one) -> str:
    """A score with its interval; guessing has none."""
    return share(one.uar) if share(one.low) == share(one.high) else interval(one.uar, one.low, one.high)
