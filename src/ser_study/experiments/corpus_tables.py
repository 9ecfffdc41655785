"""Tables of one corpus: its people, examples to hear, cues of the voice, and what the audit found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ser_study import corpora
from ser_study.audio import prepare
from ser_study.config import Config
from ser_study.corpora import audit as audits
from ser_study.schema import EMOTIONS, FeatureSet, check_columns
from ser_study.store import Store

STRENGTH = {"low": 0, "normal": 1, "medium": 2, "strong": 3, "high": 3}  # an unknown intensity stands in the middle
MIDDLE = 1.5
CUES = {  # cue → column of the summary features
    "loudness_db": "rms_db_p50",
    "f0_hz": "f0_p50",
    "tempo": "voiced_segments_per_s",
    "pitch_range": "f0_p95",
}
LOWEST = 27.5  # Hz, where the semitones of the summary features begin
CONSEQUENCES = {  # issue → what the study does about it
    "unreadable": "left out",
    "silent": "left out",
    "duplicate": "left out; the first copy stays",
    "conflict": "left out, all copies",
    "clipped": "kept as recorded",
    "stereo": "kept; the mean of the channels is used",
    "odd rate": "kept; every clip is resampled",
    "short": "kept; padded with zeros",
    "long": "kept; its middle is used",
    "copied": "one of the files is used",
    "unused": "not read",
    "noted": "kept as recorded",
}
N_EXAMPLES = 3  # clips named in a row of the audit


def emotions_of(clips: pd.DataFrame) -> list[str]:
    """The emotions present, in the order of the schema."""
    present = set(clips["emotion"].dropna())
    return [emotion for emotion in EMOTIONS if emotion in present]


def people(clips: pd.DataFrame) -> pd.DataFrame:
    """One row a named speaker: ``speaker, gender, age, clips``, sorted by name; empty where nobody is named."""
    check_columns(clips, ["speaker", "gender", "age"], what="clips")
    found = clips[clips["speaker"].notna()].groupby("speaker")
    return found.agg(gender=("gender", "first"), age=("age", "first"), clips=("speaker", "size")).reset_index()


def examples(clips: pd.DataFrame, *, config: Config, store: Store) -> list[dict[str, Any]]:
    """One clip of each emotion, as prepared for features.

    The speaker with most emotions says them all as far as possible; then the strongest intensity decides,
    then the sentence that most emotions share, then the name. Clips that may not be studied are no example.

    Returns
    -------
    One dict an emotion: ``emotion``, ``name``, ``speaker``, ``gender``, ``statement``, ``intensity``, ``signal``
    (s,), ``sample_rate`` (Hz), ``path`` (absolute); none where the corpus is here as a pack only.

    Raises
    ------
    ValueError
        No clip can be studied.
    """
    kept, dropped = corpora.analysed(clips)
    kept = kept[kept["emotion"].notna()]
    if kept.empty:
        raise ValueError(
            f"None of the {len(clips)} clips can be studied ({len(dropped)} dropped); run: ser-study validate."
        )
    return heard(_choose(kept), config=config, store=store)


def heard(chosen: pd.DataFrame, *, config: Config, store: Store) -> list[dict[str, Any]]:
    """Rows of the clips table as prepared for features, in their order; see ``examples`` for what a dict holds."""
    if any(corpora.pack_of(name, store) for name in chosen["corpus"].unique()):
        return []
    rows = []
    for clip in chosen.to_dict(orient="records"):
        path = (corpora.root_of(clip["corpus"], store) / clip["path"]).resolve()
        told = {name: clip[name] for name in ("emotion", "speaker", "gender", "statement", "intensity")}
        signal = prepare.load(path, config.audio)
        name = clip["clip_id"].partition("/")[2]
        rows.append(told | {"name": name, "signal": signal, "sample_rate": config.audio.sample_rate, "path": path})
    return rows


def _choose(clips: pd.DataFrame) -> pd.DataFrame:
    """The example of each emotion: one row each, in the order of the schema."""
    speaker = clips["speaker"].fillna("")
    reach = clips.groupby(speaker)["emotion"].nunique()
    ranked = clips.assign(
        is_song=clips["channel"] == "song",
        missing=-speaker.map(reach),
        weakness=-clips["intensity"].map(STRENGTH).fillna(MIDDLE),
        by=speaker,
    ).sort_values(["is_song", "missing", "by", "weakness", "clip_id"])
    first = ranked.groupby("emotion")[["is_song", "by", "weakness"]].transform("first")
    alike = ranked[(ranked[["is_song", "by", "weakness"]] == first).all(axis=1)]  # the candidates of each emotion
    spread = alike.groupby("statement")["emotion"].nunique()
    alike = alike.assign(rare=-alike["statement"].map(spread).fillna(0))
    best = (
        alike.sort_values(["rare", "statement", "clip_id"]).drop_duplicates("emotion").set_index("emotion", drop=False)
    )
    return best.loc[emotions_of(best)]


def prosody(clips: pd.DataFrame, vectors: FeatureSet, scan: pd.DataFrame) -> pd.DataFrame:
    """Loudness, pitch and tempo of each clip that is not silent, and its length once trimmed.

    Parameters
    ----------
    clips : clips table from ``corpora.load``
    vectors : the feature ``summary`` of these clips
    scan : table from ``corpora.scanned``

    Returns
    -------
    Columns ``clip_id, emotion, gender, channel, duration`` (s, as recorded), ``trimmed`` (s), ``peak_db`` and
    ``loudness_db`` (largest sample, and median level of the frames, dB re full scale), ``f0_hz`` (median),
    ``tempo`` (voiced segments per s) and ``pitch_range`` (semitones from the 5th to the 95th percentile);
    the pitch of a clip without a voiced frame is empty.
    """
    silent = clips["silent"].astype(bool) if "silent" in clips else pd.Series(False, index=clips.index)
    heard = clips[clips["clip_id"].isin(vectors.clip_id) & ~silent].reset_index(drop=True)
    values = pd.DataFrame(vectors.rows(heard["clip_id"].to_numpy()), columns=list(vectors.columns)).astype(float)
    check_columns(values, [*CUES.values(), "f0_p05", "duration", "voiced_share"], what="summary features")
    table = heard[["clip_id", "emotion", "gender", "channel", "duration"]].assign(trimmed=values["duration"])
    peak = heard["clip_id"].map(scan.drop_duplicates("clip_id").set_index("clip_id")["peak"])
    table["peak_db"] = 20 * np.log10(peak.clip(lower=1e-5))
    table = table.assign(**{cue: values[column] for cue, column in CUES.items()})
    voiced = values["voiced_share"] > 0
    table["f0_hz"] = (LOWEST * 2 ** (table["f0_hz"] / 12)).where(voiced)
    table["pitch_range"] = (values["f0_p95"] - values["f0_p05"]).where(voiced)
    return table


def spoken(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that are not sung, since the pitch of song is its melody's; all rows where everything is sung."""
    speech = table["channel"] != "song"
    return table[speech].reset_index(drop=True) if speech.any() else table


def prosody_medians(table: pd.DataFrame) -> pd.DataFrame:
    """Median of each cue by emotion, one row an emotion; pitch apart for women and men where sex is known."""
    rows = []
    for emotion in emotions_of(table):
        here = table[table["emotion"] == emotion]
        row = {"emotion": emotion, "clips": len(here), "length (s)": here["trimmed"].median()}
        row["loudness (dB)"] = here["loudness_db"].median()
        for sex, words in (("female", "F0 women (Hz)"), ("male", "F0 men (Hz)")):
            if (table["gender"] == sex).any():
                row[words] = here.loc[here["gender"] == sex, "f0_hz"].median()
        if not table["gender"].isin(["female", "male"]).any():
            row["F0 (Hz)"] = here["f0_hz"].median()
        row["pitch range (semitones)"] = here["pitch_range"].median()
        row["voiced segments per s"] = here["tempo"].median()
        rows.append(row)
    return pd.DataFrame(rows)


def audit(corpus: str, *, config: Config, store: Store) -> pd.DataFrame:
    """What the audit of one corpus found, one row a kind of issue; the kept scan is read, not made again.

    Returns
    -------
    Columns ``issue``, ``count``, ``known`` (bool), ``consequence``, ``examples`` (clips), ``detail`` (of the first);
    unexpected issues come first. Empty where nothing was found.
    """
    _, details, _ = audits.validate(store, config, [corpus])
    return grouped(details)


def grouped(details: pd.DataFrame) -> pd.DataFrame:
    """Issues of an audit (``issue, clip_id, detail, known``), one row a kind; see ``audit``."""
    columns = ["issue", "count", "known", "consequence", "examples", "detail"]
    groups = details.groupby(["known", "issue"], sort=False)
    rows = [_issue_row(issue, bool(known), found) for (known, issue), found in groups]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["known", "count", "issue"], ascending=[True, False, True], ignore_index=True)


def _issue_row(issue: str, known: bool, found: pd.DataFrame) -> Mapping[str, Any]:
    names = sorted(clip.partition("/")[2] for clip in found["clip_id"] if clip)
    more = f" and {len(names) - N_EXAMPLES:,} more" if len(names) > N_EXAMPLES else ""
    first = found.sort_values("clip_id").iloc[0]
    return {
        "issue": issue,
        "count": len(found),
        "known": known,
        "consequence": CONSEQUENCES.get(issue, "to be looked at"),
        "examples": ", ".join(names[:N_EXAMPLES]) + more,
        "detail": first["detail"],
    }


def shared(clips: pd.DataFrame, unit: str) -> float:
    """How many other clips an average clip shares its speaker (or statement, take) with; NaN where none is known."""
    sizes = clips[unit].dropna().value_counts().to_numpy(float)
    return float((sizes * (sizes - 1)).sum() / sizes.sum()) if len(sizes) else np.nan
