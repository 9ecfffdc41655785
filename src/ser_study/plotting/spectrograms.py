"""Pictures of sound: waveforms with their envelopes, and mel spectrograms.

Conventions
-----------
A *recording* is a mapping with ``emotion``, ``intensity`` (missing where unknown), ``gender``, ``name``; ``signal``
(s,) and ``sample_rate`` in Hz; for each frame its centre ``time`` (t,) in s and ``envelope`` (t,); where a spectrogram
is drawn ``mel_db`` (t, n_mels) and ``mel_hz`` (n_mels,), the levels and the mean frequencies of the mel bands that
features are made of. So every spectrogram has the mel scale of the features (Slaney's).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ser_study.plotting.palette import EMOTION_COLOURS, INK, INTENSITIES, MAP, SMALL, STUDY_COLOURS, canvas, styled
from ser_study.wording import minus

Recording = Mapping[str, Any]
FLOOR = -66.0  # dB below the clip's loudest point, the darkest tone of a spectrogram
STEP = 3.0  # dB between two tones; few tones keep the embedded image small
TICKS = (250, 1000, 2000, 4000, 8000)  # Hz
PERSON = {"female": "woman", "male": "man"}


@styled
def waveforms_and_spectrograms(recordings: Sequence[Recording], *, title: str) -> Figure:
    """One recording an emotion: the waveform above its mel spectrogram; four columns, one time scale.

    Raises
    ------
    ValueError
        There is no recording, or one holds no sample.
    """
    if not recordings:
        raise ValueError("No recordings to draw; pass at least one, see the conventions of this module.")
    if empty := [item["name"] for item in recordings if len(item["signal"]) == 0]:
        raise ValueError(
            f"Clip {empty[0]!r} holds no samples ({len(empty)} of {len(recordings)}); choose another example."
        )
    columns = min(4, len(recordings))
    rows = -(-len(recordings) // columns)
    figure, axes = canvas(2 * rows, columns, height=0.8 + 2.35 * rows, title=title,
                          gridspec_kw={"height_ratios": [1, 2.1] * rows}, sharex=True)  # fmt: skip
    uppers, lowers = axes[::2].ravel(), axes[1::2].ravel()
    for place, (item, upper, lower) in enumerate(zip(recordings, uppers, lowers)):
        _waveform(upper, item, EMOTION_COLOURS.get(item["emotion"], INK))
        image = mel_spectrogram(lower, item)
        is_first, is_lowest = place % columns == 0, place + columns >= len(recordings)
        lower.tick_params(labelleft=is_first, labelbottom=is_lowest)
        lower.set(ylabel="frequency (kHz)" if is_first else "", xlabel="time (s)" if is_lowest else "")
    for ax in (*uppers[len(recordings) :], *lowers[len(recordings) :]):
        ax.set_visible(False)
    axes[0, 0].set_xlim(0, max(map(_seconds, recordings)))
    bar = figure.colorbar(image, ax=list(axes.flat), label="level (dB below the clip's loudest)", aspect=40, pad=0.01)
    bar.outline.set_visible(False)
    figure.data = recordings_table(recordings)
    return figure


@styled
def waveforms_by_intensity(recordings: Sequence[Recording], *, title: str) -> Figure:
    """Waveform and amplitude envelope, one row an emotion, one column an intensity; one amplitude scale a row.

    An emotion without a stated intensity stands in the first column and says so.
    """
    if not recordings:
        raise ValueError("No recordings to draw; pass at least one, see the conventions of this module.")
    emotions = list(dict.fromkeys(item["emotion"] for item in recordings))
    known = {_level(item) for item in recordings} - {""}
    levels = [name for name in INTENSITIES if name in known] + sorted(known - set(INTENSITIES)) or [""]
    figure, axes = canvas(len(emotions), len(levels), height=1.0 + 0.72 * len(emotions), title=title, sharex=True,
                          sharey="row")  # fmt: skip
    for row, emotion in enumerate(emotions):
        here = {_level(item) or levels[0]: item for item in recordings if item["emotion"] == emotion}
        _intensity_row(axes[row], here, levels, is_stated=not known)
        axes[row, 0].set_ylabel(emotion, rotation=0, ha="right", va="center", fontweight="bold")
    for ax in axes[:-1].flat:
        if not ax.lines:
            ax.tick_params(bottom=False)
    figure.align_ylabels(axes[:, 0])
    for ax, level in zip(axes[0], levels if known else ()):
        ax.annotate(f"{level} intensity", (0, 1), (0, 18), xycoords="axes fraction", textcoords="offset points",
                    fontweight="bold")  # fmt: skip
    for ax in axes[-1]:
        ax.set_xlabel("time (s)")
    axes[0, 0].set_xlim(0, max(map(_seconds, recordings)))
    figure.supylabel("amplitude (of full scale)", fontsize=SMALL)
    figure.data = recordings_table(recordings)
    return figure


def _intensity_row(axes: np.ndarray, here: Mapping[str, Recording], levels: Sequence[str], *, is_stated: bool) -> None:
    """The recordings of one emotion, by intensity; ``is_stated`` also where no intensity of any is known."""
    limit = max(_peak(item["signal"]) for item in here.values())
    for ax, level in zip(axes, levels):
        if level not in here:
            ax.tick_params(left=False, labelleft=False)
            ax.spines[:].set_visible(False)
            continue
        item = here[level]
        enveloped(ax, item, EMOTION_COLOURS.get(item["emotion"], INK), limit=limit)
        plain = {"fontweight": "normal", "fontsize": SMALL, "pad": 1}
        ax.set_title("" if is_stated or _level(item) else "no intensity stated", **plain)
        ax.set_title(_decibels(item["signal"]), loc="right", **plain)


@styled
def voices(recordings: Sequence[Recording], *, title: str) -> Figure:
    """Recordings side by side on the same scales: waveform with its envelope, F0, and mel spectrogram.

    Parameters
    ----------
    recordings : with ``f0_hz`` (t,), NaN where unvoiced
    """
    if not recordings:
        raise ValueError("No voices to draw; pass at least one recording with its f0_hz.")
    figure, axes = canvas(3, len(recordings), height=5.4, title=title, sharex=True, sharey="row",
                          gridspec_kw={"height_ratios": [1, 1, 1.7]})  # fmt: skip
    limit = max(_peak(item["signal"]) for item in recordings)
    for (top, middle, bottom), item in zip(axes.T, recordings):
        colour = STUDY_COLOURS.get(item["gender"], INK)
        enveloped(top, item, colour, limit=limit)
        top.set_title(f"{PERSON.get(item['gender'], 'voice')}: {_short(str(item['name']))}")
        top.set_title(_decibels(item["signal"]), loc="right", fontweight="normal", fontsize=SMALL)
        middle.plot(item["time"], item["f0_hz"], ".-", color=colour, linewidth=1.6, markersize=4)
        middle.grid(axis="y")
        image = mel_spectrogram(bottom, item)
        bottom.set_xlabel("time (s)")
    axes[0, 0].set_xlim(0, max(map(_seconds, recordings)))
    for ax, label in zip(axes[:, 0], ("amplitude\n(of full scale)", "F0 (Hz)", "frequency\n(kHz, mel)")):
        ax.set_ylabel(label)
    figure.align_ylabels(axes[:, 0])
    bar = figure.colorbar(image, ax=list(axes[2]), label="level (dB below\nthe clip's loudest)", aspect=15, pad=0.01)
    bar.outline.set_visible(False)
    figure.data = recordings_table(recordings)
    return figure


def recordings_table(recordings: Sequence[Recording]) -> pd.DataFrame:
    """Recordings in numbers: seconds, peak, pitch where it was measured, and where in the spectrum their level is."""
    rows = []
    for item in recordings:
        row = {name: item.get(name) for name in ("emotion", "intensity", "gender", "name")}
        row |= {"duration_s": _seconds(item), "peak_db": float(20 * np.log10(_peak(item["signal"])))}
        if "f0_hz" in item:
            row["f0_hz"] = float(np.nanmedian(item["f0_hz"])) if np.isfinite(item["f0_hz"]).any() else np.nan
        if "mel_db" in item:
            row["loudest_hz"] = float(item["mel_hz"][np.argmax((10 ** (item["mel_db"] / 10)).mean(axis=0))])
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.dropna(axis="columns", how="all")


def recordings_alt(recordings: Sequence[Recording]) -> str:
    """The same in words, one clause a recording."""
    clauses = []
    for row in recordings_table(recordings).itertuples():
        facts = [f"{row.duration_s:.1f} s", f"peak {minus(row.peak_db, 0)} dB"]
        if pitch := getattr(row, "f0_hz", 0):
            facts += [f"median F0 {pitch:.0f} Hz"] * (pitch == pitch)
        if loudest := getattr(row, "loudest_hz", 0):
            facts.append(f"loudest near {loudest:.0f} Hz")
        level = getattr(row, "intensity", None)
        clauses.append(f"{row.emotion}{f', {level}' if isinstance(level, str) else ''}: {', '.join(facts)}")
    return f"{'; '.join(clauses)}."


def enveloped(ax: Axes, recording: Recording, colour: str, *, limit: float) -> None:
    """Waveform under the line of its amplitude envelope, on an axis from −limit to limit."""
    _outline(ax, recording, colour)
    ax.plot(recording["time"], recording["envelope"], color=INK, linewidth=1)
    decade = 10.0 ** np.floor(np.log10(limit))
    tick = np.floor(limit / decade) * decade
    ax.set(ylim=(-1.08 * limit, 1.08 * limit))
    ax.set_yticks([-tick, 0, tick], [f"−{tick:g}", "0", f"{tick:g}"])


def mel_spectrogram(ax: Axes, recording: Recording) -> AxesImage:
    """Level of each mel band over time, below the loudest of the clip; the axis is marked in kHz."""
    level, hertz, time = recording["mel_db"].T - recording["mel_db"].max(), recording["mel_hz"], recording["time"]
    half = (time[1] - time[0]) / 2 if len(time) > 1 else 0.005
    image = ax.imshow(np.clip(np.round(level / STEP) * STEP, FLOOR, 0), origin="lower", aspect="auto", cmap=MAP,
                      vmin=FLOOR, vmax=0, extent=(time[0] - half, time[-1] + half, -0.5, len(hertz) - 0.5),
                      interpolation="none")  # fmt: skip
    ticks = [tick for tick in TICKS if tick <= hertz[-1]]
    ax.set_yticks(np.interp(ticks, hertz, np.arange(len(hertz))), [f"{tick / 1000:g}" for tick in ticks])
    ax.spines[:].set_visible(False)
    return image


def _level(recording: Recording) -> str:
    return recording["intensity"] if isinstance(recording["intensity"], str) else ""


def _seconds(recording: Recording) -> float:
    return len(recording["signal"]) / recording["sample_rate"]


def _short(name: str) -> str:
    return name if len(name) <= 23 else name[:22] + "…"


def _peak(signal: np.ndarray) -> float:
    return max(float(np.abs(signal).max()), 1e-6)


def _decibels(signal: np.ndarray) -> str:
    return f"peak {minus(20 * np.log10(_peak(signal)), 0)} dB"


def _waveform(ax: Axes, recording: Recording, colour: str) -> None:
    """The outline alone, scaled to the panel, under the emotion, the name and the peak."""
    _outline(ax, recording, colour)
    limit = _peak(recording["signal"]) * 1.05
    ax.set(ylim=(-limit, limit), yticks=[])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(labelbottom=False, length=0)
    ax.set_title(recording["emotion"], pad=16)
    ax.set_title(_decibels(recording["signal"]), loc="right", pad=16, fontweight="normal", fontsize=SMALL)
    ax.annotate(_short(str(recording["name"])), (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points")


def _outline(ax: Axes, recording: Recording, colour: str) -> None:
    """The least and greatest sample in each of at most 240 steps."""
    signal = np.asarray(recording["signal"], dtype=float)
    steps = [step for step in np.array_split(signal, min(240, len(signal))) if len(step)]
    middle = np.cumsum([len(step) for step in steps]) / recording["sample_rate"]
    low, high = [step.min() for step in steps], [step.max() for step in steps]
    ax.fill_between(middle, low, high, color=colour, linewidth=0.4, rasterized=True)
