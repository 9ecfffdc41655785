"""One system under five protocols: on its published list, and where sentences, speakers or the corpus are new.

Conventions
-----------
UAR by corpus, and for several corpora their unweighted mean, under every protocol, so that steps can be compared.
The list and the fresh splits are means over training seeds or splits and have no interval here: their clips share
voices with the training part, so an interval over speakers would say nothing about new ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser_study import splits
from ser_study.config import Config
from ser_study.evaluation import metrics
from ser_study.experiments import run, seed_results, seeds
from ser_study.experiments.seed_results import Row
from ser_study.store import Store
from ser_study.words import listed, minus, share, word

PROTOCOLS = ("seed_list", "seed_fresh", "seed_sentences", "seed_speakers", "seed_corpora")
COLUMNS = ["id", "system", "protocol", "corpus", "n", "n_speakers", "value", "low", "high", "interval"]
MEAN = "mean"
CAPTION = (
    "Lines: interval over speakers, where every corpus has over three. List and fresh splits: mean over training seeds "
    "or splits. A dash: not run, or no other corpus."
)


def table(rows: Sequence[Row], *, config: Config, store: Store) -> pd.DataFrame:
    """UAR of ours and of the rebuilt models under every protocol, by corpus (columns ``COLUMNS``).

    ``corpus`` is what was tested; where there are several, a line ``mean`` follows. Every experiment that is run for
    it is a look at the test rows and is logged.
    """
    lines = [line for row in rows for line in _row_lines(row, config, store)]
    return pd.concat(lines, ignore_index=True)[COLUMNS] if lines else pd.DataFrame(columns=COLUMNS)


def _row_lines(row: Row, config: Config, store: Store) -> list[pd.DataFrame]:
    honest = {"ours": seeds.ours(row.system, row.best["feature"], row.best["model"], config)["honest"]}
    honest |= seeds.honest_rebuilds(row.system, config)
    corpora = row.material.clips["corpus"].unique()
    wanted = {name: seeds.elsewhere(one, corpora) for name, one in honest.items()}
    everything = [one for kinds in wanted.values() for one in kinds.values()]
    done = run.answers(everything, {row.system.selection: row.material}, config=config, store=store)
    lines = []
    for name, kinds in wanted.items():
        known = _known(row, name)
        known |= {kind: done[one] for kind, one in kinds.items()}
        for protocol in PROTOCOLS:
            if protocol in known:
                found = _scores(known[protocol], protocol, row, config)
                lines.append(found.assign(id=row.system.id, system=name, protocol=protocol))
    return lines


def _known(row: Row, name: str) -> dict[str, pd.DataFrame]:
    """What the row holds already, by protocol."""
    if name == "ours":
        kept = {"list": "seed_list", "fresh": "seed_fresh", "honest": "seed_speakers"}
        return {protocol: row.ours[key] for key, protocol in kept.items()}
    return {"seed_list": row.rebuilt[name], "seed_speakers": row.rebuilt_honest[name]}


def _scores(table: pd.DataFrame, protocol: str, row: Row, config: Config) -> pd.DataFrame:
    """By corpus, then the mean: corpus, n, n_speakers, value, low, high, interval."""
    if protocol in ("seed_list", "seed_fresh"):
        parts = _mean_over_draws(table, row.material.clips)
        span = {"low": np.nan, "high": np.nan}
    else:
        parts = seed_results.by_corpus(table, row.material, config)
        honest = seed_results.over_corpora(parts)
        span = {"low": honest["honest_low"], "high": honest["honest_high"]}
    if len(parts) == 1:
        return parts
    whole = {"corpus": MEAN, "n": parts["n"].sum(), "n_speakers": parts["n_speakers"].sum()}
    whole |= {"value": parts["value"].mean(), **span, "interval": ""}
    return pd.concat([parts, pd.DataFrame([whole])], ignore_index=True)


def _mean_over_draws(table: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """UAR of the test rows by corpus, mean over draws; n and speakers are those of one draw."""
    clips = clips.set_index("clip_id")
    test = table[table["role"] == "test"]
    test = test.assign(home=test["clip_id"].map(clips["corpus"]), who=test["clip_id"].map(clips["speaker"]))
    lines = []
    for (corpus, draw), part in test.groupby(["home", "draw"], sort=True):
        head = {"corpus": corpus, "draw": draw, "n": len(part), "n_speakers": part["who"].nunique()}
        lines.append(head | {"value": metrics.uar_of(part)})
    by_corpus = pd.DataFrame(lines).groupby("corpus", sort=True)
    found = by_corpus.agg(n=("n", "first"), n_speakers=("n_speakers", "first"), value=("value", "mean")).reset_index()
    return found.assign(low=np.nan, high=np.nan, interval="")


def whole(shown: pd.DataFrame) -> pd.DataFrame:
    """One line an id, system and protocol: the mean over corpora, or the only corpus."""
    last = shown.groupby(["id", "system", "protocol"], sort=False).tail(1)  # the mean stands last
    return last.reset_index(drop=True)


def title(shown: pd.DataFrame) -> str:
    """The finding of the figure: what is left of our systems' value; a list that splits by actor is left out."""
    apart = [name for name, system in seeds.SYSTEMS.items() if splits.RECIPES[system.split].by_actor]
    ours = whole(shown[~shown["id"].isin(apart)])
    ours = ours[ours["system"] == "ours"].pivot(index="id", columns="protocol", values="value")
    steps = [
        f"{minus(100 * (ours[name] - ours['seed_list']).mean())} points on {word(name)}"
        for name in PROTOCOLS[2:]
        if name in ours and ours[name].notna().any()
    ]
    told = f"Against a list that shares its voices, ours changes on average by {listed(steps)}"
    return told if steps else "Our system on its list and on new speakers"


def words(shown: pd.DataFrame) -> str:
    """Ours from one corpus to another, line by line."""
    across = shown[(shown["system"] == "ours") & (shown["protocol"] == "seed_corpora") & (shown["corpus"] != MEAN)]
    lines = []
    for name, part in across.groupby("id", sort=False):
        told = listed(f"{word(one.corpus)} {share(one.value)}" for one in part.itertuples())
        lines.append(f"- **{name}**, trained on the other corpora of its list only: {told} (UAR).")
    return "\n".join(lines)
