"""Whether the timeline of two clips, one after the other, changes where they join.

Run with ``python tests/benchmarks/test_joints.py --model campplus --pairs 40``. The clips of a pair are of one speaker
and of two emotions that the recogniser names when it hears each clip alone, at least ``LEAST`` seconds long. Of the
windows, one gives way to the next half-way between their middles. The change is the last moment at which the first
emotion is likelier than the second one; it should be at the joint, by ``NEAR`` seconds or less.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser_study import config as settings
from ser_study import corpora
from ser_study.audio import reading
from ser_study.recognizer import Recognizer
from ser_study.recognizer.files import predict_file
from ser_study.store import Store

CORPORA = ("crema_d", "emodb", "ravdess", "tess")
LEAST, NEAR, EVERY = 1.5, 1.0, 0.25  # s
TRIED = 20  # clips, in search of one that is named


def recordings(corpus: str, store: Store) -> pd.DataFrame:
    """Spoken clips of a corpus: where they are, their speaker and emotion."""
    folder = corpora.folder_of(corpus, config=settings.load("full"), store=store)
    clips = corpora.labelled(corpus, folder, store=store)
    clips["file"] = [corpora.root_of(corpus, store) / path for path in clips["path"]]
    return clips[clips["channel"] != "song"]


def pairs(recognizer: Recognizer, clips: pd.DataFrame, n_pairs: int, random: np.random.Generator) -> Iterator[tuple]:
    """Pairs of named clips of one speaker each: samples and emotion of both, and their rate."""
    clips = clips[clips["emotion"].isin(recognizer.classes)]
    speakers = random.permutation(sorted(set(clips["speaker"])))
    for number in range(n_pairs):
        own = clips[clips["speaker"] == speakers[number % len(speakers)]]
        found: dict[str, tuple[np.ndarray, int]] = {}
        for i in random.permutation(len(own))[:TRIED]:
            row = own.iloc[i]
            samples, rate = reading.read(row["file"])
            known = len(samples) < LEAST * rate or row["emotion"] in found
            if (
                not known
                and predict_file(recognizer, row["file"], timeline=False).channels[0].emotion == row["emotion"]
            ):
                found[row["emotion"]] = reading.to_mono(samples), rate
            if len(found) == 2:
                (first, (before, rate)), (second, (after, _)) = found.items()
                yield before, first, after, second, rate
                break


def change(timeline: pd.DataFrame, first: str, second: str) -> float:
    """Moment (s) at which the second emotion has become likelier than the first for good; NaN where it never does."""
    ahead = (timeline[f"p_{first}"] >= timeline[f"p_{second}"]).to_numpy()
    middles = ((timeline["start"] + timeline["end"]) / 2).to_numpy()
    if not ahead.any() or ahead[-1]:
        return np.nan
    last = np.flatnonzero(ahead)[-1]
    return float((middles[last] + middles[last + 1]) / 2)


def distances(recognizer: Recognizer, store: Store, n_pairs: int, folder: Path) -> pd.DataFrame:
    """Corpus, emotions and distance (s) of the change from the joint, of pairs of all corpora that are there."""
    random, rows = np.random.default_rng(0), []
    there = [name for name in CORPORA if name in corpora.present(store.raw)]
    for number, corpus in enumerate(there):
        share = n_pairs // len(there) + (number < n_pairs % len(there))
        for before, first, after, second, rate in pairs(recognizer, recordings(corpus, store), share, random):
            soundfile.write(folder / "pair.wav", np.concatenate([before, after]), rate, subtype="FLOAT")
            made = predict_file(recognizer, folder / "pair.wav", every=EVERY)
            moment = change(made.channels[0].timeline, first, second)
            rows.append((corpus, first, second, moment - len(before) / rate))
    return pd.DataFrame(rows, columns=["corpus", "first", "second", "distance"])


@pytest.mark.corpus
def test_the_timeline_changes_at_the_joint(real_store, tmp_path):
    table = distances(Recognizer.default("hand-crafted"), real_store, 4, tmp_path)
    assert len(table) >= 3
    assert (table["distance"].abs() <= NEAR).sum() >= len(table) - 1


if __name__ == "__main__":
    import tempfile

    from ser_study.store import open_folders

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="")
    parser.add_argument("--pairs", type=int, default=40)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = distances(Recognizer.default(given.model), open_folders("full")[1], given.pairs, Path(name))
    print(result.round(2).to_string(index=False))
    print(f"{(result['distance'].abs() <= NEAR).sum()} of {len(result)} change within {NEAR:g} s of the joint")
