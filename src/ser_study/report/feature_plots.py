"""Pictures of features: contours of one clip, and how much of each feature is emotion or voice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from ser_study.report.marks import hide_rest, need, tile_labels, tiles
from ser_study.report.palette import GREY, INK, MAP, PAPER, canvas, styled
from ser_study.words import word

FAMILY_MARKS = {  # family → colour, marker
    "loudness": ("#bd3800", "s"),
    "pitch": ("#0a8ce4", "^"),
    "rhythm": ("#2f9b52", "D"),
    "timbre": ("#8b78a8", "o"),
}
LINES = {  # contour → axis label, colour
    "loudness_db": ("loudness\n(dB)", FAMILY_MARKS["loudness"][0]),
    "f0_hz": ("F0 (Hz)", FAMILY_MARKS["pitch"][0]),
    "centroid_hz": ("centroid\n(kHz)", FAMILY_MARKS["timbre"][0]),
}
FLOOR = -66.0  # dB below the loudest point, the darkest tone of a spectrogram
MANY = 500  # dots; more are drawn as an image
NAMED = 3  # features named in a panel
LEADER = {"arrowstyle": "-", "color": GREY, "linewidth": 0.8, "shrinkB": 4}  # from name to dot


@styled
def contours(told: Mapping[str, np.ndarray], *, title: str) -> Figure:
    """Loudness, pitch and spectral centroid of one clip below its spectrogram, on one time axis.

    Parameters
    ----------
    told : ``time`` (s), ``loudness_db``, ``f0_hz`` (NaN where unvoiced), ``centroid_hz``, all (t,),
        ``mel_db`` (t, bands) and ``mel_hz`` (bands,)

    Raises
    ------
    ValueError
        A contour is missing or has another length than ``time``.
    """
    for name in ("time", *LINES, "mel_db"):
        if name not in told or len(told[name]) != len(told["time"]):
            raise ValueError(f"The contours need {name!r} with one value a frame; they have {', '.join(told)}.")
    figure, axes = canvas(4, 1, height=5.6, title=title, sharex=True, gridspec_kw={"height_ratios": [1.7, 1, 1, 1]})
    mel_image(axes[0, 0], told)
    for ax, (name, (label, colour)) in zip(axes[1:, 0], LINES.items()):
        values = told[name] / (1000 if name == "centroid_hz" else 1)
        ax.plot(told["time"], values, color=colour, linewidth=1.6, marker="." if name == "f0_hz" else "", markersize=4)
        ax.set_ylabel(label)
        ax.grid(axis="y")
        ax.margins(x=0)
    if not np.isfinite(told["f0_hz"]).any():
        axes[2, 0].text(0.5, 0.5, "no frame is voiced", transform=axes[2, 0].transAxes, ha="center", va="center")
        axes[2, 0].set_yticks([])
    axes[-1, 0].set_xlabel("time (s)")
    figure.align_ylabels(axes[:, 0])
    return figure


def mel_image(ax: Axes, told: Mapping[str, np.ndarray]) -> AxesImage:
    """The mel spectrogram of one clip (see ``contours``); 3 dB steps keep the embedded image small."""
    level = told["mel_db"].T - told["mel_db"].max()
    n_bands, last = len(level), float(told["time"][-1])
    image = ax.imshow(np.clip(np.round(level / 3) * 3, FLOOR, 0), origin="lower", aspect="auto", cmap=MAP,
                      vmin=FLOOR, vmax=0, extent=(0, max(last, 1e-3), -0.5, n_bands - 0.5),
                      interpolation="none")  # fmt: skip
    ticks = [hertz for hertz in (250, 1000, 4000) if hertz < told["mel_hz"][-1]]
    places = [float(np.interp(hertz, told["mel_hz"], np.arange(n_bands))) for hertz in ticks]
    ax.set_yticks(places, [f"{hertz / 1000:g}" for hertz in ticks])
    ax.set_ylabel("frequency\n(kHz, mel)")
    ax.spines[:].set_visible(False)
    return image


@styled
def variance(shares: pd.DataFrame, *, title: str) -> Figure:
    """Share of each feature's variance between emotions against that between speakers, one panel a corpus.

    Parameters
    ----------
    shares : ``corpus``, ``feature``, ``family`` (of ``FAMILY_MARKS``), ``emotion`` and ``speaker`` (η², 0 to 1)

    Raises
    ------
    ValueError
        A column is missing, there is no row, or a family is unknown.
    """
    need(shares, ("corpus", "feature", "family", "emotion", "speaker"), what="variance")
    if strange := sorted(set(shares["family"]) - set(FAMILY_MARKS)):
        raise ValueError(f"Unknown feature family {strange[0]!r}; known: {', '.join(FAMILY_MARKS)}.")
    names = list(dict.fromkeys(shares["corpus"]))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    top = max(102.0, 100 * shares["emotion"].max() + 40)  # room for the names
    width = 8.8 if columns == 3 else 3.6 * columns + 0.4
    figure, axes = canvas(rows, columns, height=1.1 + 3.5 * rows, width=width, title=title, sharex=True, sharey=True)
    for place, (ax, name) in enumerate(zip(axes.flat, names)):
        _cloud(ax, shares[shares["corpus"] == name], top=top, as_image=len(shares) > MANY)
        ax.set_title(word(name))
        ax.tick_params(labelbottom=place + columns >= len(names), labelleft=place % columns == 0)
        if place + columns >= len(names):
            ax.set_xlabel("between speakers (η², %)")
        if place % columns == 0:
            ax.set_ylabel("between emotions (η², %)")
    hide_rest(axes, len(names))
    handles = [Line2D([], [], color=tone, marker=mark, linestyle="", label=kind, markersize=6)
               for kind, (tone, mark) in FAMILY_MARKS.items() if (shares["family"] == kind).any()]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
    return figure


@styled
def correlation(table: pd.DataFrame, *, title: str) -> Figure:
    """Correlation matrix as tiles, size (strength) by colour and sign in the text.

    Parameters
    ----------
    table : square, −1 to 1, the same names on both sides

    Raises
    ------
    ValueError
        The table is empty or its sides differ.
    """
    if table.empty or list(table.index) != list(table.columns):
        raise ValueError(f"A correlation matrix has the same names on both sides; found {table.shape}.")
    figure, axes = canvas(1, 1, height=2.2 + 0.36 * len(table), title=title)
    values = table.to_numpy(float)
    texts = np.char.replace(np.char.mod("%.1f", np.round(values, 1) + 0.0), "-", "−")
    drawn = tiles(axes[0, 0], np.abs(values), limits=(0, 1), texts=texts)
    tile_labels(axes[0, 0], list(table.index), list(table.columns), angle=40)
    figure.colorbar(drawn, ax=axes[0, 0], label="strength |r|", shrink=0.8, aspect=30).outline.set_visible(False)
    return figure


def _cloud(ax: Axes, table: pd.DataFrame, *, top: float, as_image: bool) -> None:
    """The dots of one corpus, the diagonal, and the names of the features with most emotion above the dots."""
    ax.plot([0, 100], [0, 100], color=INK, linestyle=":", linewidth=1.2)
    for kind in reversed(FAMILY_MARKS):
        tone, mark = FAMILY_MARKS[kind]
        here = table[table["family"] == kind]
        ax.plot(100 * here["speaker"], 100 * here["emotion"], mark, color=tone, markersize=4, mew=0, alpha=0.75,
                rasterized=as_image)  # fmt: skip
    most = table.sort_values(["emotion", "feature"], ascending=[False, True], kind="stable").head(NAMED)
    _name(ax, most.sort_values("emotion", kind="stable"))
    ax.set(xlim=(-2, 102), ylim=(-2, top))
    ax.set_xticks([0, 25, 50, 75, 100])
    ax.set_yticks([0, 25, 50, 75, 100])
    ax.spines["left"].set_bounds(-2, 100)
    ax.grid(visible=True)


def _name(ax: Axes, most: pd.DataFrame) -> None:
    """Ring the dots with most emotion and write their names above them, where no other dot can be."""
    across, highest = 100 * most["speaker"], 100 * most["emotion"].max()
    is_left = across.mean() < 50
    edge = min(across.max() + 12, 46) if is_left else max(across.min() - 12, 54)
    for line, row in enumerate(most.itertuples()):
        point, place = (100 * row.speaker, 100 * row.emotion), (edge, highest + 10 + 10 * line)
        ax.plot(*point, "o", markersize=8, color="none", markeredgecolor=FAMILY_MARKS[row.family][0], mew=1.2)
        ax.annotate(row.feature, point, place, ha="left" if is_left else "right", va="center", color=INK,
                    bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.6},  # over the diagonal
                    arrowprops={**LEADER, "relpos": (0 if is_left else 1, 0.5)})  # fmt: skip
