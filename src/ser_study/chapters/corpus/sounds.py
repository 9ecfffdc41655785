"""Recordings to look at and listen to, and the classic descriptors of all clips.

Conventions
-----------
A *recording* is a dict with the clip's ``corpus, emotion, speaker, gender, statement, intensity``; ``name``, ``path``
(absolute); ``signal`` (s,) as prepared for features, ``sample_rate`` in Hz; and for its frames ``time`` (t,), their
centres in s, ``envelope`` (t,), ``mel_db`` (t, n_mels) with ``mel_hz`` (n_mels,), and ``f0_hz`` (t,), NaN where
unvoiced. A pack holds no sound: where the corpus is here as a pack only, there are no recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser_study import corpora, features
from ser_study.chapters.corpus.tables import emotions_of, spoken
from ser_study.evaluation.summaries import variance_shares
from ser_study.features.inspection import analysis_of, envelope, mel_centres
from ser_study.study import Study

STRENGTH = {"low": 0, "normal": 1, "medium": 2, "strong": 3, "high": 3}  # an unknown intensity stands in the middle
MIDDLE = 1.5
FACTS = ("corpus", "emotion", "speaker", "gender", "statement", "intensity")
SEXES = ("female", "male")
ALIKE = (["sentence", "level"], ["level"], [])  # what a pair should share, from strict to lax
PREFERRED = "happy"  # said with a wide range of pitch; otherwise the first emotion of the schema that both act
CHROMA = "means184"  # the feature set that has chroma
DESCRIPTORS = {  # column of ``summary``, or of ``CHROMA`` → name, unit
    "rms_db_mean": ("level (RMS)", "dB re full scale"),
    "zcr_mean": ("zero crossings", "share of samples"),
    "centroid_mean": ("centroid", "Hz"),
    "rolloff_mean": ("roll-off", "Hz"),
    **{f"mfcc_{i:02d}_mean": (f"MFCC {i}", "dB") for i in (1, 2, 3)},  # 0 is the level once more
    **{f"chroma_{note}_mean": (f"chroma {note.upper().replace('#', '♯')}", "0–1") for note in ("c", "e", "g#")},
}


def examples(study: Study, analysed: pd.DataFrame) -> list[dict[str, Any]]:
    """One recording of each emotion.

    The speaker with most emotions says them all as far as possible; then the strongest intensity decides,
    then the sentence that most emotions share, then the name.
    """
    return recordings(study, _example_clips(analysed))


def by_intensity(study: Study, clips: pd.DataFrame) -> list[dict[str, Any]]:
    """Recordings of one speaker, and of one sentence as far as possible: each emotion at each intensity there is.

    An emotion's clips of unknown intensity are shown only where it has no other.
    """
    return recordings(study, _each_intensity(clips))


def pair(study: Study, clips: pd.DataFrame, prosody: pd.DataFrame) -> list[dict[str, Any]]:
    """Recordings of a woman and of a man in the same emotion, with ``usual_hz``.

    Both have the same intensity and say the same sentence as far as possible; of those, the two whose median F0 is
    nearest to that of their sex in this emotion (``usual_hz``).

    Parameters
    ----------
    prosody : ``tables.prosody`` of these clips

    Returns
    -------
    The woman, then the man; none where no emotion is known of both, or where there is no sound.
    """
    chosen = _woman_and_man(clips, prosody)
    return [item | {"usual_hz": hertz} for item, hertz in zip(recordings(study, chosen), chosen.get("usual", ()))]


def recordings(study: Study, clips: pd.DataFrame) -> list[dict[str, Any]]:
    """The recordings of some clips, in their order; none where there is a pack only."""
    config, store = study.config, study.store
    if any(corpora.pack_of(corpus, store) for corpus in clips["corpus"].unique()):
        return []
    items = []
    for clip in clips.to_dict(orient="records"):
        analysis = analysis_of(clip, config=config, store=store)
        items.append(
            {column: clip[column] for column in FACTS}
            | {
                "name": clip["clip_id"].partition("/")[2],
                "path": (corpora.root_of(clip["corpus"], store) / clip["path"]).resolve(),
                "signal": analysis.signal,
                "sample_rate": analysis.sample_rate,
                "time": analysis.times,
                "envelope": envelope(analysis.signal, config.frames),
                "mel_db": analysis.mel_db,
                "mel_hz": mel_centres(analysis),
                "f0_hz": np.where(analysis.is_voiced, analysis.f0, np.nan),
            }
        )
    return items


def _example_clips(clips: pd.DataFrame) -> pd.DataFrame:
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


def _each_intensity(clips: pd.DataFrame) -> pd.DataFrame:
    """The clips of ``by_intensity``, sorted by emotion and strength; a sentence that half the emotions lack is let go.

    Speech goes before song; where several speakers or sentences fill equally many places, the first by name.
    """
    known = spoken(clips[clips["emotion"].notna()]).sort_values("clip_id")
    speaker, sentence, level = (known[name].fillna("") for name in ("speaker", "statement", "intensity"))
    known = known.assign(voice=speaker, sentence=sentence, level=level, strength=level.map(STRENGTH).fillna(MIDDLE))
    for shared in (["voice", "sentence"], ["voice"]):
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
    both at the strongest intensity that it is acted at.
    """
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
                       sentence=here["statement"].fillna(""), level=here["intensity"].fillna(""))  # fmt: skip
    for shared in ALIKE:
        nearest = here.sort_values(["away", "clip_id"]).drop_duplicates(["gender", *shared])
        groups = nearest.groupby(shared) if shared else nearest.groupby(np.zeros(len(nearest)))
        nearest = nearest.assign(n=groups["gender"].transform("size"), sum=groups["away"].transform("sum"))
        pairs = nearest[nearest["n"] == len(SEXES)].sort_values(["sum", *shared, "gender"])
        if len(pairs):
            break
    return pairs.head(len(SEXES)).sort_values("gender")


def descriptors(study: Study, clips: pd.DataFrame) -> pd.DataFrame:
    """Mean over the frames of each clip, for a handful of the classic descriptors; sung clips are left out.

    Chroma is in only where the study extracts ``CHROMA`` anyway, so that no clip is decoded for it alone.

    Parameters
    ----------
    clips : clips that are analysed

    Returns
    -------
    Columns ``corpus, emotion, speaker`` and those of ``DESCRIPTORS`` that there are; one row a clip with a known
    emotion.
    """
    names = ["summary"] + [CHROMA] * (CHROMA in study.config.benchmark.features)
    table = spoken(clips[clips["emotion"].notna()])[["clip_id", "corpus", "emotion", "speaker"]]
    for name in names:
        vectors = features.load(name, clips, config=study.config, store=study.store)
        columns = [column for column in DESCRIPTORS if column in vectors.columns and column not in table]
        values = pd.DataFrame(vectors.values, index=vectors.clip_id, columns=list(vectors.columns))[columns]
        table = table.merge(values.astype(float), left_on="clip_id", right_index=True)
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
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("within_speakers", ascending=False, kind="stable", ignore_index=True)


def _present(table: pd.DataFrame) -> Sequence[str]:
    return [name for name in DESCRIPTORS if name in table]
