"""Corpora → clips: one module a corpus, found by being in this folder.

Conventions
-----------
A corpus module offers ``INFO`` and ``rows(root)`` (see ``corpora.info``); one that makes its own audio also
offers ``generate(root, settings)``, which returns the folder it filled. To add a corpus, add a file.

``load`` gives every clip *found*; ``analysed`` leaves out what no study may use: silent or unreadable clips,
clips without a class, duplicates (the first ``clip_id`` stays, a published one before your own), and sounds that occur
under two different labels (all go). A study cleans all its corpora together.
Where a corpus is here as a pack only (``packed``), its clips come from the pack; audio beside a pack wins.
A *selection* is the name of a corpus or of a part of one (``ravdess-speech``).
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pandas as pd

from ser_study import schema
from ser_study.config import Config, unknown
from ser_study.corpora import copies, folders, packed, published, scan, seen
from ser_study.store import Store

SHARED = {"audit", "copies", "files", "folders", "info", "leftovers", "packed", "places", "published"}
SHARED |= {"scan", "seen"}  # no corpora
PARTS: Mapping[str, tuple[str, str, str]] = {  # selection → corpus, column, how its values begin
    "ravdess-speech": ("ravdess", "channel", "speech"),
    "ravdess-song": ("ravdess", "channel", "song"),
    "iemocap-improvised": ("iemocap", "script", "impro"),
}


def names() -> list[str]:
    """Every corpus that this package knows, in alphabetical order."""
    return sorted(entry.name for entry in pkgutil.iter_modules(__path__) if entry.name not in SHARED)


def module(name: str) -> ModuleType:
    """The module of a corpus.

    Raises
    ------
    ValueError
        No corpus has this name; the message suggests one.
    """
    if name not in names():
        raise ValueError(unknown("corpus", name, names()))
    return importlib.import_module(f"{__name__}.{name}")


def present(raw: Path) -> list[str]:
    """Corpora with an audio file, or a pack, below ``raw``; a corpus that makes its own audio is none of them. Of a
    published run, its corpora."""
    if published.is_run(raw):
        return published.corpora(raw)
    there = [name for name in names() if packed.path_of(name, raw).is_file() or packed.has_audio(name, raw)]
    return [name for name in there if not hasattr(module(name), "generate")]


def state(name: str, store: Store) -> str:
    """How a corpus is here, in words: "built in", "here" (its audio), "pack" or "absent"."""
    if hasattr(module(name), "generate"):
        return "built in"
    return "here" if packed.has_audio(name, store.raw) else "pack" if packed.is_used(name, store.raw) else "absent"


def pack_of(corpus: str, store: Store) -> packed.Pack | None:
    """The pack of a corpus whose audio is not here; None where the audio is, or nothing at all.

    Raises
    ------
    ValueError
        The pack is damaged, of another corpus or of another version.
    """
    if hasattr(module(corpus), "generate") or not packed.is_used(corpus, store.raw):
        return None
    return packed.read(packed.path_of(corpus, store.raw), corpus)


def without_audio(corpus: str, store: Store) -> str:
    """What cannot be shown of a corpus that is here as a pack only, as a sentence; empty where its audio is here."""
    if pack_of(corpus, store) is None:
        return ""
    return (
        f"The audio of {module(corpus).INFO.title} is not here: clips and features come from a pack. "
        "So there are no waveforms, no spectrograms and no players; run this where the audio is to see and play them."
    )


def root_of(corpus: str, store: Store) -> Path:
    """Folder that the ``path`` column of a corpus is below; a corpus that makes its own audio is a derived one."""
    return store.derived if hasattr(module(corpus), "generate") else store.raw


def folder_of(corpus: str, *, config: Config, store: Store) -> Path:
    """Folder of a corpus; one that makes its own audio makes it now, unless it is there already."""
    if generate := getattr(module(corpus), "generate", None):
        return generate(store.derived / corpus, config.synthetic)
    return folders.find(corpus, store.raw)


def load(name: str, *, config: Config, store: Store) -> pd.DataFrame:
    """Every clip found of a corpus.

    Returns
    -------
    Clips table, sorted by ``clip_id``, with one more column: ``silent`` (bool), which ``analysed`` needs.

    Raises
    ------
    FileNotFoundError
        The corpus has no audio and no pack here; the message says how to get it.
    ValueError
        Two files claim the same clip, or a side file or a pack cannot be understood.
    """
    if store.published:
        return published.clips(store.published, name)
    table = copies.one_file_a_clip(scanned(name, config=config, store=store))
    return schema.check_clips(table).assign(silent=table["silent"])


def scanned(name: str, *, config: Config, store: Store) -> pd.DataFrame:
    """One row a file that is a clip of the corpus: the clips columns and those of ``scan``."""
    if (pack := pack_of(name, store)) is not None:
        return packed.clips(pack)
    table = labelled(name, folder_of(name, config=config, store=store), store=store)
    return measured(table, config=config, store=store)


def labelled(name: str, root: Path, *, store: Store) -> pd.DataFrame:
    """One row a file that is a clip of the corpus below ``root``: what names and side files say of it."""
    corpus, base = module(name), root_of(name, store)
    rows = corpus.rows(root) if root.is_dir() else []
    if not rows:
        raise FileNotFoundError(seen.no_clip(corpus.INFO, root))
    table = pd.DataFrame(rows).reindex(columns=list(schema.CLIP_COLUMNS)).assign(corpus=name)
    table["path"] = [_below(path, root, base) for path in table["path"]]
    table["take"] = [take_of(row) for row in table[list(_TAKE)].to_dict(orient="records")]
    return table


def measured(table: pd.DataFrame, *, config: Config, store: Store) -> pd.DataFrame:
    """A table from ``labelled`` with what the samples of each file say."""
    name = table["corpus"].iloc[0]
    base = root_of(name, store)
    measurements = scan.cached_scan(sorted(table["path"]), base=base, corpus=name, config=config, store=store)
    columns = [column for column in table.columns if column == "path" or column not in measurements.columns]
    return table[columns].merge(measurements, on="path", how="left", validate="many_to_one")


def take_of(row: Mapping) -> str | None:
    """Name of the take: corpus, speaker, emotion, intensity, statement and channel joined.

    Empty where speaker, emotion or statement is unknown: then nobody can tell which clips are takes of one thing.
    """
    if any(not isinstance(row[column], str) for column in ("speaker", "emotion", "statement")):
        return None
    return "|".join(row[column] if isinstance(row[column], str) else "" for column in _TAKE)


_TAKE = ("corpus", "speaker", "emotion", "intensity", "statement", "channel")


def analysed(clips: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What may be studied, and what was dropped and why.

    Parameters
    ----------
    clips : one or more tables from ``load``, concatenated

    Returns
    -------
    clips : clips table, in its order
    dropped : columns ``clip_id``, ``corpus``, ``reason`` (unreadable, silent, unlabelled, conflict, duplicate),
        ``detail``
    """
    schema.check_columns(clips, ["silent"], what="clips (take it from corpora.load)")
    reasons = drop_reasons(clips)
    dropped = clips.loc[reasons["reason"].notna(), ["clip_id", "corpus"]].join(reasons)
    return schema.check_clips(clips[reasons["reason"].isna()].reset_index(drop=True)), dropped.reset_index(drop=True)


def drop_reasons(clips: pd.DataFrame) -> pd.DataFrame:
    """``reason`` and ``detail`` of each clip, empty for one that stays; indexed like ``clips``."""
    reasons = pd.DataFrame({"reason": None, "detail": None}, index=clips.index, dtype=object)
    reasons.loc[clips["sha256"].isna()] = ["unreadable", "the file cannot be read; see validate"]
    reasons.loc[clips["silent"].astype(bool)] = ["silent", "no sample rises above the silence threshold"]
    classless = clips["emotion"].isna() | (clips["emotion"] == "other")
    reasons.loc[classless & reasons["reason"].isna()] = ["unlabelled", "no emotion that is a class of this study"]
    good = clips[reasons["reason"].isna()]
    audible = good.assign(own=good["corpus"] == "own").sort_values(["own", "clip_id"])  # the published copy stays
    for _, same in audible[audible["sha256"].duplicated(keep=False)].groupby("sha256"):
        if same["emotion"].nunique(dropna=False) > 1:
            listed = ", ".join(f"{clip} ({emotion})" for clip, emotion in zip(same["clip_id"], same["emotion"]))
            reasons.loc[same.index] = ["conflict", f"one sound, different labels: {listed}"]
        else:
            reasons.loc[same.index[1:]] = [
                "duplicate",
                f"the same sound and label as {same['clip_id'].iloc[0]}, which stays",
            ]
    return reasons


def selections() -> list[str]:
    """Every name that ``select`` takes."""
    return names() + list(PARTS)


def selections_of(corpus: str) -> list[str]:
    """Selections of a corpus that the study holds: speech and song of RAVDESS, all and the improvised of IEMOCAP."""
    parts = [name for name, (of, _, _) in PARTS.items() if of == corpus]
    return parts if corpus == "ravdess" else [corpus, *parts]


def chosen(requested: Sequence[str], raw: Path) -> list[str]:
    """Corpora of a run: those requested, else all that are here, else the built-in one.

    Raises
    ------
    ValueError
        An unknown corpus, or one that is not here.
    """
    here = present(raw)
    wanted = list(requested) or here or ["synthetic"]
    missing = [name for name in wanted if not hasattr(module(name), "generate") and name not in here]
    if missing:
        raise ValueError(
            f"No audio of {', '.join(missing)} in the data folder (found: {', '.join(here) or 'nothing'}); "
            f"get it with 'ser-study download {' '.join(missing)}', or choose others with --corpora."
        )
    return wanted


def check_given(raw: Path) -> None:
    """Raise ``FileNotFoundError`` where a data folder that somebody named holds no corpus: what was seen, what to do.

    Nothing falls back to the built-in corpus there, for its numbers would pass for those of the user's recordings.
    """
    if not present(raw):
        raise FileNotFoundError(
            f"No corpus in the data folder {raw}. {seen.described(raw, names(), _alike(raw))} Expected are folders "
            "such as ravdess/, tess/ or own/ (see data/README.md); without --data and SER_STUDY_DATA there is a demo."
        )


def _alike(folder: Path) -> list[str]:
    """Published corpora whose clips lie in a folder, whatever it is called."""
    published = [name for name in names() if module(name).INFO.example and name != "iemocap"]  # that needs its labels
    return [name for name in published if module(name).rows(folder)]


def corpus_of(selection: str) -> str:
    """Corpus that a selection belongs to.

    Raises
    ------
    ValueError
        Unknown selection; the message suggests one.
    """
    if selection not in selections():
        raise ValueError(unknown("selection", selection, selections()))
    return PARTS[selection][0] if selection in PARTS else selection


def select(clips: pd.DataFrame, selection: str) -> pd.DataFrame:
    """The clips of a selection, in their order, freshly indexed."""
    chosen = clips["corpus"] == corpus_of(selection)
    if selection in PARTS:
        _, column, start = PARTS[selection]
        chosen &= clips[column].str.startswith(start).fillna(False).astype(bool)
    return clips[chosen].reset_index(drop=True)


def _below(path: Path, root: Path, base: Path) -> str:
    """``path`` below ``base``, with forward slashes; loaders may give it with or without ``root``."""
    start, text = f"{base}{os.sep}", os.fspath(path)
    whole = text if text.startswith(f"{root}{os.sep}") else os.path.join(root, text)
    if not whole.startswith(start):
        raise ValueError(f"{whole} is not below {base}; give the folder of the corpus inside the data folder.")
    return whole.removeprefix(start).replace(os.sep, "/")
