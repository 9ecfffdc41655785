"""Planted markers: noise, and a marker that gives the label away inside a unit. Which protocols can use it?

Conventions
-----------
Clips of one unit and one label, a *cell*, share a random direction; all else is noise. The nearest training clip gives
the prediction, so a marker helps where clips of one cell are in training and in test. Only clips whose cell holds
another clip are scored. Chance is what the labels score once they have changed places between the cells of a speaker or
sentence, or inside both, with no training clip of the same cell in use: cells stay whole, for their clips are predicted
alike. The range is four standard deviations about the mean of the permutations (one false alarm in 10,000).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from ser_study import config as settings
from ser_study import splits
from ser_study.chapters.controls.declare import DUPLICATED
from ser_study.config import Config, registry
from ser_study.evaluation import metrics
from ser_study.experiments.selections import Selection, sample
from ser_study.parallel import Failure, parallel_map
from ser_study.plotting.palette import PROTOCOLS
from ser_study.store import Store
from ser_study.study import Study

VERSION = 1  # rises when a score changes
MARKERS = ("duplicate", "take", "sentence", "speaker")
BLOCKED, OPEN = "blocked", "open"
DIMENSIONS = 12
STRENGTH, NOISE = 3.0, 0.3  # standard deviations of the directions and of the noise about them
N_PERMUTATIONS = 200
N_FOLDS = 5  # of copies split at random
REACH = 4.0  # standard deviations
COLUMNS = ["corpus", "protocol", "marker", "declared", "uar", "lowest", "highest", "clips", "measured", "holds"]


def declared() -> pd.DataFrame:
    """The committed matrix: protocols by markers, each cell ``blocked`` or ``open``."""
    return pd.read_csv(io.StringIO(registry("markers.csv")), index_col="protocol")


def matrix(study: Study) -> pd.DataFrame:
    """UAR from every planted marker on every protocol, its range by chance, and whether it is as declared
    (``COLUMNS``)."""
    names = [name for name, possible in study.possible.items() if "random" in possible]
    if not study.config.controls.markers_everywhere:
        example, name = study.example()
        study, names = (study, [name]) if example is study else (example, [name])
    tasks = [(study.selections[name], tuple(study.possible[name])) for name in names]
    work = partial(_cached_rows, config=study.config, store=study.store)
    tables = []
    for (part, _), table in parallel_map(work, tasks, jobs=study.config.run.jobs, unit="selections", batch=1):
        if isinstance(table, Failure):
            raise RuntimeError(f"Planted markers on {part.name} failed: {table.reason}")
        tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _cached_rows(task: tuple[Selection, tuple[str, ...]], *, config: Config, store: Store) -> pd.DataFrame:
    """Rows of one selection, cached or computed now; runs in any process."""
    part, possible = task
    chosen = config.controls.marker_clips, config.controls.marker_draws
    key = {"clips": part.digest, "possible": possible, "chosen": chosen, "seed": config.seed, "version": VERSION}
    key["declared"] = declared().to_csv()
    return store.cached(f"markers/{part.name}", key, partial(_rows, part, possible, config))


def _rows(part: Selection, possible: Sequence[str], config: Config) -> pd.DataFrame:
    expected, rows = declared(), []
    plain = sample(part, config.controls.marker_clips, config).clips
    twice = _with_copies(sample(part, config.controls.marker_clips // 2, config).clips)
    protocols = [name for name in PROTOCOLS if name in possible and name != "cross_corpus"]
    for protocol in [DUPLICATED, *protocols]:
        folds = [_folds(clips, protocol, config) for clips in (plain, twice)]
        for marker in (name for name in expected.columns if protocol != DUPLICATED or name == "duplicate"):
            clips, dealt = (twice, folds[1]) if marker == "duplicate" else (plain, folds[0])
            random = settings.rng(config, f"markers/{part.name}/{protocol}/{marker}")
            draws = config.controls.marker_draws
            value, low, high, n = score(dealt, clips, marker, random, draws=draws)
            if not n:
                continue  # the unit is unknown, or no tested clip shares it with another
            wanted = expected.at[protocol, marker]
            measured = OPEN if value > high else BLOCKED if value >= low else "below chance"
            rows.append((part.name, protocol, marker, wanted, value, low, high, n, measured, measured == wanted))
    return pd.DataFrame(rows, columns=COLUMNS)


def _with_copies(clips: pd.DataFrame) -> pd.DataFrame:
    """Every clip and a copy of it, under another name."""
    return pd.concat([clips, clips.assign(clip_id=clips["clip_id"] + "-copy")], ignore_index=True)


def _folds(clips: pd.DataFrame, protocol: str, config: Config) -> pd.DataFrame:
    """Folds of a protocol; of copies whose rows are split at random for the leak."""
    if protocol != DUPLICATED:
        return splits.make(clips, protocol, classes=clips["emotion"], config=config)
    place = settings.rng(config, f"markers/{protocol}").permutation(len(clips)) % N_FOLDS
    head = {"protocol": protocol, "repeat": 0, "clip_id": clips["clip_id"], "variant": 0}
    parts = [head | {"fold": fold, "role": np.where(place == fold, "test", "train")} for fold in range(N_FOLDS)]
    return pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)


def score(
    folds: pd.DataFrame, clips: pd.DataFrame, marker: str, random: np.random.Generator, *, draws: int = 6
) -> tuple[float, float, float, int]:
    """UAR from a planted marker, and its range by chance.

    Parameters
    ----------
    folds : folds table; rows of ``train`` and ``test`` are used
    clips : clips table that holds every clip of the folds
    marker : a unit of ``splits.UNITS``
    random : of noise, directions and permutations
    draws : of noise and directions, whose scores are averaged

    Returns
    -------
    Mean UAR of the draws, lower and upper end of its range by chance, and the number of clips that are scored; NaN
    and 0 where no tested clip shares the unit with another.
    """
    label = pd.factorize(clips["emotion"], sort=True)[0]
    cell = _cells(clips, marker)
    block, scored, values, null = _blocks(clips, marker), _paired(cell), [], []
    for _ in range(draws):
        planted = _planted(cell, random)
        rows, nearest, other = _neighbours(folds, clips, planted, cell)
        if not (kept := scored[rows]).any():
            return np.nan, np.nan, np.nan, 0
        values.append(_uar(label[None, rows[kept]], label[None, nearest[kept]]))
        mixed = relabelled(cell, block, label, random, N_PERMUTATIONS)
        null.append(_uar(mixed[:, rows[kept]], mixed[:, other[kept]]))
    by_chance = np.mean(null, axis=0)
    middle, reach = by_chance.mean(), REACH * by_chance.std()
    return float(np.mean(values)), float(max(middle - reach, 0)), float(middle + reach), int(scored.sum())


def _cells(clips: pd.DataFrame, marker: str) -> np.ndarray:
    """Cell of each clip as a code, shape (n,): unit and label; a clip without the unit has a cell of its own."""
    unit = clips[splits.UNITS[marker]]
    unit = unit.where(unit.notna() & (unit != ""), clips["clip_id"])
    return np.unique((unit.astype(str) + "|" + clips["emotion"].astype(str)).to_numpy(str), return_inverse=True)[1]


def _paired(cell: np.ndarray) -> np.ndarray:
    """Which clips share their cell with another."""
    return np.bincount(cell)[cell] > 1


def _blocks(clips: pd.DataFrame, marker: str) -> np.ndarray:
    """Inside what cells exchange their labels: a speaker or sentence has every label; takes and copies have one, and
    change places inside speaker and sentence."""
    units = [splits.UNITS[marker]] if marker in ("speaker", "sentence") else ["speaker", "statement"]
    codes = [pd.factorize(clips[unit])[0] + 1 for unit in units]  # 0: unknown
    return np.ravel_multi_index(codes, [code.max() + 1 for code in codes])


def _planted(cell: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Values (n, ``DIMENSIONS``): the direction of the cell, and noise."""
    direction = random.normal(size=(cell.max() + 1, DIMENSIONS))
    return STRENGTH * direction[cell] + NOISE * random.normal(size=(len(cell), DIMENSIONS))


def _neighbours(
    folds: pd.DataFrame, clips: pd.DataFrame, values: np.ndarray, cell: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of all test clips, of their nearest training clips, and of the nearest ones of another cell, (m,) each."""
    place = pd.Index(clips["clip_id"]).get_indexer(folds["clip_id"])
    role, parts = folds["role"].to_numpy(), []
    for rows in folds.groupby(["repeat", "fold"]).indices.values():
        train, test = (place[rows[role[rows] == which]] for which in ("train", "test"))
        distance = cdist(values[test], values[train])
        nearest = train[distance.argmin(axis=1)]
        distance[cell[test][:, None] == cell[train]] = np.inf
        parts.append((test, nearest, train[distance.argmin(axis=1)]))
    return tuple(np.concatenate(part) for part in zip(*parts))


def relabelled(
    cell: np.ndarray, block: np.ndarray, label: np.ndarray, random: np.random.Generator, n: int = 1
) -> np.ndarray:
    """Labels (n, clips) exchanged between the cells of each block, n times; the clips of a cell keep together."""
    _, first = np.unique(cell, return_index=True)
    block_of, label_of = block[first], label[first]
    home = np.argsort(block_of, kind="stable")
    order = np.argsort(random.random((n, len(home))) + np.searchsorted(np.sort(block_of), block_of), axis=1)
    new = np.empty((n, len(home)), label.dtype)
    new[:, home] = label_of[order]
    return new[:, cell]


def _uar(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """UAR of each row of codes, (n, clips) → (n,)."""
    n, size = len(truth), int(max(truth.max(), prediction.max())) + 1
    cells = (np.arange(n)[:, None] * size + truth) * size + prediction
    return metrics.uar(np.bincount(cells.ravel(), minlength=n * size * size).reshape(n, size, size))
