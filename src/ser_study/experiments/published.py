"""The predictions of a published run: written compactly, read back as the run's chapters had them.

Conventions
-----------
``predictions.parquet``, and ``predictions-2.parquet`` and so on where one file would be too large, hold one row a
predicted clip. ``clip`` is the row of ``clips.parquet``, counted from 0; ``c_<class>`` codes a probability
(``coding``), empty where the experiment has no such class or no chapter needs it. ``prediction`` is empty where it is
the likeliest class, the first of several. An experiment is known by its name
and its number of ``draws``, which is no part of the name.
An experiment is published as far as some chapter reads it (``ALL``, ``SCORES``, …): its rows of a role only where they
are read, so that nobody sees the test rows of a candidate that the study itself never looked at, probabilities only
where they are used, and clips only where it matters which they were: else ``clip`` is empty, and the rows of a fold are
in the order of their classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ser_study import schema
from ser_study.corpora import published as published_clips
from ser_study.corpora.published import with_facts
from ser_study.experiments import coding
from ser_study.experiments.experiment import Experiment
from ser_study.store import PREDICTIONS, Store, about, read_table, replacing

VERSION = 2  # rises when the same predictions are written otherwise
WITH_P = "+p"  # after a role whose probabilities are read, too
WITHOUT_CLIPS = "-clips"  # after a role of which truths and predictions are counted, whatever the clip
ALL = ("test+p", "validation+p")
SCORES = ("test+p", "validation")
LABELS = ("test", "validation")
VALIDATION_LABELS = ("validation",)
COUNTS = ("test-clips",)
Needs = Mapping[Path, Collection[str]]  # cached predictions → what is read of them
MAX_FILE = 20_000_000  # bytes
_NEXT_FILE = 12_000_000  # bytes, from which on the next group of rows goes to another file
_GROUP = 1_000_000  # rows compressed together
_FACTS = ("experiment", "corpus", "protocol", "feature", "model", "scheme", "leak")
_NUMBERS = {
    "repeat": "int32",
    "fold": "int32",
    "draw": "int32",
    "seed": "int64",
    "n_train": "int32",
    "variant": "int32",
}
_WORDS = (*_FACTS, "role", "truth", "prediction", "params")
_COLUMNS = (*schema.PREDICTION_COLUMNS, "corpus", "feature", "draw", "leak", "params")


def write(
    needs: Mapping[Path, Collection[str]], clips: Mapping[str, int], folder: Path, *, facts: Mapping
) -> list[tuple[str, int]]:
    """Write the predictions of a run.

    Parameters
    ----------
    needs : cached predictions → what is read of them, such as ``ALL``
    clips : clip id → row of ``clips.parquet``
    folder : of the run
    facts : what the first file says of itself

    Returns
    -------
    Names of the experiments, with their numbers of draws.

    Raises
    ------
    ValueError
        Two experiments have one name and number of draws.
    """
    names: list[tuple[str, int]] = []
    classes = sorted({column for path in needs for column in _class_columns(path)})
    groups, part, old = _groups(needs, clips, classes, names), 1, set(files(folder))
    group = next(groups, None)
    while group is not None:
        path = folder / (PREDICTIONS if part == 1 else f"predictions-{part}.parquet")
        with replacing(path) as temporary:
            about_file = {"steps": coding.STEPS} | (dict(facts) if part == 1 else {})
            group = _write_file(with_facts(group, about_file), groups, temporary)
        old.discard(path)
        part += 1
    for path in old:  # of an earlier, larger run
        path.unlink()
    return names


def _class_columns(path: Path) -> list[str]:
    return [name.replace("p_", "c_", 1) for name in pq.read_schema(path).names if name.startswith("p_")]


def _groups(
    needs: Mapping[Path, Collection[str]], clips: Mapping[str, int], classes: list[str], names: list[tuple[str, int]]
) -> Iterator:
    """Tables of about ``_GROUP`` rows; like folds stand together, since they compress each other."""
    waiting, n_rows = [], 0
    for path in sorted(needs, key=lambda path: path.name):
        table = read_table(path)
        if table is None:
            raise FileNotFoundError(f"The predictions {path.name} have gone; run the study again.")
        name, draws = table["experiment"].iloc[0], table["draw"].nunique()
        if (name, draws) in names:
            raise ValueError(f"Two experiments are called {name!r}; give one of them a name of its own.")
        names.append((name, draws))
        waiting.append(_coded(table, needs[path], clips, classes))
        n_rows += len(waiting[-1])
        if n_rows >= _GROUP:
            yield pa.concat_tables(waiting).unify_dictionaries()
            waiting, n_rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting).unify_dictionaries()


def _coded(table: pd.DataFrame, read: Collection[str], clips: Mapping[str, int], classes: list[str]) -> pa.Table:
    """Predictions of one experiment as they are published."""
    table = table[table["role"].isin([role.removesuffix(WITH_P).removesuffix(WITHOUT_CLIPS) for role in read])]
    is_counted = all(role.endswith(WITHOUT_CLIPS) for role in read)
    if is_counted:
        table = table.sort_values(["draw", "repeat", "fold", "truth", "prediction"], kind="stable")
    columns = {name: pa.array(table[name]).cast(pa.string()).dictionary_encode() for name in _WORDS}
    columns |= {name: pa.array(table[name].to_numpy(kind)) for name, kind in _NUMBERS.items()}
    columns["draws"] = pa.array(np.full(len(table), table["draw"].nunique(), "int32"))
    numbers = table["clip_id"].map(clips).to_numpy("int32")
    columns["clip"] = pa.array(numbers, mask=np.full(len(table), is_counted))
    own = sorted(name for name in table.columns if name.startswith("p_"))
    codes = coding.encode(table[own].to_numpy(np.float32))
    left_out = ~(table["role"] + WITH_P).isin(read).to_numpy()
    coded = {name.replace("p_", "c_", 1): pa.array(codes[:, i], mask=left_out) for i, name in enumerate(own)}
    for name in classes:
        columns[name] = coded.get(name, pa.nulls(len(table), pa.uint8()))
    if own:
        prediction = table["prediction"].to_numpy(object)
        is_likeliest = prediction == _likeliest(codes, own)
        shorter = pa.array(prediction, mask=is_likeliest & ~left_out, type=pa.string())
        columns["prediction"] = shorter.dictionary_encode()
    return pa.table(columns)


def _likeliest(codes: np.ndarray, names: list[str]) -> np.ndarray:
    """The class of the smallest code of each row, the first of several; ``names`` of its columns in order."""
    return np.array([name[2:] for name in names], dtype=object)[codes.argmin(axis=1)]


def _write_file(first: pa.Table, groups: Iterator[pa.Table], path: Path) -> pa.Table | None:
    """Write groups until the file is large; the group that shall begin the next one."""
    words = [name for name in first.column_names if name != "clip"]  # numbers of clips repeat each other
    options = {"compression": "zstd", "compression_level": 19, "use_dictionary": words, "data_page_size": 1 << 28}
    with pa.OSFile(str(path), "wb") as sink, pq.ParquetWriter(sink, first.schema, **options) as writer:
        group = first
        while group is not None:
            writer.write_table(group, row_group_size=1 << 26)
            group = next(groups, None)
            if sink.tell() >= _NEXT_FILE:
                break
    return group


def files(folder: Path) -> list[Path]:
    """The files with the predictions of a published run, in order."""
    more = sorted(folder.glob("predictions-*.parquet"), key=lambda path: int(path.stem.partition("-")[2]))
    return [path for path in (folder / PREDICTIONS, *more) if path.is_file()]


def is_published(experiment: Experiment, store: Store) -> bool:
    """Whether the run that stands in for the audio holds predictions of an experiment."""
    return store.published is not None and (experiment.name, experiment.draws) in _run(store.published)[1]


def predictions(experiment: Experiment, store: Store) -> pd.DataFrame:
    """Published predictions of an experiment; probabilities that were left out are NaN.

    Raises
    ------
    KeyError
        It is not published, see ``is_published``.
    """
    table, places = _run(store.published)
    rows = _complete(table.slice(*places[experiment.name, experiment.draws]))
    known = {name: rows[name].cast(pa.string()).to_pandas() for name in _WORDS}
    known |= {name: rows[name].to_numpy().astype(np.int64) for name in _NUMBERS}
    named = published_clips.names(store.published).to_numpy()
    known["clip_id"] = "" if rows["clip"].null_count else named[rows["clip"].to_numpy()]
    frame = pd.DataFrame(known)[list(_COLUMNS)]
    coded, here, codes = _codes(rows)
    if not coded:
        return frame
    values = np.full((len(frame), len(coded)), np.nan, np.float32)
    values[here] = coding.decode(codes)
    return frame.assign(**{name.replace("c_", "p_", 1): values[:, place] for place, name in enumerate(coded)})


def _codes(rows: pa.Table) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Columns of an experiment's probabilities, which rows have them, and their codes (n, C)."""
    coded = [name for name in rows.column_names if name.startswith("c_") and rows[name].null_count < len(rows)]
    if not coded:
        return [], np.zeros(len(rows), bool), np.empty((0, 0), np.uint8)
    here = rows[coded[0]].is_valid().to_numpy()
    return coded, here, np.stack([rows[name].drop_null().to_numpy() for name in coded], axis=1)


def _complete(rows: pa.Table) -> pa.Table:
    """Rows of one experiment with every prediction."""
    coded, here, codes = _codes(rows)
    if not coded:
        return rows
    known = rows["prediction"].cast(pa.string()).to_numpy()
    likeliest = np.full(len(rows), None, dtype=object)
    likeliest[here] = _likeliest(codes, coded)
    whole = pa.array(np.where(pd.isna(known), likeliest, known), pa.string())
    return rows.set_column(rows.column_names.index("prediction"), "prediction", whole)


def tables(folder: Path) -> Iterator[tuple[str, int, pa.Table]]:
    """Name, number of draws and published rows, still coded, of each experiment of a run."""
    whole, places = _run(folder)
    for (name, draws), place in places.items():
        yield name, draws, _complete(whole.slice(*place))


def features(folder: Path) -> list[str]:
    """Features of the published predictions; one of several side by side by itself."""
    names = _run(folder)[0]["feature"].unique().to_pylist()
    return sorted({part for name in names for part in name.split("+")})


def facts_of(folder: Path) -> dict:
    """What was written beside the predictions; empty where there are none."""
    return about(folder / PREDICTIONS) if (folder / PREDICTIONS).is_file() else {}


def _run(folder: Path) -> tuple[pa.Table, dict[tuple[str, int], tuple[int, int]]]:
    return _read(folder, tuple(path.stat().st_mtime_ns for path in files(folder)))


@lru_cache(maxsize=2)
def _read(folder: Path, stamps: tuple[int, ...]) -> tuple[pa.Table, dict[tuple[str, int], tuple[int, int]]]:
    """All files as one table, and (experiment, draws) → (first row, rows)."""
    if (steps := about(folder / PREDICTIONS).get("steps")) != coding.STEPS:
        raise ValueError(
            f"{folder.name} was published with probabilities in steps of 1/{steps}, and this version reads 1/"
            f"{coding.STEPS}; check out the commit that run.json names."
        )
    whole = pa.concat_tables([pq.read_table(path, read_dictionary=list(_WORDS)) for path in files(folder)])
    whole = whole.unify_dictionaries().combine_chunks()
    column, draws = whole["experiment"].combine_chunks(), whole["draws"].to_numpy()
    codes, names = column.indices.to_numpy(), column.dictionary.to_pylist()
    starts = np.flatnonzero(np.diff(codes, prepend=-1) | np.diff(draws, prepend=0))
    lengths = np.diff([*starts, len(codes)])
    return whole, {(names[codes[at]], int(draws[at])): (int(at), int(n)) for at, n in zip(starts, lengths)}
