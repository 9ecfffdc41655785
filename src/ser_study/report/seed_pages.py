"""The section of one student system in chapter 08: sentence, slices, leak-free values, and what fits the system."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ser_study.config import Config
from ser_study.experiments import league_tables, seed_comparisons, seed_results, seed_words
from ser_study.experiments.seed_results import Row
from ser_study.report import matrix_plots, show
from ser_study.store import Store
from ser_study.words import word


def section(system_id: str, rows: Sequence[Row], *, config: Config, store: Store) -> None:
    """Show everything of one system; of a system that was not run, the published numbers only."""
    show.say(seed_words.section(system_id, rows))
    row = next((row for row in rows if row.system.id == system_id), None)
    if row is None:
        return
    name = system_id.lower()
    labels = {"n": "clips", "value": "UAR", "n_speakers": "speakers", "low": "from", "high": "to", "interval": "over"}
    show.table(
        store,
        leak_free(row, config),
        f"{name}_new_speakers",
        caption="UAR when no speaker is on both sides, by corpus.",
        labels=labels,
    )
    if row.material.clips["corpus"].nunique() > 1:
        table = seed_comparisons.slices(row)
        titles = labels | {"clips": "part"} | {column: word(column) for column in table.columns[3:]}
        show.table(store, table, f"{name}_slices", caption="Accuracy on the list by corpus.", labels=titles)
    panels = seed_comparisons.confusions(row)
    title = league_tables.confusion_title(f"{system_id}, new speakers", *panels[-1][1:])
    show.figure(
        store,
        matrix_plots.confusions(panels, title=title, unit="answers"),
        f"{name}_confusion",
        alt=title,
        caption="Shares of each true class and number of answers, training seeds together"
        + ("; sixteen classes read as eight emotions." if row.system.scheme == "16" else "."),
    )
    if row.system.scheme == "16":
        table = seed_comparisons.collapsed(row)
        words = "Sixteen classes read as emotion or gender: by the winning class, or by summed probabilities."
        show.table(store, table, f"{name}_collapsed", caption=words, labels={"uar": "UAR"})
    parts = seed_comparisons.channels(row, config)
    if len(parts):
        words = "Ours on new speakers by channel, intensity and gender; only classes that both parts have."
        show.table(store, parts, f"{name}_parts", caption=words, labels=labels)
        if said := seed_words.intensity_words(parts):
            show.say(said)


def leak_free(row: Row, config: Config) -> pd.DataFrame:
    """UAR by corpus on new speakers, of ours and of the rebuilt models that were run there."""
    told = {"ours": row.ours["honest"], **row.rebuilt_honest}
    tables = [
        seed_results.by_corpus(table, row.material, config).assign(system=word(name)) for name, table in told.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[["system", *[column for column in table.columns if column != "system"]]]
