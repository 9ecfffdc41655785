"""The timeline of a recording: probabilities over time, one panel a channel, with stretches of speech shaded."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ser_study.plotting.palette import GREY, MARKERS, canvas, class_colour, styled, svg_text

LINES = ("-", "--", "-.", ":")
MOST_MARKERS = 12  # on a line


@styled
def timeline(channels: Mapping[str, pd.DataFrame], classes: Sequence[str], *, title: str) -> Figure:
    """Probabilities of the classes over time.

    Parameters
    ----------
    channels : name → windows: ``start``, ``end`` (s), ``speech`` (share) and ``p_<class>``, NaN without speech
    classes : in the order of the legend
    title : of the figure
    """
    figure, axes = canvas(len(channels), 1, height=0.9 + 2.3 * len(channels), title=title, sharex=True)
    for ax, (name, windows) in zip(axes[:, 0], channels.items()):
        _shade(ax, windows)
        for i, label in enumerate(classes):
            ax.plot(
                windows["end"], windows[f"p_{label}"], color=class_colour(label), label=label, lw=1.2,
                ls=LINES[i % len(LINES)], marker=MARKERS[i % len(MARKERS)], ms=3.5,
                markevery=max(1, len(windows) // MOST_MARKERS),
            )  # fmt: skip
        longest = windows["end"].max() if len(windows) else 1.0
        ax.set(ylim=(0, 1), xlim=(0, longest), ylabel="probability")
        if len(channels) > 1:
            ax.set_title(name)
    axes[-1, 0].set_xlabel("time (s); shaded: speech")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(8, len(classes)))
    return figure


def _shade(ax, windows: pd.DataFrame) -> None:
    """Grey as high as the share of speech in each window, over the step that ends with it."""
    ends = windows["end"].to_numpy()
    starts = np.concatenate([[0.0], ends[:-1]]) if len(ends) else ends
    times = np.column_stack([starts, ends]).ravel()
    shares = np.repeat(windows["speech"].to_numpy(float), 2)
    ax.fill_between(times, 0, shares, color=GREY, alpha=0.25, lw=0)


def page(figure: Figure, sentences: Sequence[str]) -> str:
    """One HTML page that needs nothing else: the figure and sentences under it."""
    notes = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Emotion over time</title>\n'
        "<style>body{font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1f;"
        "background:#fffffe}svg{max-width:100%;height:auto}</style></head>\n<body>\n"
        f"{_svg(figure)}\n<ul>{notes}</ul>\n"
        "</body></html>\n"
    )


def _svg(figure: Figure) -> str:
    """The figure without the declarations that belong to a file of its own."""
    text = svg_text(figure)
    return text[text.index("<svg") :]
