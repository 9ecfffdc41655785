"""Box plots by emotion, drawn by seaborn in the study's style."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from ser_study.plotting.marks import row_axis
from ser_study.plotting.palette import BOXES, EMOTION_COLOURS, GREY, INK, PAPER, STUDY_COLOURS

WHISKERS = (5, 95)  # percentiles
OUTLIER = {"rasterized": True, "alpha": 0.7, "markerfacecolor": GREY, "markeredgecolor": GREY}  # seen in both themes
MEAN = {"marker": "D", "markerfacecolor": INK, "markeredgecolor": PAPER, "markersize": 5}


def box_table(table: pd.DataFrame, values: Sequence[str], emotions: Sequence[str]) -> pd.DataFrame:
    """What box plots of each emotion show, one row a value and emotion: number, mean, quartiles, ends of whiskers."""
    places = {"percentile 5": 0.05, "quartile 1": 0.25, "median": 0.5, "quartile 3": 0.75, "percentile 95": 0.95}
    parts = []
    for value in values:
        groups = table.groupby("emotion")[value]
        part = groups.quantile(list(places.values())).unstack().set_axis(list(places), axis=1)
        part = groups.agg(n="count", mean="mean").join(part).reindex(emotions).reset_index()
        parts.append(part.assign(quantity=value))
    return pd.concat(parts, ignore_index=True).set_index(["quantity", "emotion"]).reset_index()


def emotion_boxes(
    ax: Axes,
    table: pd.DataFrame,
    value: str,
    emotions: Sequence[str],
    *,
    by_gender: bool = False,
    outliers: bool = True,
    means: bool = False,
) -> None:
    """One horizontal box an emotion: quartiles, whiskers from 5 to 95 %, dots outside; no box where no value is.

    Parameters
    ----------
    table : ``emotion``, the column ``value``, and ``gender`` if ``by_gender``
    emotions : rows, the first on top
    by_gender : two boxes a row, women above men, in the colours of genders and with a legend
    outliers : whether to draw values outside the whiskers
    means : whether to mark the mean with a diamond
    """
    import seaborn

    colours, order = EMOTION_COLOURS, list(emotions)
    if by_gender:
        table = table[table["gender"].isin(["female", "male"])]
        colours, order = STUDY_COLOURS, ["female", "male"]
    seaborn.boxplot(
        table[table[value].notna()], x=value, y="emotion", order=list(emotions), orient="h",
        hue="gender" if by_gender else "emotion", hue_order=order, palette={name: colours[name] for name in order},
        whis=WHISKERS, width=0.72 if by_gender else 0.62, gap=0.1 if by_gender else 0, legend=by_gender,
        medianprops={"linewidth": 2}, showfliers=outliers, flierprops=OUTLIER,
        showmeans=means, meanprops=MEAN, ax=ax, **BOXES,
    )  # fmt: skip
    row_axis(ax, emotions)
    ax.set_ylabel("")
    if by_gender:
        ax.legend(ax.get_legend().legend_handles, ["women", "men"], ncols=2, loc="lower right",
                  bbox_to_anchor=(1, 0.99), borderpad=0, borderaxespad=0)  # fmt: skip
