"""What every frame feature hears in one clip, on one time axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ser_study.report.feature_plots import FAMILY_MARKS, mel_image
from ser_study.report.palette import MAP, canvas, styled
from ser_study.report.sound_plots import enveloped

CURVES = ("rms", "zcr", "centroid_hz", "rolloff_hz")
IMAGES = ("mel_db", "chroma", "mfcc")
LABELS = (
    *("amplitude\n(of full scale)", "RMS\n(of full scale)", "zero crossings\n(% of samples)", "frequency\n(kHz)"),
    *("log-mel\nfrequency (kHz)", "chroma\n(pitch class)", "MFCC\n(coefficient)"),
)
NOTES = {0: "C", 4: "E", 8: "G♯"}  # of the twelve pitch classes, those that are named
LOUDNESS, TIMBRE = FAMILY_MARKS["loudness"][0], FAMILY_MARKS["timbre"][0]
ROLLOFF = "#2f9b52"
STEPS = 24  # tones of an image; few keep the embedded picture small


@styled
def frame_features(told: Mapping[str, Any], *, title: str) -> Figure:
    """Waveform with envelope, RMS, zero crossings, centroid and roll-off, log-mel, chroma and MFCC of one clip.

    Parameters
    ----------
    told : from ``sound_tables.frame_by_frame``: ``signal`` (s,), ``sample_rate`` (Hz); ``time`` (s), ``envelope``,
        ``rms``, ``zcr`` (0 to 1), ``centroid_hz``, ``rolloff_hz``, all (t,); ``mel_db`` (t, bands) with ``mel_hz``
        (bands,), ``chroma`` (t, 12), ``mfcc`` (t, coefficients)

    Raises
    ------
    ValueError
        A feature is missing or has another length than ``time``.
    """
    for name in ("time", "envelope", *CURVES, *IMAGES):
        if name not in told or len(told[name]) != len(told["time"]):
            raise ValueError(f"The figure needs {name!r} with one value a frame; it has {', '.join(told)}.")
    figure, axes = canvas(7, 1, height=8.8, title=title, sharex=True,
                          gridspec_kw={"height_ratios": [1.2, 0.8, 0.8, 1, 1.4, 1.2, 1.4]})  # fmt: skip
    wave, level, crossings, shape, mel, notes, cepstrum = axes[:, 0]
    enveloped(wave, told, LOUDNESS, limit=max(float(np.max(told["envelope"])), 1e-6))
    _curve(level, told["time"], told["rms"], LOUDNESS)
    _curve(crossings, told["time"], 100 * told["zcr"], TIMBRE)
    _curve(shape, told["time"], told["rolloff_hz"] / 1000, ROLLOFF, line="--", name="roll-off")
    _curve(shape, told["time"], told["centroid_hz"] / 1000, TIMBRE, name="centroid")
    shape.legend(loc="center left", bbox_to_anchor=(1, 0.5), handlelength=1.4).set_in_layout(False)
    _bar(figure, mel, mel_image(mel, told), "level (dB below\nthe loudest)")
    _bar(figure, notes, _image(notes, told, told["chroma"], limits=(0, 1)), "share of the\nstrongest (0–1)")
    notes.set_yticks(list(NOTES), NOTES.values())
    ordinary = told["mfcc"][:, 1:]  # the first is the level and would outshine all others
    most = max(float(np.percentile(np.abs(ordinary), 97)), 1e-6)  # so would the largest of the rest
    _bar(figure, cepstrum, _image(cepstrum, told, ordinary, limits=(-most, most), first=1), "value (dB)", extend="both")
    cepstrum.set_xlabel("time (s)")
    for ax, label in zip(axes[:, 0], LABELS):
        ax.set_ylabel(label, rotation=0, ha="right", va="center")
    wave.set_xlim(0, len(told["signal"]) / told["sample_rate"])
    figure.align_ylabels(axes[:, 0])
    return figure


def _curve(ax: Axes, time: np.ndarray, values: np.ndarray, colour: str, *, line: str = "-", name: str = "") -> None:
    ax.plot(time, values, line, color=colour, linewidth=1.6, label=name)
    ax.set_ylim(bottom=0)
    ax.grid(axis="y")


def _image(ax: Axes, told: Mapping[str, Any], values: np.ndarray, *, limits, first: int = 0) -> AxesImage:
    """Rows of values over time, (t, rows); the lowest row, numbered ``first``, at the bottom."""
    low, high = limits
    steps = low + np.round((np.clip(values.T, low, high) - low) / (high - low) * STEPS) / STEPS * (high - low)
    ax.spines[:].set_visible(False)
    extent = (0, max(float(told["time"][-1]), 1e-3), first - 0.5, first + len(steps) - 0.5)
    return ax.imshow(steps, origin="lower", aspect="auto", cmap=MAP, vmin=low, vmax=high, extent=extent,
                     interpolation="none")  # fmt: skip


def _bar(figure: Figure, ax: Axes, image: AxesImage, label: str, *, extend: str = "neither") -> None:
    bar = figure.colorbar(image, ax=ax, label=label, aspect=8, pad=0.01, extend=extend)
    bar.outline.set_visible(False)
