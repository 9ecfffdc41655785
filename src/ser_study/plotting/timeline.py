"""The timeline of a recording: probabilities over time, one panel a channel, with stretches of speech shaded."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from ser_study.plotting.palette import GREY, MARKERS, canvas, class_colour, styled, svg_text

LINES = ("-", "--", "-.", ":")
MOST_MARKERS = 12  # on a line


@styled
def timeline(channels: Mapping[str, pd.DataFrame], classes: Sequence[str], *, title: str) -> Figure:
    """Probabilities of the classes over time, each window at its middle.

    Parameters
    ----------
    channels : name → windows: ``start``, ``end`` (s), ``speech`` (share) and ``p_<class>``, NaN without speech
    classes : in the order of the legend
    title : of the figure
    """
    figure, axes = canvas(len(channels), 1, height=0.9 + 2.3 * len(channels), title=title, sharex=True)
    for ax, (name, windows) in zip(axes[:, 0], channels.items()):
        middle = (windows["start"] + windows["end"]) / 2
        ax.fill_between(middle, 0, windows["speech"], step="mid", color=GREY, alpha=0.25, lw=0)
        for i, label in enumerate(classes):
            ax.plot(
                middle, windows[f"p_{label}"], color=class_colour(label), label=label, lw=1.2,
                ls=LINES[i % len(LINES)], marker=MARKERS[i % len(MARKERS)], ms=3.5,
                markevery=max(1, len(windows) // MOST_MARKERS),
            )  # fmt: skip
        longest = windows["end"].max() if len(windows) else 1.0
        ax.set(ylim=(0, 1), xlim=(0, longest), ylabel="probability")
        if len(channels) > 1:
            ax.set_title(name)
    axes[-1, 0].set_xlabel("time (s); grey: share of speech")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(8, len(classes)))
    return figure


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
