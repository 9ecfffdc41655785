"""Features of degraded recordings: each clip degraded as it was read, then prepared and described as in the study.

Babble is made of clips of other speakers of the same selection, as many different ones as there are. What is degraded
after preparation (``prepared``) is described as it is. One table a condition is kept, so that a run that was stopped
goes on with the next one.
"""

from __future__ import annotations

import dataclasses
import sys
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from ser_study import corpora, features
from ser_study.audio import degrade, prepare, reading
from ser_study.audio.degrade import CLEAN, DEGRADATIONS, N_VOICES, Condition
from ser_study.config import Config
from ser_study.experiments.selections import Selection
from ser_study.parallel import Failure, named_failures, parallel_map
from ser_study.schema import FeatureSet, Signal
from ser_study.store import Store, versions

VERSION = 1  # rises when the values of a condition change


def voices_of(clips: pd.DataFrame, clip_id: str) -> pd.DataFrame:
    """Rows of the clips that babble around a clip: of other speakers, one of each in turn, drawn by the clip's hash.

    Parameters
    ----------
    clips : clips table of one selection

    Raises
    ------
    ValueError
        The speaker of the clip has no name, or there is no other speaker.
    """
    own = clips[clips["clip_id"] == clip_id].iloc[0]
    others = clips[clips["speaker"].notna() & (clips["speaker"] != own["speaker"])]
    if pd.isna(own["speaker"]) or others.empty:
        raise ValueError(f"Babble needs other speakers than {own['speaker']} of {clip_id}; there are {len(others)}.")
    random = np.random.default_rng(zlib.crc32(f"{own['sha256']}/voices".encode()))
    mixed = others.iloc[random.permutation(len(others))]
    turn = mixed.groupby("speaker").cumcount().to_numpy()
    return mixed.iloc[np.argsort(turn, kind="stable")[:N_VOICES]]


def load(
    names: Sequence[str],
    part: Selection,
    clip_ids: Sequence[str],
    conditions: Sequence[Condition],
    *,
    config: Config,
    store: Store,
) -> Iterator[tuple[Condition, dict[str, FeatureSet]]]:
    """Each condition with the features of some clips in it, from the cache or made now.

    Parameters
    ----------
    names : keys of ``features.REGISTRY``
    part : the selection that the clips are of
    clip_ids : clips, in the order of the values
    conditions : of ``audio.degrade``; ``("clean", 0)`` degrades nothing

    Yields
    ------
    Condition, and feature → values. A clip that a condition cannot be made of is absent and named on stderr.

    Raises
    ------
    RuntimeError
        A clip failed for another reason than what it holds, such as a crashed worker; nothing of the condition is kept.
    """
    clips = part.clips.set_index("clip_id", drop=False).loc[list(clip_ids)]
    todo = [one for one in conditions if not store.is_fresh(store.path(*_artefact(names, part, clips, one, config)))]
    made = _made(names, part, clips, todo, config, store)
    for condition in conditions:
        name, key, _ = _artefact(names, part, clips, condition, config)
        # what is damaged was there, so it is not to do, and is made alone
        source = made if condition in todo else _made(names, part, clips, [condition], config, store)
        table = store.cached(name, key, partial(_next, source, condition))
        yield condition, {feature: _set_of(table, feature, clip_ids) for feature in names}


def _artefact(names, part: Selection, clips: pd.DataFrame, condition: Condition, config: Config) -> tuple:
    """Readable name, key and suffix of the values of a condition."""
    kind, level = condition
    uses_others = kind != CLEAN and DEGRADATIONS[kind].voices
    key = {
        "condition": [kind, level],
        "clips": clips["sha256"].tolist(),
        "others": part.digest if uses_others else "",
        "features": [features.get(name).settings(config) for name in names],
        "voices": config.audio if uses_others else None,
        "version": [VERSION, degrade.VERSION],
        "libraries": features.made_with(names, config) | libraries(),
    }
    return f"degraded/{part.name}_{kind}_{level:g}", key, ".parquet"


def libraries() -> dict[str, str]:
    """Versions of what reads and codes the clips, for cache keys."""
    return versions(["soundfile"]) | {"libsndfile": soundfile.__libsndfile_version__}


def _made(names, part, clips, conditions, config, store) -> Iterator[tuple[Condition, pd.DataFrame]]:
    """The tables of some conditions, in their order; libraries that need workers of their own get some."""
    apart = sorted({features.get(name).apart for name in names})
    together = [[name for name in names if features.get(name).apart == library] for library in apart]
    streams = [_extracted(some, part, clips, conditions, config, store) for some in together]
    for tables in zip(*streams):
        yield tables[0][0], pd.concat([table for _, table in tables], ignore_index=True)


def _next(made: Iterator[tuple[Condition, pd.DataFrame]], condition: Condition) -> pd.DataFrame:
    """The table of a condition; those before it were made by another run meanwhile."""
    return next(table for one, table in made if one == condition)


def _extracted(names, part, clips, conditions, config, store) -> Iterator[tuple[Condition, pd.DataFrame]]:
    """Values of features that may share a process: ``clip_id, feature, values``, a table a condition."""
    items = [(one, row) for one in conditions for row in _rows(part, clips, one)]
    for name in names if items else ():
        features.get(name).fetch()
    root = corpora.root_of(corpora.corpus_of(part.name), store)
    work = partial(_values, names=tuple(names), root=root, config=config)
    label = f"degraded · {part.name}" if items else ""
    apart = features.get(names[0]).apart
    done = parallel_map(work, items, jobs=config.run.jobs, cluster=config.run.cluster, label=label, apart=apart)
    for condition in conditions:
        each = [(row["clip_id"], values) for (_, row), values in (next(done) for _ in range(len(clips)))]
        failures = [(clip, values) for clip, values in each if isinstance(values, Failure)]
        _refuse(failures, condition)
        _report(failures, condition, len(clips))
        rows = [
            (clip, name, values[name]) for clip, values in each if not isinstance(values, Failure) for name in names
        ]
        yield condition, pd.DataFrame(rows, columns=["clip_id", "feature", "values"])


def _rows(part: Selection, clips: pd.DataFrame, condition: Condition) -> list[dict[str, Any]]:
    """What travels to a worker of each clip: id, file, hash, and the files of voices where the condition needs some."""
    rows = clips[["clip_id", "path", "sha256"]].to_dict("records")
    if condition[0] == CLEAN or not DEGRADATIONS[condition[0]].voices:
        return rows
    return [row | {"voices": voices_of(part.clips, row["clip_id"])["path"].tolist()} for row in rows]


def _values(item: tuple[Condition, dict], *, names: Sequence[str], root: Path, config: Config) -> dict[str, np.ndarray]:
    """Features of one clip in one condition, flat; runs in any process."""
    condition, row = item
    sections = {name: features.get(name).audio for name in names}
    signals = _signals(condition, row, sorted(set(sections.values())), root, config)
    if any(np.ptp(signal) == 0 for signal in signals.values()):
        raise ValueError(f"Nothing sounds in {row['clip_id']} in the condition {condition}; it is left out.")
    return {
        name: np.ravel(features.extract_signal(name, signals[section], config=config)).astype(np.float32)
        for name, section in sections.items()
    }


def _signals(condition: Condition, row: dict, sections: Sequence[str], root: Path, config: Config) -> dict[str, Signal]:
    """The prepared signal of every section of the settings."""
    path, audios = root / row["path"], {section: getattr(config, section) for section in sections}
    if condition[0] == CLEAN:
        return {section: prepare.load(path, audio) for section, audio in audios.items()}
    change = partial(degrade.degraded, condition=condition, seed=row["sha256"])
    if DEGRADATIONS[condition[0]].prepared:
        return {s: change(prepare.load(path, audio), audio.sample_rate) for s, audio in audios.items()}
    samples, rate = reading.read(path)
    as_recorded = dataclasses.replace(config.audio, sample_rate=rate)
    voices = [prepare.load(root / voice, as_recorded) for voice in row.get("voices", ())]
    changed = change(reading.to_mono(samples), rate, voices=voices)
    return {section: prepare.prepare(changed, rate, audio) for section, audio in audios.items()}


def _refuse(failures: list[tuple[str, Failure]], condition: Condition) -> None:
    """Raise at a failure that is not of what a clip holds: another run may not have it, so it is never kept."""
    for clip, failure in failures:
        if failure.kind != ValueError.__name__:
            kind, level = condition
            raise RuntimeError(f"{clip} in {kind} {level:g}: {failure.reason.rstrip('.')}. Mend this, then run again.")


def _report(failures: list[tuple[str, Failure]], condition: Condition, n_clips: int) -> None:
    """Name on stderr the clips that a condition could not be made of."""
    if failures:
        kind, level = condition
        lost = f"{len(failures)} of {n_clips} clips gave nothing in {kind} {level:g}"
        print(f"{lost}: {named_failures(failures)}", file=sys.stderr)


def _set_of(table: pd.DataFrame, feature: str, clip_ids: Sequence[str]) -> FeatureSet:
    """One feature of a condition, in the order of the clips."""
    own = table[table["feature"] == feature].set_index("clip_id")["values"]
    there = np.array([clip for clip in clip_ids if clip in own.index], dtype=object)
    values = np.stack(own.loc[there].to_list()) if len(there) else np.empty((0, 0), np.float32)
    return FeatureSet(feature, there, np.zeros(len(there), int), values)
