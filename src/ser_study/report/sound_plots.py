"""Pictures of sound: waveforms with their envelopes, and spectrograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ser_study.report.corpus_plots import INTENSITIES
from ser_study.report.palette import EMOTION_COLOURS, INK, MAP, SMALL, STUDY_COLOURS, canvas, styled

FLOOR = -66.0  # dB below the clip's loudest point, the darkest tone of a spectrogram
PERSON = {"female": "woman", "male": "man"}


@styled
def waveforms_and_spectrograms(examples: Sequence[Mapping[str, Any]], *, title: str) -> Figure:
    """One clip an emotion: the waveform above its spectrogram on a mel axis; four columns, one time scale.

    Parameters
    ----------
    examples : mappings with ``emotion``, ``name``, ``signal`` (s,) and ``sample_rate`` in Hz
    """
    if not examples:
        raise ValueError("No clips to draw; pass at least one example with emotion, name, signal and sample_rate.")
    if empty := [item.get("name", item["emotion"]) for item in examples if len(item["signal"]) == 0]:
        raise ValueError(
            f"Clip {empty[0]!r} holds no samples ({len(empty)} of {len(examples)}); choose another example."
        )
    columns = min(4, len(examples))
    rows = -(-len(examples) // columns)
    figure, axes = canvas(2 * rows, columns, height=0.8 + 2.35 * rows, title=title,
                          gridspec_kw={"height_ratios": [1, 2.1] * rows}, sharex=True)  # fmt: skip
    longest = max(len(item["signal"]) / item["sample_rate"] for item in examples)
    for place in range(rows * columns):
        upper, lower = axes[2 * (place // columns) : 2 * (place // columns) + 2, place % columns]
        if place >= len(examples):
            upper.set_visible(False)
            lower.set_visible(False)
            continue
        item = examples[place]
        _waveform(upper, item["signal"], item["sample_rate"], EMOTION_COLOURS.get(item["emotion"], INK))
        name = str(item.get("name", ""))
        upper.set_title(item["emotion"], pad=16)
        upper.annotate(_short(name), (0, 1), (0, 4), xycoords="axes fraction",
                       textcoords="offset points")  # fmt: skip
        upper.set_title(_decibels(item["signal"]), loc="right", pad=16, fontweight="normal", fontsize=SMALL)
        image = _spectrogram(lower, item["signal"], item["sample_rate"])
        lower.tick_params(labelleft=place % columns == 0, labelbottom=place + columns >= len(examples))
        if place % columns == 0:
            lower.set_ylabel("frequency (kHz)")
        if place + columns >= len(examples):
            lower.set_xlabel("time (s)")
    axes[0, 0].set_xlim(0, longest)
    bar = figure.colorbar(image, ax=list(axes.flat), label="level (dB below the clip's loudest)", aspect=40, pad=0.01)
    bar.outline.set_visible(False)
    return figure


@styled
def waveforms_by_intensity(items: Sequence[Mapping[str, Any]], *, title: str) -> Figure:
    """Waveform and amplitude envelope, one row an emotion, one column an intensity; one amplitude scale a row.

    An emotion of no stated intensity stands in the first column and says so.

    Parameters
    ----------
    items : mappings with ``emotion``, ``intensity`` (empty where unknown), ``signal`` (s,), ``sample_rate`` in Hz,
        ``time`` (t,) in s and ``envelope`` (t,)
    """
    if not items:
        raise ValueError("No clips to draw; pass at least one with emotion, intensity, signal and envelope.")
    emotions = list(dict.fromkeys(item["emotion"] for item in items))
    found = {_level(item) for item in items} - {""}
    levels = [name for name in INTENSITIES if name in found] + sorted(found - set(INTENSITIES)) or [""]
    figure, axes = canvas(len(emotions), len(levels), height=1.0 + 0.72 * len(emotions), title=title, sharex=True,
                          sharey="row")  # fmt: skip
    for row, emotion in enumerate(emotions):
        here = {_level(item) or levels[0]: item for item in items if item["emotion"] == emotion}
        limit = max(_peak(item["signal"]) for item in here.values())
        for ax, level in zip(axes[row], levels):
            if level in here:
                enveloped(ax, here[level], EMOTION_COLOURS.get(emotion, INK), limit=limit)
                unstated = found and not _level(here[level])
                ax.set_title("no intensity stated" if unstated else "", fontweight="normal", fontsize=SMALL, pad=1)
                ax.set_title(_decibels(here[level]["signal"]), loc="right", fontweight="normal", fontsize=SMALL, pad=1)
            else:
                ax.tick_params(left=False, labelleft=False, bottom=row == len(emotions) - 1)
                for side in ax.spines.values():
                    side.set_visible(False)
        axes[row, 0].set_ylabel(emotion, rotation=0, ha="right", va="center", fontweight="bold")
    figure.align_ylabels(axes[:, 0])
    for ax, level in zip(axes[0], levels if found else ()):
        ax.annotate(f"{level} intensity", (0, 1), (0, 18), xycoords="axes fraction", textcoords="offset points",
                    fontweight="bold")  # fmt: skip
    for ax in axes[-1]:
        ax.set_xlabel("time (s)")
    axes[0, 0].set_xlim(0, max(len(item["signal"]) / item["sample_rate"] for item in items))
    figure.supylabel("amplitude (of full scale)", fontsize=SMALL)
    return figure


@styled
def voices(items: Sequence[Mapping[str, Any]], *, title: str) -> Figure:
    """Clips side by side on the same scales: waveform with its envelope, F0, and spectrogram on a mel axis.

    Parameters
    ----------
    items : as for ``waveforms_by_intensity``, with ``gender``, ``name`` and ``f0_hz`` (t,), NaN where unvoiced
    """
    if not items:
        raise ValueError("No voices to draw; pass at least one clip with gender, signal, envelope and f0_hz.")
    figure, axes = canvas(3, len(items), height=5.4, title=title, sharex=True, sharey="row",
                          gridspec_kw={"height_ratios": [1, 1, 1.7]})  # fmt: skip
    limit = max(_peak(item["signal"]) for item in items)
    for (top, middle, bottom), item in zip(axes.T, items):
        colour = STUDY_COLOURS.get(item["gender"], INK)
        enveloped(top, item, colour, limit=limit)
        top.set_title(f"{PERSON.get(item['gender'], 'voice')}: {_short(str(item['name']))}")
        top.set_title(_decibels(item["signal"]), loc="right", fontweight="normal", fontsize=SMALL)
        middle.plot(item["time"], item["f0_hz"], ".-", color=colour, linewidth=1.6, markersize=4)
        middle.grid(axis="y")
        image = _spectrogram(bottom, item["signal"], item["sample_rate"])
        bottom.set_xlabel("time (s)")
    axes[0, 0].set_xlim(0, max(len(item["signal"]) / item["sample_rate"] for item in items))
    for ax, label in zip(axes[:, 0], ("amplitude\n(of full scale)", "F0 (Hz)", "frequency\n(kHz, mel)")):
        ax.set_ylabel(label)
    figure.align_ylabels(axes[:, 0])
    bar = figure.colorbar(image, ax=list(axes[2]), label="level (dB below\nthe clip's loudest)", aspect=15, pad=0.01)
    bar.outline.set_visible(False)
    return figure


def enveloped(ax: Axes, item: Mapping[str, Any], colour: str, *, limit: float) -> None:
    """Waveform under the line of its amplitude envelope, on an axis from −limit to limit."""
    _outline(ax, item["signal"], item["sample_rate"], colour)
    ax.plot(item["time"], item["envelope"], color=INK, linewidth=1)
    decade = 10.0 ** np.floor(np.log10(limit))
    tick = np.floor(limit / decade) * decade
    ax.set(ylim=(-1.08 * limit, 1.08 * limit))
    ax.set_yticks([-tick, 0, tick], [f"−{tick:g}", "0", f"{tick:g}"])


def _level(item: Mapping[str, Any]) -> str:
    return item["intensity"] if isinstance(item["intensity"], str) else ""


def _short(name: str) -> str:
    return name if len(name) <= 23 else name[:22] + "…"


def _peak(signal: np.ndarray) -> float:
    return max(float(np.abs(signal).max()), 1e-6)


def _decibels(signal: np.ndarray) -> str:
    return f"peak {round(20 * np.log10(_peak(signal)))} dB".replace("-", "−")


def _waveform(ax: Axes, signal: np.ndarray, sample_rate: float, colour: str) -> None:
    """The outline alone, on a scale of its own that is not told."""
    _outline(ax, signal, sample_rate, colour)
    limit = _peak(signal) * 1.05
    ax.set(ylim=(-limit, limit), yticks=[])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(labelbottom=False, length=0)


def _outline(ax: Axes, signal: np.ndarray, sample_rate: float, colour: str) -> None:
    """The least and greatest sample in each of at most 240 steps."""
    signal = np.asarray(signal, dtype=float)
    parts = [part for part in np.array_split(signal, min(240, len(signal))) if len(part)]
    middle = np.cumsum([len(part) for part in parts]) / sample_rate
    low, high = [part.min() for part in parts], [part.max() for part in parts]
    ax.fill_between(middle, low, high, color=colour, linewidth=0.4, rasterized=True)


def _spectrogram(ax: Axes, signal: np.ndarray, sample_rate: float, *, n_bands: int = 88, n_steps: int = 150):
    """Level of each mel-spaced frequency up to 8 kHz; 3 dB steps keep the embedded image small."""
    window = np.hanning(max(int(0.025 * sample_rate), 16))
    signal = np.pad(np.asarray(signal, dtype=float), len(window) // 2)
    starts = np.linspace(0, max(len(signal) - len(window), 0), n_steps).astype(int)
    frames = np.stack([np.resize(signal, max(len(signal), len(window)))[s : s + len(window)] for s in starts])
    power = np.abs(np.fft.rfft(frames * window, n=2 * len(window))) ** 2  # (steps, bins)
    top = min(8000.0, sample_rate / 2)
    edges = _hertz(np.linspace(_mel(50.0), _mel(top), n_bands + 1)) / sample_rate * 2 * len(window)  # in bins
    total = np.pad(np.cumsum(power, axis=1), ((0, 0), (1, 1)), mode="edge")
    total[:, 0] = 0.0
    whole = edges.astype(int)
    below = total[:, whole] + (total[:, whole + 1] - total[:, whole]) * (edges - whole)
    density = (np.diff(below, axis=1) / np.diff(edges)).T  # (bands, steps)
    level = 10 * np.log10(density / max(density.max(), 1e-20) + 1e-12)
    extent = (0, (len(signal) - len(window)) / sample_rate, _mel(50.0), _mel(top))
    image = ax.imshow(np.clip(np.round(level / 3) * 3, FLOOR, 0), origin="lower", aspect="auto", extent=extent,
                      cmap=MAP, vmin=FLOOR, vmax=0, interpolation="none")  # fmt: skip
    ticks = [value for value in (0.25, 1.0, 2.0, 4.0, 8.0) if 1000 * value <= top]
    ax.set_yticks([_mel(1000 * value) for value in ticks], [f"{value:g}" for value in ticks])
    ax.spines[:].set_visible(False)
    return image


def _mel(hertz: float) -> float:
    return 2595.0 * np.log10(1.0 + hertz / 700.0)


def _hertz(mel: np.ndarray) -> np.ndarray:
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
