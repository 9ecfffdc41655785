"""Pictures of features: one clip frame by frame, and how much of each feature is emotion or voice.

Every function returns None where there is nothing to draw; the caption then says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from ser_study.chapters.features import text
from ser_study.plotting.marks import hide_rest, need
from ser_study.plotting.matrices import heat_map
from ser_study.plotting.palette import GREY, INK, MAP, PAPER, canvas, styled
from ser_study.plotting.spectrograms import enveloped, mel_spectrogram
from ser_study.wording import minus, word

FAMILY_MARKS = {  # family → colour, marker
    "loudness": ("#bd3800", "s"),
    "pitch": ("#0a8ce4", "^"),
    "rhythm": ("#2f9b52", "D"),
    "timbre": ("#8b78a8", "o"),
}
LOUDNESS, PITCH, TIMBRE = (FAMILY_MARKS[family][0] for family in ("loudness", "pitch", "timbre"))
ROLLOFF = "#2f9b52"
CONTOURS = {  # contour → axis label, colour
    "loudness_db": ("loudness\n(dB)", LOUDNESS),
    "f0_hz": ("F0 (Hz)", PITCH),
    "centroid_hz": ("centroid\n(kHz)", TIMBRE),
}
CURVES = ("envelope", "rms", "zcr", "centroid_hz", "rolloff_hz")
IMAGES = ("mel_db", "chroma", "mfcc")
FRAME_LABELS = (
    *("amplitude\n(of full scale)", "RMS\n(of full scale)", "zero crossings\n(% of samples)", "frequency\n(kHz)"),
    *("log-mel\nfrequency (kHz)", "chroma\n(pitch class)", "MFCC\n(coefficient)"),
)
NOTES = {0: "C", 4: "E", 8: "G♯"}  # of the twelve pitch classes, those that are named
TONES = 24  # of an image; few keep the embedded picture small
MANY = 500  # dots; more are drawn as an image
NAMED = 3  # features named in a panel
LEADER = {"arrowstyle": "-", "color": GREY, "linewidth": 0.8, "shrinkB": 4}  # from name to dot


@styled
def contours(frames: Mapping[str, Any]) -> Figure | None:
    """Loudness, pitch and spectral centroid of one clip below its spectrogram, on one time axis.

    Parameters
    ----------
    frames : from ``frames.frame_by_frame``; empty where there is no sound

    Raises
    ------
    ValueError
        A contour is missing or has another length than ``time``.
    """
    if not frames:
        return None
    _check_frames(frames, (*CONTOURS, "mel_db"))
    figure, axes = canvas(4, 1, height=5.6, title=text.contours_title(frames), sharex=True,
                          gridspec_kw={"height_ratios": [1.7, 1, 1, 1]})  # fmt: skip
    mel_spectrogram(axes[0, 0], frames)
    axes[0, 0].set_ylabel("frequency\n(kHz, mel)")
    for ax, (name, (label, colour)) in zip(axes[1:, 0], CONTOURS.items()):
        values = frames[name] / (1000 if name == "centroid_hz" else 1)
        ax.plot(frames["time"], values, color=colour, linewidth=1.6, marker="." if name == "f0_hz" else "",
                markersize=4)  # fmt: skip
        ax.set_ylabel(label)
        ax.grid(axis="y")
        ax.margins(x=0)
    if not np.isfinite(frames["f0_hz"]).any():
        axes[2, 0].text(0.5, 0.5, "no frame is voiced", transform=axes[2, 0].transAxes, ha="center", va="center")
        axes[2, 0].set_yticks([])
    axes[-1, 0].set_xlabel("time (s)")
    figure.align_ylabels(axes[:, 0])
    figure.data = pd.DataFrame({name: frames[name] for name in ("time", *CONTOURS)})
    return figure


@styled
def frame_features(frames: Mapping[str, Any]) -> Figure | None:
    """Waveform with envelope, RMS, zero crossings, centroid and roll-off, log-mel, chroma and MFCC of one clip.

    Parameters
    ----------
    frames : from ``frames.frame_by_frame``; empty where there is no sound

    Raises
    ------
    ValueError
        A feature is missing or has another length than ``time``.
    """
    if not frames:
        return None
    _check_frames(frames, (*CURVES, *IMAGES))
    figure, axes = canvas(7, 1, height=8.8, title=text.frames_title(frames), sharex=True,
                          gridspec_kw={"height_ratios": [1.2, 0.8, 0.8, 1, 1.4, 1.2, 1.4]})  # fmt: skip
    wave, level, crossings, shape, mel, notes, cepstrum = axes[:, 0]
    enveloped(wave, frames, LOUDNESS, limit=max(float(np.max(frames["envelope"])), 1e-6))
    _curve(level, frames["time"], frames["rms"], LOUDNESS)
    _curve(crossings, frames["time"], 100 * frames["zcr"], TIMBRE)
    _curve(shape, frames["time"], frames["rolloff_hz"] / 1000, ROLLOFF, line="--", name="roll-off")
    _curve(shape, frames["time"], frames["centroid_hz"] / 1000, TIMBRE, name="centroid")
    shape.legend(loc="center left", bbox_to_anchor=(1, 0.5), handlelength=1.4).set_in_layout(False)
    _bar(figure, mel, mel_spectrogram(mel, frames), "level (dB below\nthe loudest)")
    _bar(figure, notes, _image(notes, frames, frames["chroma"], limits=(0, 1)), "share of the\nstrongest (0–1)")
    notes.set_yticks(list(NOTES), NOTES.values())
    ordinary = frames["mfcc"][:, 1:]  # the first is the level and would outshine all others
    most = max(float(np.percentile(np.abs(ordinary), 97)), 1e-6)  # so would the largest of the rest
    image = _image(cepstrum, frames, ordinary, limits=(-most, most), first=1)
    _bar(figure, cepstrum, image, "value (dB)", extend="both")
    cepstrum.set_xlabel("time (s)")
    for ax, label in zip(axes[:, 0], FRAME_LABELS):
        ax.set_ylabel(label, rotation=0, ha="right", va="center")
    wave.set_xlim(0, len(frames["signal"]) / frames["sample_rate"])
    figure.align_ylabels(axes[:, 0])
    figure.data = pd.DataFrame({name: frames[name] for name in ("time", *CURVES)})
    return figure


@styled
def variance(shares: pd.DataFrame) -> Figure | None:
    """Share of each feature's variance between emotions against that between speakers, one panel a corpus.

    Parameters
    ----------
    shares : from ``tables.variance``

    Raises
    ------
    ValueError
        A column is missing, or a family is unknown.
    """
    if shares.empty:
        return None
    need(shares, ("corpus", "feature", "family", "emotion", "speaker"), what="variance")
    if strange := sorted(set(shares["family"]) - set(FAMILY_MARKS)):
        raise ValueError(f"Unknown feature family {strange[0]!r}; known: {', '.join(FAMILY_MARKS)}.")
    names = list(dict.fromkeys(shares["corpus"]))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    top = max(102.0, 100 * shares["emotion"].max() + 40)  # room for the names
    figure, axes = canvas(rows, columns, height=1.1 + 3.5 * rows, width=8.8 if columns == 3 else 3.6 * columns + 0.4,
                          title=text.variance_title(shares), sharex=True, sharey=True)  # fmt: skip
    for place, (ax, name) in enumerate(zip(axes.flat, names)):
        _cloud(ax, shares[shares["corpus"] == name], top=top, as_image=len(shares) > MANY)
        is_first, is_lowest = place % columns == 0, place + columns >= len(names)
        ax.set_title(word(name))
        ax.tick_params(labelbottom=is_lowest, labelleft=is_first)
        ax.set(xlabel="variance between speakers (%)" if is_lowest else "",
               ylabel="variance between emotions (%)" if is_first else "")  # fmt: skip
    hide_rest(axes, len(names))
    handles = [Line2D([], [], color=tone, marker=mark, linestyle="", label=kind, markersize=6)
               for kind, (tone, mark) in FAMILY_MARKS.items() if (shares["family"] == kind).any()]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
    return figure


@styled
def correlations(table: pd.DataFrame) -> Figure | None:
    """Correlation matrix as a heat map, strength by colour and sign in the text.

    Parameters
    ----------
    table : from ``tables.correlations``: square, −1 to 1, the same names on both sides

    Raises
    ------
    ValueError
        The sides differ.
    """
    if table.empty:
        return None
    if list(table.index) != list(table.columns):
        raise ValueError(f"A correlation matrix has the same names on both sides; found {table.shape}.")
    figure, axes = canvas(1, 1, height=2.2 + 0.36 * len(table), title=text.correlations_title(table))
    bar = {"label": "strength |r| (0–1)", "shrink": 0.8, "aspect": 30}
    texts = table.map(lambda r: minus(r, 1)).to_numpy()
    heat_map(axes[0, 0], table.abs(), texts, limits=(0, 1), bar=bar, rotation=40)
    return figure


def _check_frames(frames: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in ("time", *names):
        if name not in frames or len(frames[name]) != len(frames["time"]):
            raise ValueError(f"The figure needs {name!r} with one value a frame; it has {', '.join(frames)}.")


def _curve(ax: Axes, time: np.ndarray, values: np.ndarray, colour: str, *, line: str = "-", name: str = "") -> None:
    ax.plot(time, values, line, color=colour, linewidth=1.6, label=name)
    ax.set_ylim(bottom=0)
    ax.grid(axis="y")


def _image(ax: Axes, frames: Mapping[str, Any], values: np.ndarray, *, limits, first: int = 0) -> AxesImage:
    """Rows of values over time, (t, rows); the lowest row, numbered ``first``, at the bottom."""
    low, high = limits
    toned = low + np.round((np.clip(values.T, low, high) - low) / (high - low) * TONES) / TONES * (high - low)
    ax.spines[:].set_visible(False)
    extent = (0, max(float(frames["time"][-1]), 1e-3), first - 0.5, first + len(toned) - 0.5)
    return ax.imshow(toned, origin="lower", aspect="auto", cmap=MAP, vmin=low, vmax=high, extent=extent,
                     interpolation="none")  # fmt: skip


def _bar(figure: Figure, ax: Axes, image: AxesImage, label: str, *, extend: str = "neither") -> None:
    bar = figure.colorbar(image, ax=ax, label=label, aspect=8, pad=0.01, extend=extend)
    bar.outline.set_visible(False)


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
    speaker_share, highest = 100 * most["speaker"], 100 * most["emotion"].max()
    is_left = speaker_share.mean() < 50
    edge = min(speaker_share.max() + 12, 46) if is_left else max(speaker_share.min() - 12, 54)
    for line, row in enumerate(most.itertuples()):
        point, place = (100 * row.speaker, 100 * row.emotion), (edge, highest + 10 + 10 * line)
        ax.plot(*point, "o", markersize=8, color="none", markeredgecolor=FAMILY_MARKS[row.family][0], mew=1.2)
        name, side = row.feature.partition(", ")[0], "left" if is_left else "right"
        ax.annotate(name, point, place, ha=side, va="center", color=INK,
                    bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.6},  # over the diagonal
                    arrowprops={**LEADER, "relpos": (0 if is_left else 1, 0.5)})  # fmt: skip
