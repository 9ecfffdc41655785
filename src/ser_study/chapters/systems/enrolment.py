"""A few clips of a new speaker, without labels: what they add to the score (transductive, by itself)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from ser_study.chapters.systems import declare, protocols
from ser_study.experiments import enrolment
from ser_study.experiments.enrolment import ALL, MODES
from ser_study.experiments.experiment import Experiment
from ser_study.plotting.marks import hide_rest, need
from ser_study.plotting.palette import SPARE_COLOURS, canvas, styled
from ser_study.study import Study
from ser_study.wording import Caption, listed, share, span, word

COLOURS = dict(zip(MODES, SPARE_COLOURS))
EMPTY = "No selection of this run has three speakers who say several emotions each."
KINDS = ("encoder_head", "hand_crafted")  # the first that a selection has gives the features


def curves(study: Study, recipes: protocols.Recipes) -> pd.DataFrame:
    """``enrolment.COLUMNS`` of every selection that is able to, on the features of its recipe."""
    features = {name: next((kinds[k].feature for k in KINDS if k in kinds), "") for name, kinds in recipes.items()}
    able = [name for name, feature in features.items() if feature and enrolment.able(study.selections[name])]
    chosen = [Experiment(name, declare.PROTOCOL, features[name], declare.HEAD) for name in able]
    return enrolment.curves(chosen, study.selections, config=study.config, store=study.store)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and range of the draws: ``corpus, mode, enrolled, uar, lowest, highest, draws, n``."""
    grouped = table.groupby(["corpus", "mode", "enrolled"], sort=False)
    short = grouped.agg(
        uar=("uar", "mean"),
        lowest=("uar", "min"),
        highest=("uar", "max"),
        draws=("draw", "size"),
        n=("n", "first"),
    ).reset_index()
    return short.assign(enrolled=short["enrolled"].map(lambda count: "all" if count == ALL else str(count)))


@styled
def figure(short: pd.DataFrame) -> Figure | None:
    """UAR against the number of enrolled clips, one panel a selection, one line a way to choose them.

    Parameters
    ----------
    short : of ``summary``; without rows: None
    """
    if short.empty:
        return None
    need(short, ("corpus", "mode", "enrolled", "uar", "lowest", "highest"), what="enrolment")
    parts = list(short.groupby("corpus", sort=False))
    ticks = [*map(str, enrolment.COUNTS), "all"]
    columns = min(len(parts), 2)
    rows = -(-len(parts) // columns)
    title = caption_title(short)
    drawn, axes = canvas(rows, columns, height=0.9 + 2.3 * rows, title=title, sharex=True, sharey=True)
    for ax, (corpus, some) in zip(axes.flat, parts):
        start = some[some["enrolled"] == "0"]
        for mode, line in some.groupby("mode", sort=False):
            line = line if mode == MODES[0] else pd.concat([start, line])
            x = [ticks.index(count) for count in line["enrolled"]]
            inside = line["enrolled"] != "all"
            place = [at for at, kept in zip(x, inside) if kept]
            ax.plot(place, line.loc[inside, "uar"], "o-", color=COLOURS[mode], markersize=4, label=word(mode))
            ax.fill_between(place, line.loc[inside, "lowest"], line.loc[inside, "highest"], color=COLOURS[mode],
                            alpha=0.15, linewidth=0)  # fmt: skip
        whole = some[some["enrolled"] == "all"]
        ax.plot([len(ticks) - 1] * len(whole), whole["uar"], "D", color=COLOURS[MODES[0]], markersize=5)
        ax.set_title(word(corpus), loc="left")
        ax.set_xticks(range(len(ticks)), ticks)
    for ax in axes[-1]:
        ax.set_xlabel("enrolled clips a speaker")
    for ax in axes[:, 0]:
        ax.set_ylabel("UAR (0–1)")
        ax.yaxis.set_major_formatter(lambda value, _: share(value, 2))
    hide_rest(axes, len(parts))
    handles, labels = axes.flat[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower left", ncols=3)
    return drawn


def caption_title(short: pd.DataFrame) -> str:
    """What all clips of a speaker are worth."""
    uar = short[short["mode"] == MODES[0]].pivot_table(index="corpus", columns="enrolled", values="uar", sort=False)
    gain = 100 * (uar["all"] - uar["0"])
    return f"Knowing a speaker's mean is worth {span(gain)} points"


def caption(short: pd.DataFrame) -> Caption:
    """The figure and the table."""
    if short.empty:
        return Caption("enrolment", "", empty=EMPTY)
    words = (
        "Transductive UAR: the mean of some unlabelled clips of the test speaker is subtracted from the speaker's "
        "other clips, which are scored. Bands hold all draws. At the right every clip is enrolled and scored, which is "
        "what papers call speaker normalisation. With one emotion enrolled, or neutral clips only, the mean is that "
        "of a mood, not of a voice."
    )
    return Caption("enrolment", words, alt=f"{caption_title(short)}.", finding=finding(short), empty=EMPTY, lead=True)


def in_words(short: pd.DataFrame) -> pd.DataFrame:
    """The table as readers see it."""
    return short.assign(mode=short["mode"].map(word)).rename(columns={"mode": "enrolled clips are"})


def table_caption(short: pd.DataFrame) -> Caption:
    """The numbers of the figure."""
    words = "Transductive UAR by enrolled clips: mean, lowest and highest of the draws; clips that are scored."
    return Caption("enrolment", words, empty=EMPTY)


def finding(short: pd.DataFrame) -> str:
    """What ten clips, and all, are worth on each selection."""
    lines = []
    for corpus, some in short[short["mode"] == MODES[0]].groupby("corpus", sort=False):
        uar = some.set_index("enrolled")["uar"]
        ten = f", {share(uar['10'])} with ten clips" if "10" in uar else ""
        lines.append(f"{word(corpus)} {share(uar['0'])} without enrolment{ten} and {share(uar['all'])} with all")
    return (
        f"{listed(lines)}. Where nothing can be centred, a model of centred clips does worse than one of plain clips, "
        "so the first of these numbers is no score of a system above. All others use clips of the test speakers."
    )
