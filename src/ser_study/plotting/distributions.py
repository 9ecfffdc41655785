"""Box plots by emotion and tables of counts as heat maps, drawn by seaborn in the study's style."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from ser_study.plotting.marks import readable, row_axis
from ser_study.plotting.palette import BOXES, EMOTION_COLOURS, INK, MAP, PAPER, STUDY_COLOURS

WHISKERS = (5, 95)  # percentiles
MEAN = {"marker": "D", "markerfacecolor": INK, "markeredgecolor": PAPER, "markersize": 5}


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
        medianprops={"linewidth": 2}, showfliers=outliers, flierprops={"rasterized": True, "alpha": 0.7},
        showmeans=means, meanprops=MEAN, ax=ax, **BOXES,
    )  # fmt: skip
    row_axis(ax, emotions)
    ax.set_ylabel("")
    if by_gender:
        ax.legend(ax.get_legend().legend_handles, ["women", "men"], ncols=2, loc="lower right",
                  bbox_to_anchor=(1, 0.99), borderpad=0, borderaxespad=0)  # fmt: skip


def count_tiles(ax: Axes, table: pd.DataFrame, *, label: str, written: bool) -> None:
    """A heat map of counts; cells without a count stay empty.

    Parameters
    ----------
    table : index the rows, columns the columns; NaN where there is none
    label : of the colour bar
    written : whether to write the number into each cell
    """
    import seaborn

    seaborn.heatmap(
        table, ax=ax, cmap=MAP, vmin=0, annot=written, fmt=".0f", linewidths=1 if written else 0.4, linecolor=PAPER,
        cbar_kws={"label": label, "pad": 0.01},
    )  # fmt: skip
    for number in ax.texts:
        number.set_color(readable(ax.collections[0].to_rgba(float(number.get_text()))))
    ax.set(xlabel="", ylabel="")
    ax.tick_params(length=0)
    ax.tick_params(axis="x", rotation=90 if table.shape[1] * max(map(len, map(str, table.columns))) > 72 else 0)
    ax.tick_params(axis="y", rotation=0)
