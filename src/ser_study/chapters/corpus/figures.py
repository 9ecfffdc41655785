"""Pictures of a corpus before any model: how many clips, how long, how they sound, what listeners answered.

Every function returns None where there is nothing to draw; the caption then says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ser_study.chapters.corpus import sound_text, tables, text
from ser_study.plotting import spectrograms
from ser_study.plotting.distributions import box_table, emotion_boxes
from ser_study.plotting.marks import above, beside, hide_rest, need, row_axis
from ser_study.plotting.matrices import heat_map
from ser_study.plotting.palette import EMOTION_COLOURS, INK, INTENSITIES, SMALL, STUDY_COLOURS, canvas, styled
from ser_study.wording import percent

MANY = 24  # speakers; of more, the numbers are not written
GENDERS = ("female", "male", "unknown")
OPACITY = {"low": 0.3, "normal": 0.4, "medium": 0.6, "strong": 1.0, "high": 1.0, "unspecified": 0.15, "unknown": 0.15}
HATCH = {"unknown": "////"}  # an unknown intensity is neither strong nor weak
EVEN = 0.8  # the fewest clips of a speaker and emotion, as a share of the most, where a map of them says nothing
PROSODY = {  # column → axis label with its unit
    "loudness_db": "loudness (dB re full scale)",
    "f0_hz": "median F0 (Hz)",
    "tempo": "tempo (voiced segments per s)",
    "pitch_range": "pitch range (semitones)",
}
LISTENERS = {  # column → axis label
    "human_recognition": "listeners who chose the intended emotion (%)",
    "human_agreement": "listeners who chose the winning emotion (%)",
}


@styled
def counts(clips: pd.DataFrame) -> Figure:
    """Number of clips by emotion, one panel a gender, stacked by intensity (fainter is weaker, hatched unknown)."""
    need(clips, ("emotion", "gender", "intensity"), what="clips")
    known = clips.assign(gender=clips["gender"].fillna("unknown"), intensity=clips["intensity"].fillna("unknown"))
    emotions = _emotions(known)
    genders = [name for name in GENDERS if (known["gender"] == name).any()]
    levels = [name for name in INTENSITIES if (known["intensity"] == name).any()]
    levels += sorted(set(known["intensity"]) - set(levels))
    opacity = {name: (i + 1) / len(levels) for i, name in enumerate(levels)} | OPACITY
    opacity = opacity if len(levels) > 1 else dict.fromkeys(levels, 0.75)
    figure, axes = canvas(1, len(genders), height=1.35 + 0.32 * len(emotions), title=text.counts_title(clips),
                          sharex=True, sharey=True)  # fmt: skip
    for ax, gender in zip(axes.flat, genders):
        here = known[known["gender"] == gender]
        table = here.groupby(["emotion", "intensity"]).size().unstack(fill_value=0)
        _stack(ax, table.reindex(emotions, columns=levels, fill_value=0), opacity)
        row_axis(ax, emotions)
        ax.grid(visible=False)
        n_speakers = here["speaker"].nunique() if "speaker" in here else 0
        ax.set(title=gender + (f", {text.many(n_speakers, 'speaker')}" if n_speakers else ""), xlabel="clips (number)")
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        ax.margins(x=0.13)
    if len(levels) > 1:
        key = [Patch(facecolor=INK, alpha=opacity[name], edgecolor=INK, label=name, hatch=HATCH.get(name))
               for name in levels]  # fmt: skip
        figure.legend(handles=key, loc="outside lower left", ncols=len(levels), title="intensity", alignment="left")
    figure.data = known.groupby(["emotion", "gender", "intensity"]).size().reset_index(name="clips")
    return figure


def _stack(ax: Axes, table: pd.DataFrame, opacity: Mapping[str, float]) -> None:
    left = np.zeros(len(table))
    tones = [EMOTION_COLOURS[name] for name in table.index]
    for level in table.columns:
        for row, (start, width) in enumerate(zip(left, table[level])):
            if width:
                ax.barh(row, width, left=start, height=0.72, color=tones[row], alpha=opacity[level], linewidth=0)
                edge = {"edgecolor": tones[row], "linewidth": 1, "hatch": HATCH.get(level)}
                ax.barh(row, width, left=start, height=0.72, color="none", **edge)
        left = left + table[level].to_numpy()
    for row, total in enumerate(left):
        ax.annotate(f"{total:,.0f}", (total, row), (4, 0), textcoords="offset points", va="center")


@styled
def speakers(clips: pd.DataFrame) -> Figure | None:
    """Number of clips of each speaker in each emotion, as a heat map; None where no speaker is named."""
    need(clips, ("speaker", "emotion"), what="clips")
    table = clips.groupby(["emotion", "speaker"]).size().unstack()
    if table.empty:
        return None
    table = table.reindex(_emotions(clips)).rename(columns=lambda name: str(name).rpartition("/")[2])
    texts = table.map(lambda n: f"{n:.0f}" if n == n and table.shape[1] <= MANY else "").to_numpy()
    is_wide = table.shape[1] * max(map(len, table.columns)) > 72  # letters in a line below the figure
    figure, axes = canvas(1, 1, height=1.5 + 0.3 * len(table), title=text.speakers_title(clips))
    bar = {"label": "clips (number)", "pad": 0.01}
    heat_map(axes[0, 0], table, texts, limits=(0, None), bar=bar, rotation=90 if is_wide else 0)
    axes[0, 0].set_xlabel(f"speaker ({table.shape[1]} in all)")
    figure.data = table.T.rename_axis("speaker").reset_index()
    return figure


def uneven_speakers(clips: pd.DataFrame) -> Figure | None:
    """The map of ``speakers``; None where every speaker has about as many clips of every emotion."""
    sizes = clips.groupby(["emotion", "speaker"]).size().unstack()
    is_even = sizes.size and sizes.notna().all(axis=None) and sizes.min(axis=None) >= EVEN * sizes.max(axis=None)
    return None if is_even else speakers(clips)


@styled
def demographics(clips: pd.DataFrame) -> Figure | None:
    """Age and gender of the speakers, one dot a speaker; None where no age is known, which a sentence says."""
    people = tables.speakers(clips).fillna({"gender": "unknown"})
    if people["age"].isna().all():
        return None
    genders = [name for name in GENDERS if (people["gender"] == name).any()]
    step = 2 if len(people) > 30 else 1  # years; dots of many people would touch
    figure, axes = canvas(len(genders), 1, height=1.0 + 1.0 * len(genders),
                          title=text.demographics_title(clips), sharex=True, sharey=True)  # fmt: skip
    for ax, gender in zip(axes.flat, genders):
        here = people[people["gender"] == gender].sort_values("age")
        years = here["age"].to_numpy() // step * step + (step - 1) / 2
        heights = pd.Series(years).groupby(years).cumcount() + 1
        ax.plot(years, heights, "o", color=STUDY_COLOURS[gender], markersize=6)
        unknown = int(here["age"].isna().sum())
        note = f", {unknown} without age" if unknown else ""
        ax.set_title(f"{gender}: {text.many(len(here), 'speaker')}{note}")
        ax.set_yticks([])
        ax.margins(y=0.25)
        ax.spines["left"].set_visible(False)
    axes[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[-1, 0].set_xlabel(f"age (years{', in steps of two' * (step > 1)})")
    figure.data = people[["speaker", "gender", "age"]]
    return figure


@styled
def durations(clips: pd.DataFrame) -> Figure:
    """Duration of the clips by emotion: box from quartile to quartile, whiskers from 5 to 95 %, dots outside."""
    need(clips, ("emotion", "duration"), what="clips")
    emotions = _emotions(clips)
    figure, axes = canvas(1, 1, height=0.95 + 0.36 * len(emotions), title=text.durations_title(clips))
    ax = axes[0, 0]
    emotion_boxes(ax, clips, "duration", emotions)
    known = clips.groupby("emotion")["duration"].agg(["median", "count"]).loc[emotions]
    for row, (median, _) in enumerate(known.to_numpy()):
        beside(ax, row, f"{median:.1f} s" if np.isfinite(median) else "–")
    above(ax, "median")
    row_axis(ax, [f"{name} ({n:,.0f})" for name, n in known["count"].items()])
    ax.set_xlim(left=0)
    ax.set_xlabel("duration (s)")
    figure.data = box_table(clips, ["duration"], emotions)
    return figure


@styled
def prosody(table: pd.DataFrame) -> Figure:
    """Loudness, pitch and tempo by emotion as boxes; F0 apart for women and men where their sex is known."""
    need(table, ("emotion", "gender", "peak_db", *PROSODY), what="prosody")
    emotions = _emotions(table)
    figure, axes = canvas(2, 2, height=2.2 + 0.66 * len(emotions), title=sound_text.prosody_title(table), sharey=True)
    for ax, (measure, label) in zip(axes.flat, PROSODY.items()):
        by_gender = measure == "f0_hz" and table["gender"].isin(["female", "male"]).any()
        emotion_boxes(ax, table, measure, emotions, by_gender=by_gender)
        ax.set_xlabel(label)
    figure.data = box_table(table, list(PROSODY), emotions).replace({"quantity": PROSODY})
    return figure


@styled
def descriptors(table: pd.DataFrame, shares: pd.DataFrame) -> Figure | None:
    """Boxes by emotion of each descriptor, scaled per speaker; the one that separates emotions most comes first.

    Parameters
    ----------
    table : ``emotion`` and one column a descriptor, in standard deviations from the speaker's mean
    shares : one row a panel, in order: ``column`` (of ``table``), ``descriptor`` (its name) and
        ``within_speakers`` (η², 0 to 1)
    """
    if shares.empty:
        return None
    need(table, ("emotion", *shares["column"]), what="descriptors")
    emotions = _emotions(table)
    columns = min(5, len(shares))
    rows = -(-len(shares) // columns)
    figure, axes = canvas(rows, columns, height=0.7 + rows * (0.75 + 0.24 * len(emotions)),
                          title=sound_text.descriptors_title(shares), sharey=True, sharex=True)  # fmt: skip
    for ax, share in zip(axes.flat, shares.itertuples()):
        emotion_boxes(ax, table, share.column, emotions, outliers=False)
        ax.axvline(0, color=INK, linewidth=0.8, zorder=0.5)
        ax.set(title=f"{share.descriptor}\nη² {percent(share.within_speakers)}", xlabel="")
    hide_rest(axes, len(shares))
    figure.supxlabel("distance from the speaker's own mean (standard deviations)", fontsize=SMALL)
    names = dict(zip(shares["column"], shares["descriptor"]))
    figure.data = box_table(table, list(names), emotions).replace({"quantity": names})
    return figure


@styled
def agreement(clips: pd.DataFrame) -> Figure | None:
    """Share of listeners who chose the intended emotion, and of those who chose the winning one; None without votes."""
    need(clips, ("emotion", *LISTENERS), what="clips")
    measures = [name for name in LISTENERS if clips[name].notna().any()]
    if not measures:
        return None
    emotions = _emotions(clips)
    figure, axes = canvas(1, len(measures), height=0.95 + 0.36 * len(emotions), title=text.agreement_title(clips),
                          sharey=True, sharex=True)  # fmt: skip
    shares = clips.assign(**{name: 100 * clips[name] for name in measures})
    for ax, measure in zip(axes.flat, measures):
        emotion_boxes(ax, shares, measure, emotions, means=True)
        for row, mean in enumerate(shares.groupby("emotion")[measure].mean().loc[emotions]):
            beside(ax, row, f"{mean:.0f}" if np.isfinite(mean) else "–")
        above(ax, "mean ◆", shift=-8)
        ax.set(xlim=(0, 102), xlabel=LISTENERS[measure])
    figure.data = box_table(shares, measures, emotions).replace({"quantity": LISTENERS})
    return figure


def examples(recordings: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Waveform and mel spectrogram of one recording of each emotion; None where there is no sound."""
    if not recordings:
        return None
    return spectrograms.waveforms_and_spectrograms(recordings, title=sound_text.examples_title(recordings))


def by_intensity(recordings: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Waveform and envelope of each emotion at each intensity; None without sound or where no emotion has two."""
    if not recordings or not sound_text.has_two_intensities(recordings):
        return None
    return spectrograms.waveforms_by_intensity(recordings, title=sound_text.by_intensity_title(recordings))


def pair(recordings: Sequence[Mapping[str, Any]]) -> Figure | None:
    """A woman and a man in the same emotion, on the same scales; None where there is no such pair."""
    return spectrograms.voices(recordings, title=sound_text.pair_title(recordings)) if recordings else None


def _emotions(table: pd.DataFrame) -> list[str]:
    emotions = tables.emotions_of(table)
    if not emotions:
        raise ValueError(f"The table of {len(table)} rows holds no known emotion; nothing to draw.")
    return emotions
