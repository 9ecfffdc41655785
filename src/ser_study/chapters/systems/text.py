"""Titles, captions and sentences of the chapter, computed from its tables."""

from __future__ import annotations

import pandas as pd

from ser_study import features
from ser_study.chapters.systems.tables import OTHERS
from ser_study.config import Config
from ser_study.wording import Caption, interval, listed, minus, share, signed, voices, word

NO_SYSTEM = (
    "No selection of this run has new speakers to test on, so there is no system to choose; chapter 03 says why."
)


def introduction(config: Config) -> str:
    """Which encoders take part, and why others do not."""
    names = list(dict.fromkeys(part for name in config.benchmark.encoders for part in name.split("+")))
    lost = {name: reason for name in names if (reason := features.unavailable(name, config))}
    here = [features.get(name).title for name in names if name not in lost]
    words = f"Encoders: {listed(here)}. " if here else "No pretrained encoder takes part in this run. "
    return words + " ".join(f"{features.get(name).title} is left out: {why}" for name, why in lost.items())


def systems_title(table: pd.DataFrame) -> str:
    """How far the best system is above the best on hand-crafted features."""
    wide = table.pivot_table(index="corpus", columns="system", values="uar", sort=False)
    if not {"hand_crafted", "best_system"} <= set(wide.columns):
        return "Every kind of system on new speakers"
    gain = (100 * (wide["best_system"] - wide["hand_crafted"])).dropna()
    least, most = gain.idxmin(), gain.idxmax()
    from_least = f"{minus(gain[least], 0)} ({word(least)}) to " if len(gain) > 1 else ""
    ends = f"{from_least}{minus(gain[most], 0)} points ({word(most)})"
    return f"On new speakers the best system scores {ends} above the one chosen on hand-crafted features"


def systems_figure(table: pd.DataFrame) -> Caption:
    """Every kind of system."""
    if table.empty:
        return Caption("system_scores", "", empty=NO_SYSTEM)
    words = (
        "UAR on speakers that were in no training part, with its interval. In each fold the candidate with the best "
        "score on inner folds of the other speakers is fitted on all of them and predicts the test speakers once."
    )
    best = table[table["system"] == "best_system"]
    each = [f"{word(row.corpus)} {share(row.uar)}" for row in best.itertuples()]
    return Caption(
        "systems", words, alt=f"{systems_title(table)}. Best of all: {listed(each)}.", finding=finding(table), lead=True
    )


def systems_table(table: pd.DataFrame) -> Caption:
    """The same with accuracy, what was chosen, and the score it was chosen by."""
    labels = {"uar_low": "UAR, from", "uar_high": "UAR, to", "accuracy_low": "accuracy, from"}
    labels |= {"accuracy_high": "accuracy, to", "uar_validation": "UAR, inner folds", "chosen_by": "chosen by"}
    words = "Every kind of system on new speakers: what was chosen, and its scores on test speakers."
    return Caption("systems", words, empty=NO_SYSTEM, labels=labels, page_length=20)


def finding(table: pd.DataFrame) -> str:
    """The best system of every corpus, what it is, and its distance to the best classical one."""
    lines = []
    for corpus, rows in table.groupby("corpus", sort=False):
        by_kind = rows.set_index("system")
        if "best_system" not in by_kind.index:
            continue
        best = by_kind.loc["best_system"]
        score = interval(best["uar"], best["uar_low"], best["uar_high"]) + voices(best["interval"])
        line = f"- **{word(corpus)}**: {score}, {best['chosen']}"
        if "hand_crafted" in by_kind.index:
            points = 100 * (best["uar"] - by_kind.loc["hand_crafted", "uar"])
            line += f"; hand-crafted features {share(by_kind.loc['hand_crafted', 'uar'])} ({signed(points)} points)"
        tail = " Chosen by the other corpora, since two speakers leave none to choose by." * (
            best["chosen_by"] == OTHERS
        )
        lines.append(f"{line}.{tail}")
    return "\n".join(lines)


def one_out(table: pd.DataFrame, config: Config) -> Caption:
    """One speaker left out at a time."""
    labels = systems_table(table).labels
    empty = "No selection of this run has speakers that are tested one by one beside folds of several."
    if not config.benchmark.one_out:
        empty = "Not part of this run; `--set benchmark.one_out=true` adds it, and the preset `full` has it."
    words = "The same with one speaker left out at a time, so that more speakers remain for training."
    return Caption("systems_one_out", words, empty=empty, labels=labels, finding=finding(table), page_length=20)


def protocols(long: pd.DataFrame) -> Caption:
    """One system of each kind on every protocol, of ``protocols.scores``."""
    if long.empty:
        return Caption("systems_protocols", "", empty=NO_SYSTEM)
    used = set(long["protocol"])
    words = (
        "UAR with its interval: one recipe of each kind, named by the inner folds of new speakers and tuned anew in "
        "every protocol. Another corpus: trained on all others, tested on the six classes that they share, by the best "
        "recipe on features that every corpus has. One recipe for all folds is chosen here, so on new speakers its "
        "score can lie above that of the choice in each fold. Empty: not run, since votes, networks from scratch and "
        "training with other corpora were scored on new speakers only."
    )
    more = {"only_csv": ("n_common",) if "cross_corpus" in used else (), "page_length": 50}
    return Caption("systems_protocols", words, finding=protocol_costs(long), labels={"chosen": "recipe"}, **more)


def protocol_costs(long: pd.DataFrame) -> str:
    """What new speakers and another corpus cost the encoder, and the hand-crafted features, on every corpus."""
    lines = []
    for corpus, rows in long.groupby("corpus", sort=False):
        parts = []
        for kind in ("hand_crafted", "encoder_head"):
            uar = rows[rows["system"] == kind].set_index("protocol")["uar"]
            if {"random", "speaker_independent"} <= set(uar.index):
                parts.append(f"{word(kind)} {signed(100 * (uar['speaker_independent'] - uar['random']))}")
        if parts:
            lines.append(f"{word(corpus)}: {listed(parts)}")
    few = dict.fromkeys(long.loc[long["interval"].fillna("").map(voices) != "", "corpus"])
    note = f"Intervals of {listed(map(word, few))} hold for these voices only. " if few else ""
    cost = f"From a random split to new speakers, in points: {'; '.join(lines)}." if lines else ""
    return note + cost
