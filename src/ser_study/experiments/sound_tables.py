"""Clips to look at closely, and what the classic descriptors of all clips say of emotion.

Conventions
-----------
A *heard* clip is a dict as ``corpus_tables.heard`` makes it (``signal`` (s,), ``sample_rate`` in Hz, who, what), with
``time`` (t,), the centres of its frames in s, and ``envelope`` (t,). Where the corpus is here as a pack only, nobody
can hear anything: the functions that need the sound then return nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import maximum_filter1d

from ser_study import corpora, features
from ser_study.audio import prepare
from ser_study.config import Config, Frames
from ser_study.experiments.corpus_tables import MIDDLE, STRENGTH, emotions_of, heard, spoken
from ser_study.experiments.findings import variance_shares
from ser_study.features import filters, frames
from ser_study.schema import FeatureSet, Signal
from ser_study.store import Store

SEXES = ("female", "male")
ALIKE = (["said", "level"], ["level"], [])  # what a pair should share, sentence and intensity, from strict to lax
PREFERRED = "happy"  # said with a wide range of pitch; otherwise the first emotion of the schema that both act
CHROMA = "seed184"  # the feature set that has chroma
DESCRIPTORS = {  # column of ``summary``, or of ``CHROMA`` → name, unit
    "rms_db_mean": ("level (RMS)", "dB re full scale"),
    "zcr_mean": ("zero crossings", "share of samples"),
    "centroid_mean": ("centroid", "Hz"),
    "rolloff_mean": ("roll-off", "Hz"),
    **{f"mfcc_{i:02d}_mean": (f"MFCC {i}", "dB") for i in (1, 2, 3)},  # 0 is the level once more
    **{f"chroma_{note}_mean": (f"chroma {note.upper().replace('#', '♯')}", "0–1") for note in ("c", "e", "g#")},
}


def analysis_of(clip: Mapping[str, Any], *, config: Config, store: Store) -> frames.Analysis | None:
    """Frame-wise features of a row of the clips table; None where its corpus is here as a pack only."""
    if corpora.pack_of(clip["corpus"], store) is not None:
        return None
    path = corpora.root_of(clip["corpus"], store) / clip["path"]
    return frames.analyse(prepare.load(path, config.audio), config.audio.sample_rate, config.frames)


def mel_centres(found: frames.Analysis) -> np.ndarray:
    """Mean frequency of each mel band in Hz, (n_mels,)."""
    n_fft = found.settings.n_fft
    bank = filters.mel_bank(found.sample_rate, n_fft, found.settings.n_mels)
    return bank @ filters.frequencies(found.sample_rate, n_fft) / np.maximum(bank.sum(axis=1), 1e-12)


def envelope(signal: Signal, settings: Frames) -> np.ndarray:
    """Largest sample, regardless of sign, within a hop of each frame's centre, (s,) → (t,).

    So straight lines from centre to centre bound the signal, as closely as one value a frame can.
    """
    loudest = maximum_filter1d(np.abs(np.pad(signal, (0, 1))), 2 * settings.hop_length + 1, mode="constant")
    return loudest[:: settings.hop_length]


def frame_by_frame(clip: Mapping[str, Any], *, config: Config, store: Store) -> dict[str, np.ndarray]:
    """What every frame feature hears in one clip; nothing where the corpus is here as a pack only.

    Parameters
    ----------
    clip : a row of the clips table

    Returns
    -------
    ``signal`` (s,) and ``sample_rate`` (Hz); ``time`` (s), ``envelope``, ``rms``, ``zcr`` (share of samples),
    ``centroid_hz``, ``rolloff_hz`` and ``is_voiced``, all (t,); ``mel_db`` (t, n_mels) with ``mel_hz`` (n_mels,);
    ``chroma`` (t, 12) and ``mfcc`` (t, n_mfcc).
    """
    found = analysis_of(clip, config=config, store=store)
    if found is None:
        return {}
    return {
        "signal": found.signal,
        "sample_rate": found.sample_rate,
        "time": found.times,
        "envelope": envelope(found.signal, config.frames),
        "rms": found.rms,
        "zcr": found.zcr,
        "centroid_hz": found.centroid,
        "rolloff_hz": found.rolloff,
        "is_voiced": found.is_voiced,
        "mel_db": found.mel_db,
        "mel_hz": mel_centres(found),
        "chroma": found.chroma,
        "mfcc": found.mfcc,
    }


def by_intensity(clips: pd.DataFrame, *, config: Config, store: Store) -> list[dict[str, Any]]:
    """Heard clips of one speaker, and of one sentence as far as possible: each emotion at each intensity there is.

    An emotion's clips of unknown intensity are shown only where it has no other.
    """
    return _heard(_each_intensity(clips), config=config, store=store)


def pair(clips: pd.DataFrame, prosody: pd.DataFrame, *, config: Config, store: Store) -> list[dict[str, Any]]:
    """A woman and a man heard in the same emotion, with ``f0_hz`` (t,), NaN where unvoiced, and ``usual_hz``.

    Both have the same intensity and say the same sentence as far as possible; of those, the two whose median F0 is
    nearest to that of their sex in this emotion (``usual_hz``).

    Parameters
    ----------
    prosody : table from ``corpus_tables.prosody`` of these clips

    Returns
    -------
    The woman, then the man; none where no emotion is known of both, or where nothing can be heard.
    """
    chosen = _woman_and_man(clips, prosody)
    items = _heard(chosen, config=config, store=store)
    for item, usual in zip(items, chosen.get("usual", ())):
        found = frames.analyse(item["signal"], item["sample_rate"], config.frames)
        item |= {"f0_hz": np.where(found.is_voiced, found.f0, np.nan), "usual_hz": usual}
    return items


def _heard(chosen: pd.DataFrame, *, config: Config, store: Store) -> list[dict[str, Any]]:
    items = heard(chosen, config=config, store=store)
    for item in items:
        item["envelope"] = envelope(item["signal"], config.frames)
        item["time"] = np.arange(len(item["envelope"])) * (config.frames.hop_length / item["sample_rate"])
    return items


def _each_intensity(clips: pd.DataFrame) -> pd.DataFrame:
    """The clips of ``by_intensity``, sorted by emotion and strength; a sentence that half the emotions lack is let go.

    Speech goes before song; where several speakers or sentences fill equally many places, the first by name.
    """
    known = spoken(clips[clips["emotion"].notna()]).sort_values("clip_id")
    by, said, level = (known[name].fillna("") for name in ("speaker", "statement", "intensity"))
    known = known.assign(by=by, said=said, level=level, strength=level.map(STRENGTH).fillna(MIDDLE))
    for shared in (["by", "said"], ["by"]):
        places = known.drop_duplicates([*shared, "emotion", "level"])
        filled = places.groupby(shared).size().sort_values(ascending=False, kind="stable")
        names = filled.index[0] if len(shared) > 1 else (filled.index[0],)
        here = places[(places[shared] == list(names)).all(axis=1)]
        if 2 * here["emotion"].nunique() >= known["emotion"].nunique():
            break
    has_level = here.groupby("emotion")["strength"].transform("size") > 1
    here = here[(here["level"] != "") | ~has_level]
    order = {emotion: place for place, emotion in enumerate(emotions_of(here))}
    return here.assign(row=here["emotion"].map(order)).sort_values(["row", "strength", "level"])


def _woman_and_man(clips: pd.DataFrame, prosody: pd.DataFrame) -> pd.DataFrame:
    """The clips of ``pair``, woman first, or none, with ``usual``: the median F0 of their sex in this emotion (Hz),
    both at the strongest intensity that it is acted at."""
    pitch = prosody[["clip_id", "f0_hz"]].dropna()
    known = spoken(clips[clips["gender"].isin(SEXES)]).merge(pitch, on="clip_id")
    acted = known.groupby("emotion")["gender"].nunique()
    both = [name for name in emotions_of(known) if acted[name] == len(SEXES)]
    if not both:
        return known.iloc[:0]
    here = known[known["emotion"] == (PREFERRED if PREFERRED in both else both[0])]
    strongest = here["intensity"].map(STRENGTH).fillna(MIDDLE)
    here = here[strongest == strongest.groupby(here["gender"]).transform("max")]
    usual = here.groupby("gender")["f0_hz"].transform("median")
    here = here.assign(usual=usual, away=np.log2(here["f0_hz"] / usual).abs(),
                       said=here["statement"].fillna(""), level=here["intensity"].fillna(""))  # fmt: skip
    for shared in ALIKE:
        nearest = here.sort_values(["away", "clip_id"]).drop_duplicates(["gender", *shared])
        groups = nearest.groupby(shared) if shared else nearest.groupby(np.zeros(len(nearest)))
        nearest = nearest.assign(n=groups["gender"].transform("size"), sum=groups["away"].transform("sum"))
        pairs = nearest[nearest["n"] == len(SEXES)].sort_values(["sum", *shared, "gender"])
        if len(pairs):
            break
    return pairs.head(len(SEXES)).sort_values("gender")


def descriptors(clips: pd.DataFrame, vectors: FeatureSet, *, config: Config, store: Store) -> pd.DataFrame:
    """Mean over the frames of each clip, for a handful of the classic descriptors; sung clips are left out.

    Chroma is in only where the study extracts ``CHROMA`` anyway, so that no clip is decoded for it alone.

    Parameters
    ----------
    clips : clips that are analysed
    vectors : the feature ``summary`` of these clips

    Returns
    -------
    Columns ``emotion, speaker`` and those of ``DESCRIPTORS`` that there are, one row a clip with a known emotion.
    """
    table = spoken(clips[clips["emotion"].notna()])[["clip_id", "emotion", "speaker"]]
    sets = [vectors]
    if CHROMA in config.study.features:
        sets.append(features.load(CHROMA, clips, config=config, store=store))
    for found in sets:
        names = [name for name in DESCRIPTORS if name in found.columns and name not in table]
        values = pd.DataFrame(found.values, index=found.clip_id, columns=list(found.columns))[names].astype(float)
        table = table.merge(values, left_on="clip_id", right_index=True)
    return table.drop(columns="clip_id").reset_index(drop=True)


def within_speakers(table: pd.DataFrame) -> pd.DataFrame:
    """Descriptors in standard deviations from each speaker's own mean; clips without a name count as one speaker."""
    names = _present(table)
    groups = table[names].groupby(table["speaker"].fillna(""))
    spread = groups.transform("std", ddof=0)
    scaled = (table[names] - groups.transform("mean")) / spread.where(spread > 1e-9, 1.0)
    return table.assign(**scaled)


def separation(table: pd.DataFrame, scaled: pd.DataFrame) -> pd.DataFrame:
    """How far each descriptor separates the emotions, most first; empty with fewer than two emotions.

    Parameters
    ----------
    table, scaled : of ``descriptors`` and ``within_speakers``

    Returns
    -------
    ``column``, ``descriptor``, ``unit``; ``median`` (in that unit); share of the variance between emotions (η², 0 to
    1) ``as_measured`` and ``within_speakers``; ``lowest`` and ``highest`` emotion, by the median of the scaled values.
    """
    names = _present(table)
    rows = []
    if table["emotion"].nunique() > 1:
        middles = scaled.groupby("emotion")[names].median()
        raw, own = (variance_shares(values[names].to_numpy(float), table["emotion"]) for values in (table, scaled))
        for name, share, within in zip(names, raw, own):
            rows.append((name, *DESCRIPTORS[name], table[name].median(), share, within,
                         middles[name].idxmin(), middles[name].idxmax()))  # fmt: skip
    columns = ["column", "descriptor", "unit", "median", "as_measured", "within_speakers", "lowest", "highest"]
    found = pd.DataFrame(rows, columns=columns)
    return found.sort_values("within_speakers", ascending=False, kind="stable", ignore_index=True)


def _present(table: pd.DataFrame) -> Sequence[str]:
    return [name for name in DESCRIPTORS if name in table]
