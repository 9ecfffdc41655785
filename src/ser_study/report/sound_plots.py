"""Pictures of sound: waveforms above spectrograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ser_study.report.palette import EMOTION_COLOURS, INK, MAP, SMALL, canvas, styled

FLOOR = -66.0  # dB below the clip's loudest point, the darkest tone of a spectrogram


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
        upper.annotate(name if len(name) <= 23 else name[:22] + "…", (0, 1), (0, 4), xycoords="axes fraction",
                       textcoords="offset points")  # fmt: skip
        peak = 20 * np.log10(max(float(np.abs(item["signal"]).max()), 1e-6))
        upper.set_title(
            f"peak {round(peak)} dB".replace("-", "−"), loc="right", pad=16, fontweight="normal", fontsize=SMALL
        )
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


def _waveform(ax: Axes, signal: np.ndarray, sample_rate: float, colour: str) -> None:
    """Outline of the signal: the least and greatest sample in each of at most 240 steps."""
    signal = np.asarray(signal, dtype=float)
    parts = [part for part in np.array_split(signal, min(240, len(signal))) if len(part)]
    middle = np.cumsum([len(part) for part in parts]) / sample_rate
    low, high = [part.min() for part in parts], [part.max() for part in parts]
    ax.fill_between(middle, low, high, color=colour, linewidth=0.4, rasterized=True)
    limit = max(float(np.abs(signal).max()), 1e-6) * 1.05
    ax.set(ylim=(-limit, limit), yticks=[])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(labelbottom=False, length=0)


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
