"""Tables of one corpus: its clips and speakers, cues of the voice, and the audit of its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ser_study import corpora, features
from ser_study.corpora import audit as audits
from ser_study.schema import EMOTIONS, FeatureSet, check_columns
from ser_study.study import Study

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
    "scale": "kept as recorded",
    "clipped": "kept as recorded",
    "stereo": "kept; the mean of the channels is used",
    "odd rate": "kept; every clip is resampled",
    "short": "kept; padded with zeros",
    "long": "kept; its middle is used",
    "copied": "one of the files is used",
    "format": "the lossless file is used",
    "unused": "not read",
    "not read": "not read",
    "noted": "kept as recorded",
}
N_EXAMPLES = 3  # clips named in a row of the audit


def load_clips(study: Study, corpus: str) -> pd.DataFrame:
    """Every clip of a corpus, also those that the study leaves out, with the column ``silent`` (bool)."""
    return corpora.load(corpus, config=study.config, store=study.store)


def analysed_and_dropped(study: Study, corpus: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clips of a corpus that are analysed, and those that are not with ``reason`` and ``detail``, each once."""
    parts = [study.parts[name] for name in corpora.selections_of(corpus) if name in study.parts]
    clips, dropped = (pd.concat([getattr(part, what) for part in parts]) for what in ("clips", "dropped"))
    return tuple(table.drop_duplicates("clip_id", ignore_index=True) for table in (clips, dropped))


def emotions_of(clips: pd.DataFrame) -> list[str]:
    """The emotions present, in the order of the schema."""
    present = set(clips["emotion"].dropna())
    return [emotion for emotion in EMOTIONS if emotion in present]


def speakers(clips: pd.DataFrame) -> pd.DataFrame:
    """One row a named speaker: ``speaker, gender, age, clips``, sorted by name; empty where nobody is named."""
    check_columns(clips, ["speaker", "gender", "age"], what="clips")
    named = clips[clips["speaker"].notna()].groupby("speaker")
    return named.agg(gender=("gender", "first"), age=("age", "first"), clips=("speaker", "size")).reset_index()


def prosody(study: Study, clips: pd.DataFrame) -> pd.DataFrame:
    """Loudness, pitch and tempo of each clip that is not silent, from the feature ``summary``; see ``cues``."""
    config, store = study.config, study.store
    vectors = features.load("summary", clips, config=config, store=store)
    scans = [corpora.scanned(corpus, config=config, store=store) for corpus in clips["corpus"].unique()]
    return cues(clips, vectors, pd.concat(scans))


def cues(clips: pd.DataFrame, vectors: FeatureSet, scan: pd.DataFrame) -> pd.DataFrame:
    """Cues of the voice and length once trimmed, of each clip that is not silent.

    Parameters
    ----------
    clips : clips table from ``corpora.load``
    vectors : the feature ``summary`` of these clips
    scan : table from ``corpora.scanned``

    Returns
    -------
    Columns ``clip_id, corpus, emotion, gender, channel, duration`` (s, as recorded), ``trimmed`` (s), ``peak_db`` and
    ``loudness_db`` (largest sample, and median level of the frames, dB re full scale), ``f0_hz`` (median),
    ``tempo`` (voiced segments per s) and ``pitch_range`` (semitones from the 5th to the 95th percentile);
    the pitch of a clip without a voiced frame is empty.
    """
    silent = clips["silent"].astype(bool) if "silent" in clips else pd.Series(False, index=clips.index)
    audible = clips[clips["clip_id"].isin(vectors.clip_id) & ~silent].reset_index(drop=True)
    values = pd.DataFrame(vectors.rows(audible["clip_id"].to_numpy()), columns=list(vectors.columns)).astype(float)
    check_columns(values, [*CUES.values(), "f0_p05", "duration", "voiced_share"], what="summary features")
    columns = ["clip_id", "corpus", "emotion", "gender", "channel", "duration"]
    table = audible[columns].assign(trimmed=values["duration"])
    peak = audible["clip_id"].map(scan.drop_duplicates("clip_id").set_index("clip_id")["peak"])
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


def audit(study: Study, corpus: str) -> pd.DataFrame:
    """What the audit of one corpus says, one row a kind of issue; a cached scan is read, not made again.

    Returns
    -------
    Columns ``issue``, ``count``, ``known`` (bool), ``consequence``, ``examples`` (clips), ``detail`` (of the first);
    unexpected issues come first. Empty where there is no issue.
    """
    _, details, _ = audits.validate(study.store, study.config, [corpus])
    return by_issue(details)


def by_issue(details: pd.DataFrame) -> pd.DataFrame:
    """Issues of an audit (``issue, clip_id, detail, known``), one row a kind; see ``audit``."""
    columns = ["issue", "count", "known", "consequence", "examples", "detail"]
    groups = details.groupby(["known", "issue"], sort=False)
    kinds = [_issue_row(issue, bool(known), rows) for (known, issue), rows in groups]
    table = pd.DataFrame(kinds, columns=columns)
    return table.sort_values(["known", "count", "issue"], ascending=[True, False, True], ignore_index=True)


def _issue_row(issue: str, known: bool, rows: pd.DataFrame) -> Mapping[str, Any]:
    names = sorted(clip.partition("/")[2] for clip in rows["clip_id"] if clip)
    more = f" and {len(names) - N_EXAMPLES:,} more" if len(names) > N_EXAMPLES else ""
    first = rows.sort_values("clip_id").iloc[0]
    return {
        "issue": issue,
        "count": len(rows),
        "known": known,
        "consequence": CONSEQUENCES.get(issue, "to be looked at"),
        "examples": ", ".join(names[:N_EXAMPLES]) + more,
        "detail": first["detail"],
    }


def others_sharing(clips: pd.DataFrame, unit: str) -> float:
    """How many other clips an average clip shares its speaker (or statement, take) with; NaN where none is known."""
    sizes = clips[unit].dropna().value_counts().to_numpy(float)
    return float((sizes * (sizes - 1)).sum() / sizes.sum()) if len(sizes) else np.nan
