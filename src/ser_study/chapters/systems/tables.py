"""The best system of every corpus, kind by kind: chosen in every fold by inner folds, scored once on its test rows.

Conventions
-----------
A *system* of a kind is a nested choice: in each outer fold the candidate with the best UAR on the validation rows of
that fold, so that no test speaker takes part in the choice that is tested on them. A corpus of two speakers leaves one
to train on and none to choose by: it takes what does best, on average, on the validation rows of the other corpora.
The best of all kinds is chosen among the candidates that inner folds have judged. A network from scratch is judged by
the clips of the few speakers at which its training stops, which is too little to choose by (method, §1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from ser_study import config as settings
from ser_study.chapters.systems import declare
from ser_study.chapters.systems.declare import KINDS, PROTOCOL
from ser_study.evaluation import choice, metrics, summaries, tables
from ser_study.experiments import benchmark, ledger
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.published import LABELS, SCORES
from ser_study.models import weights
from ser_study.study import Study
from ser_study.wording import listed, word

COLUMNS = [
    *("corpus", "protocol", "system", "chosen", "uar", "uar_low", "uar_high", "accuracy", "accuracy_low"),
    *("accuracy_high", "interval", "uar_validation", "n", "n_speakers", "chosen_by"),
]
OWN, OTHERS = "own speakers", "other corpora"


@dataclass(frozen=True)
class System:
    """One kind of system on one selection: its predictions, what was chosen, by whom, and its score on validation."""

    predictions: pd.DataFrame
    chosen: str
    chosen_by: str
    uar_validation: float


def systems(study: Study, protocol: str = PROTOCOL) -> dict[str, dict[str, System]]:
    """Selection → kind → system, and the best of all kinds; test-set evaluations of choices and votes are logged.

    Two speakers without another corpus leave nothing to choose by, and are left out.
    """
    names = declare.able(study, protocol)
    everything = {name: _candidates(study, name, protocol) for name in names}
    own = [name for name in names if study.selections[name].n_speakers > 2]
    done = {name: _by_own_speakers(everything[name]) for name in own}
    for name in names:
        if name not in own:
            done[name] = _by_other_corpora(everything[name], {other: everything[other] for other in own})
        _log(name, protocol, done[name], study)
    return {name: done[name] for name in names if done[name]}


def _candidates(study: Study, selection: str, protocol: str) -> dict[str, dict[str, pd.DataFrame]]:
    """Kind → label of a candidate → its predictions."""
    groups = declare.candidates(study, selection, protocol)
    votes = declare.votes(groups) if study.selections[selection].n_speakers > 2 else {}
    voting = [one for members in votes.values() for one in members]
    alone = [one for some in groups.values() for one in some if one not in voting]
    predictions = study.predict(voting) | study.predict(alone, read=SCORES)
    made = {kind: {label_of(one): predictions[one] for one in some} for kind, some in groups.items()}
    speakers = study.clips(selection).set_index("clip_id")["speaker"]
    for kind, members in votes.items():
        vote = weights.weighted_vote([predictions[one] for one in members], groups=speakers)
        made[kind] = {_members(members): vote}
    return {kind: made[kind] for kind in KINDS if kind in made}


def label_of(one: Experiment) -> str:
    """Feature and model of a candidate as readers say them."""
    return f"{word(one.feature)}, {word(one.model)}"


def _members(members: list[Experiment]) -> str:
    """What votes: "LDA on CAM++, Moonshine, and CAM++ beside other corpora"."""
    names = [word(one.feature) + (" beside other corpora" if one.others else "") for one in members]
    return f"{word(declare.HEAD)} on {listed(names)}"


def _by_own_speakers(groups: Mapping[str, Mapping[str, pd.DataFrame]]) -> dict[str, System]:
    """The nested choice of every kind, and over all kinds."""
    done = {kind: _nested(some) for kind, some in groups.items() if kind != "dummy"}
    if "dummy" in groups:
        table = next(iter(groups["dummy"].values()))  # alike for every feature
        done = {"dummy": System(table, word("dummy"), "", validation_uar(table))} | done
    every = {f"{kind}: {label}": table for kind, some in groups.items() for label, table in some.items()}
    n_rows = {name: int((table["role"] == "validation").sum()) for name, table in every.items()}
    judged = {name: table for name, table in every.items() if 2 * n_rows[name] >= max(n_rows.values())}
    return done | {"best_system": _nested(judged)} if judged else done


def _nested(candidates: Mapping[str, pd.DataFrame]) -> System:
    table = choice.nested_choice(candidates)
    names = table.drop_duplicates(["repeat", "fold"])["params"].map(lambda text: json.loads(text)["chosen"])
    kinds = names.str.partition(": ")[0].map(word)  # of all kinds, the kind says more than its features
    counts = kinds.where(names.str.contains(": "), names).value_counts()
    of = f" of {counts.sum()} folds"
    chosen = counts.index[0] if len(counts) == 1 else f"{counts.index[0]} ({counts.iloc[0]}{of})"
    return System(table, chosen, OWN, validation_uar(table))


def _by_other_corpora(groups, others: Mapping[str, Mapping[str, Mapping[str, pd.DataFrame]]]) -> dict[str, System]:
    """Of every kind the candidate that is best on the others' validation rows; then the kind that is."""
    means: dict[tuple[str, str], float] = {}
    for kind, some in groups.items():
        for label in some:
            scores = [validation_uar(one[kind][label]) for one in others.values() if label in one.get(kind, {})]
            if scores:
                means[kind, label] = sum(scores) / len(scores)
    done = {}
    for kind in groups:
        of_kind = {label: mean for (known, label), mean in means.items() if known == kind}
        if of_kind:
            label = max(of_kind, key=of_kind.get)
            done[kind] = System(groups[kind][label], label, OTHERS, of_kind[label])
    if done:
        best = max(done, key=lambda kind: done[kind].uar_validation)
        done["best_system"] = replace(done[best], chosen=word(best))
    return done


def validation_uar(table: pd.DataFrame) -> float:
    """UAR on the validation rows of some predictions."""
    rows = table[table["role"] == "validation"]
    return metrics.uar_of(rows) if len(rows) else float("nan")


def _log(selection: str, protocol: str, done: Mapping[str, System], study: Study) -> None:
    """Every choice and vote that is scored on test rows is a test-set evaluation."""
    names = {kind: f"{selection}/{protocol}/{kind}" for kind in done if kind != "dummy"}
    declared = {
        names[kind]: ledger.declaration_hash([kind, sorted(set(done[kind].predictions["params"].astype(str)))])
        for kind in names
    }
    scores = [ledger.test_uar(done[kind].predictions, experiment=name) for kind, name in names.items()]
    if scores:
        ledger.log_test_evaluations(declared, pd.concat(scores, ignore_index=True), study.store)


def scores(study: Study, done: Mapping[str, Mapping[str, System]]) -> pd.DataFrame:
    """UAR and accuracy of every system with their intervals (``COLUMNS``)."""
    rows = [row for selection, kinds in done.items() for row in _score_rows(study, selection, kinds)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _score_rows(study: Study, selection: str, kinds: Mapping[str, System]) -> list[dict]:
    """One row a kind of one selection."""
    named = [one.predictions.assign(experiment=kind, model=kind, feature="", leak="") for kind, one in kinds.items()]
    random = settings.rng(study.config, settings.SCORES)
    evaluation, clips = study.config.evaluation, study.clips(selection)
    table = tables.scores(pd.concat(named, ignore_index=True), clips, evaluation=evaluation, rng=random)
    by_kind = table[table["metric"].isin(("uar", "accuracy"))].set_index(["experiment", "metric"])
    rows = []
    for kind, one in kinds.items():
        uar, accuracy = by_kind.loc[(kind, "uar")], by_kind.loc[(kind, "accuracy")]
        row = {"corpus": selection, "protocol": uar["protocol"], "system": kind, "chosen": one.chosen}
        row |= {"uar": uar["value"], "uar_low": uar["low"], "uar_high": uar["high"], "interval": uar["interval"]}
        row |= {"accuracy": accuracy["value"], "accuracy_low": accuracy["low"], "accuracy_high": accuracy["high"]}
        row |= {"n": uar["n"], "n_speakers": uar["n_speakers"]}
        rows.append(row | {"uar_validation": one.uar_validation, "chosen_by": one.chosen_by})
    return rows


def comparable(study: Study, *parts: pd.DataFrame) -> pd.DataFrame:
    """What published scores are compared with: ``corpus, protocol, metric, value, low, high``, one system a corpus.

    On new speakers the best system of ``parts`` (tables of ``scores``); on a random split the system of the benchmark
    that is best on validation speakers.
    """
    rows = []
    for table in parts:
        for one in table[table["system"] == "best_system"].itertuples():
            over_clips = one.interval.startswith("clips")  # of these voices only, so it bounds nothing of others
            for metric, value, low, high in (
                ("uar", one.uar, one.uar_low, one.uar_high),
                ("accuracy", one.accuracy, one.accuracy_low, one.accuracy_high),
            ):
                span = {"low": float("nan"), "high": float("nan")} if over_clips else {"low": low, "high": high}
                rows.append({"corpus": one.corpus, "protocol": one.protocol, "metric": metric, "value": value} | span)
    columns = ["corpus", "protocol", "metric", "value", "low", "high"]
    return pd.DataFrame([*rows, *_random_rows(study)], columns=columns)


def _random_rows(study: Study) -> list[dict]:
    """UAR and accuracy on a random split of the system that does best on validation speakers."""
    rows = []
    for selection in declare.able(study):
        declared = [one for one in benchmark.benchmark(study.config, {selection: ["random"]}) if one.model != "dummy"]
        honest = {one: replace(one, protocol=PROTOCOL) for one in declared}
        validation = study.predict_validation(honest.values())
        if not declared:
            continue
        best = max(declared, key=lambda one: validation_uar(validation[honest[one]]))
        scored = study.scores([best], read=LABELS)
        for row in scored[scored["metric"].isin(("uar", "accuracy"))].itertuples():
            head = {"corpus": selection, "protocol": "random", "metric": row.metric}
            rows.append(head | {"value": row.value, "low": row.low, "high": row.high})
    return rows


def levels(study: Study) -> pd.DataFrame:
    """What a score on each selection is compared with, see ``summaries.levels``."""
    return summaries.levels({name: part.clips for name, part in study.selections.items()})
