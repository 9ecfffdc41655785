"""Pictures of a corpus before any model: how many clips, how long, how they sound, what listeners heard."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ser_study.report.marks import above, beside, hide_rest, need, row_axis, tile_labels, tiles
from ser_study.report.palette import EMOTION_COLOURS, INK, SMALL, STUDY_COLOURS, canvas, styled
from ser_study.schema import EMOTIONS

INTENSITIES = ("low", "normal", "medium", "strong", "high", "unspecified", "unknown")
DEPTH = {"low": 0.3, "normal": 0.4, "medium": 0.6, "strong": 1.0, "high": 1.0, "unspecified": 0.15, "unknown": 0.75}
PROSODY = {  # column → axis label with its unit
    "loudness_db": "loudness (dB re full scale)",
    "f0_hz": "median F0 (Hz)",
    "f0_semitones": "median F0 (semitones above 27.5 Hz)",
    "tempo": "tempo (voiced segments per s)",
    "pitch_range": "pitch range (semitones)",
}


@styled
def counts(clips: pd.DataFrame, *, title: str) -> Figure:
    """Number of clips by emotion, one panel a gender, stacked by intensity (paler is weaker)."""
    need(clips, ("emotion", "gender", "intensity"), what="clips")
    known = clips.assign(gender=clips["gender"].fillna("unknown"), intensity=clips["intensity"].fillna("unknown"))
    emotions = _emotions(known)
    genders = [name for name in ("female", "male", "unknown") if (known["gender"] == name).any()]
    levels = [name for name in INTENSITIES if (known["intensity"] == name).any()]
    levels += sorted(set(known["intensity"]) - set(levels))
    depth = DEPTH | {name: (i + 1) / len(levels) for i, name in enumerate(levels) if name not in DEPTH}
    depth = depth if len(levels) > 1 else dict.fromkeys(levels, 0.75)
    figure, axes = canvas(1, len(genders), height=1.35 + 0.32 * len(emotions), title=title, sharex=True, sharey=True)
    for ax, gender in zip(axes.flat, genders):
        here = known[known["gender"] == gender]
        table = here.groupby(["emotion", "intensity"]).size().unstack(fill_value=0)
        table = table.reindex(emotions, columns=levels, fill_value=0)
        _stack(ax, table, depth)
        row_axis(ax, emotions)
        ax.grid(visible=False)
        known_speakers = here["speaker"].nunique() if "speaker" in here else 0
        n_speakers = f", {known_speakers} speaker{'s' * (known_speakers > 1)}" if known_speakers else ""
        ax.set(title=f"{gender}{n_speakers}", xlabel="clips (number)")
        ax.margins(x=0.13)
    if len(levels) > 1:
        key = [Patch(facecolor=INK, alpha=depth[name], edgecolor=INK, label=name) for name in levels]
        figure.legend(handles=key, loc="outside lower left", ncols=len(levels), title="intensity", alignment="left")
    return figure


def _stack(ax: Axes, table: pd.DataFrame, depth: Mapping[str, float]) -> None:
    left = np.zeros(len(table))
    tones = [EMOTION_COLOURS[name] for name in table.index]
    for level in table.columns:
        for row, (start, width) in enumerate(zip(left, table[level])):
            if width:
                ax.barh(row, width, left=start, height=0.72, color=tones[row], alpha=depth[level], linewidth=0)
                ax.barh(row, width, left=start, height=0.72, color="none", edgecolor=tones[row], linewidth=1)
        left = left + table[level].to_numpy()
    for row, total in enumerate(left):
        ax.annotate(f"{total:,.0f}", (total, row), (4, 0), textcoords="offset points", va="center")


@styled
def durations(clips: pd.DataFrame, *, title: str) -> Figure:
    """Duration of the clips by emotion: box from quartile to quartile, whiskers from 5 to 95 %, dots outside."""
    need(clips, ("emotion", "duration"), what="clips")
    emotions = _emotions(clips)
    figure, axes = canvas(1, 1, height=0.95 + 0.36 * len(emotions), title=title)
    ax = axes[0, 0]
    groups = {name: clips.loc[clips["emotion"] == name, "duration"].dropna() for name in emotions}
    _boxes(ax, groups)
    for row, values in enumerate(groups.values()):
        middle = f"{values.median():.1f} s" if len(values) else "–"
        beside(ax, row, middle)
    above(ax, "median")
    row_axis(ax, [f"{name} ({len(values):,})" for name, values in groups.items()])
    ax.set_xlim(left=0)
    ax.set_xlabel("duration (s)")
    return figure


def _boxes(
    ax: Axes,
    groups: Mapping[str, pd.Series],
    *,
    shift: float = 0.0,
    height: float = 0.6,
    hollow: bool = False,
    dots: bool = True,
) -> None:
    """One box a group in its emotion's colour, and dots outside its whiskers; groups without a value are left out."""
    for row, (emotion, values) in enumerate(groups.items()):
        values = np.asarray(values, dtype=float)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        tone = EMOTION_COLOURS[emotion]
        drawn = ax.boxplot(values, positions=[row + shift], widths=height, orientation="horizontal", whis=(5, 95),
                           patch_artist=True, manage_ticks=False, showfliers=False)  # fmt: skip
        for line in (*drawn["whiskers"], *drawn["caps"], *drawn["medians"]):
            line.set(color=tone, linewidth=1.2)
        drawn["boxes"][0].set(facecolor="none" if hollow else (*_rgb(tone), 0.35), edgecolor=tone, linewidth=1.2)
        drawn["medians"][0].set(color=INK, linewidth=2)
        if not dots:
            continue
        low, high = np.percentile(values, [5, 95])
        outside = values[(values < low) | (values > high)]
        ax.plot(outside, np.full(len(outside), row + shift), ".", color=tone, markersize=5, alpha=0.7, mew=0,
                rasterized=True)  # fmt: skip


def _rgb(tone: str) -> tuple[float, float, float]:
    return tuple(int(tone[i : i + 2], 16) / 255 for i in (1, 3, 5))


@styled
def prosody(table: pd.DataFrame, *, title: str) -> Figure:
    """Loudness, pitch and tempo by emotion as boxes; F0 apart for women (filled) and men (hollow).

    Parameters
    ----------
    table : ``emotion``, ``gender`` and any of the columns of ``PROSODY``, one row a clip

    Raises
    ------
    ValueError
        ``emotion`` or ``gender`` is missing, or there is no column of ``PROSODY``.
    """
    need(table, ("emotion", "gender"), what="prosody")
    measures = [name for name in PROSODY if name in table]
    if not measures:
        raise ValueError(f"The prosody table has no measure; give one or more of {', '.join(PROSODY)}.")
    emotions = _emotions(table)
    columns = min(2, len(measures))
    rows = -(-len(measures) // columns)
    figure, axes = canvas(rows, columns, height=0.8 + rows * (0.6 + 0.33 * len(emotions)), title=title, sharey=True)
    for ax, measure in zip(axes.flat, measures):
        by_gender = measure.startswith("f0") and table["gender"].isin(["female", "male"]).any()
        for gender, shift in (("female", -0.2), ("male", 0.2)) if by_gender else ((None, 0.0),):
            here = table if gender is None else table[table["gender"] == gender]
            groups = {name: here.loc[here["emotion"] == name, measure] for name in emotions}
            _boxes(ax, groups, shift=shift, height=0.3 if by_gender else 0.55, hollow=gender == "male")
        row_axis(ax, emotions)
        ax.set_xlabel(PROSODY[measure] + ("; women filled, men hollow" if by_gender else ""))
    hide_rest(axes, len(measures))
    return figure


@styled
def descriptors(table: pd.DataFrame, shares: pd.DataFrame, *, title: str) -> Figure:
    """Boxes by emotion of each descriptor, scaled per speaker; the one that separates emotions most comes first.

    Parameters
    ----------
    table : ``emotion`` and one column a descriptor, in standard deviations from the speaker's mean
    shares : one row a panel, in order: ``column`` (of ``table``), ``descriptor`` (its name) and
        ``within_speakers`` (η², 0 to 1)
    """
    need(shares, ("column", "descriptor", "within_speakers"), what="shares")
    need(table, ("emotion", *shares["column"]), what="descriptors")
    emotions = _emotions(table)
    columns = min(5, len(shares))
    rows = -(-len(shares) // columns)
    figure, axes = canvas(rows, columns, height=0.7 + rows * (0.75 + 0.24 * len(emotions)), title=title, sharey=True,
                          sharex=True)  # fmt: skip
    for ax, share in zip(axes.flat, shares.itertuples()):
        groups = {name: table.loc[table["emotion"] == name, share.column] for name in emotions}
        _boxes(ax, groups, height=0.65, dots=False)
        row_axis(ax, emotions)
        ax.axvline(0, color=INK, linewidth=0.8, zorder=0.5)
        ax.set_title(f"{share.descriptor}\nη² {100 * share.within_speakers:.0f} %")
    hide_rest(axes, len(shares))
    figure.supxlabel("distance from the speaker's own mean (standard deviations)", fontsize=SMALL)
    return figure


@styled
def agreement(clips: pd.DataFrame, *, title: str) -> Figure:
    """What listeners made of the clips: share that heard the intended emotion, and share of the winning vote.

    Raises
    ------
    ValueError
        No clip carries ``human_recognition`` or ``human_agreement``.
    """
    need(clips, ("emotion", "human_recognition", "human_agreement"), what="clips")
    axis = {
        "human_recognition": "listeners who chose the intended emotion (%)",
        "human_agreement": "listeners who chose the winning emotion (%)",
    }
    measures = [name for name in axis if clips[name].notna().any()]
    if not measures:
        raise ValueError(f"None of the {len(clips)} clips carries listeners' votes; skip this figure.")
    emotions = _emotions(clips)
    figure, axes = canvas(1, len(measures), height=0.95 + 0.36 * len(emotions), title=title, sharey=True, sharex=True)
    for ax, measure in zip(axes.flat, measures):
        groups = {name: 100 * clips.loc[clips["emotion"] == name, measure].dropna() for name in emotions}
        _boxes(ax, groups)
        for row, values in enumerate(groups.values()):
            text = f"{values.mean():.0f}" if len(values) else "–"
            ax.plot(values.mean(), row, "D", color=INK, markersize=4.5)
            beside(ax, row, text)
        above(ax, "mean ◆", shift=-8)
        row_axis(ax, emotions)
        ax.set(xlim=(0, 102), xlabel=axis[measure])
    return figure


@styled
def demographics(clips: pd.DataFrame, *, title: str) -> Figure:
    """Age and gender of the speakers, one dot a speaker; without ages, one row of dots a gender."""
    need(clips, ("speaker", "gender", "age"), what="clips")
    people = clips.drop_duplicates("speaker").assign(gender=lambda table: table["gender"].fillna("unknown"))
    genders = [name for name in ("female", "male", "unknown") if (people["gender"] == name).any()]
    aged = people["age"].notna().any()
    step = 2 if len(people) > 30 else 1  # years; dots of many people would touch
    figure, axes = canvas(len(genders), 1, height=1.0 + (1.0 if aged else 0.5) * len(genders), title=title,
                          sharex=True, sharey=True)  # fmt: skip
    for ax, gender in zip(axes.flat, genders):
        here = people[people["gender"] == gender].sort_values("age")
        years = here["age"].to_numpy() // step * step + (step - 1) / 2 if aged else np.arange(1, len(here) + 1)
        heights = pd.Series(years).groupby(years).cumcount() + 1
        ax.plot(years, heights, "o", color=STUDY_COLOURS[gender], markersize=6)
        unknown = int(here["age"].isna().sum())
        note = f", {unknown} without age" if aged and unknown else ""
        ax.set_title(f"{gender}: {len(here)} {'speaker' if len(here) == 1 else 'speakers'}{note}")
        ax.set_yticks([])
        ax.margins(y=0.25)
        ax.spines["left"].set_visible(False)
    axes[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[-1, 0].set_xlabel(
        f"age (years{', in steps of two' * (step > 1)})" if aged else "speakers (number); ages are not known"
    )
    return figure


@styled
def speakers(clips: pd.DataFrame, *, title: str) -> Figure:
    """Number of clips of each speaker in each emotion, as tiles."""
    need(clips, ("corpus", "speaker", "emotion"), what="clips")
    emotions = _emotions(clips)
    table = clips.groupby(["emotion", "speaker"]).size().unstack().reindex(emotions)
    figure, axes = canvas(1, 1, height=1.5 + 0.3 * len(emotions), title=title)
    ax, values = axes[0, 0], table.to_numpy(float)
    few = values.shape[1] <= 24
    texts = np.array([[f"{n:.0f}" if np.isfinite(n) else "" for n in row] for row in values]) if few else None
    drawn = tiles(ax, values, limits=(0, float(np.nanmax(values))), texts=texts)
    names = [str(name).rpartition("/")[2] for name in table.columns]
    tile_labels(ax, emotions, names, angle=90)
    step = -(-len(names) // 32)
    ax.set_xticks(range(0, len(names), step), names[::step])
    ax.set_xlabel(f"speaker ({len(names)} in all)")
    figure.colorbar(drawn, ax=ax, label="clips (number)", pad=0.01).outline.set_visible(False)
    return figure


def _emotions(table: pd.DataFrame) -> list[str]:
    """The emotions present, in the order of the schema."""
    present = set(table["emotion"].dropna())
    found = [emotion for emotion in EMOTIONS if emotion in present]
    if not found:
        raise ValueError(f"The table of {len(table)} rows holds no known emotion; nothing to draw.")
    return found
