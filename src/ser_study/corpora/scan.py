"""What the samples of each file say: length, rate, channels, hash, level, silence, damage.

Conventions
-----------
A scan has one row a file. A file that cannot be used has its reason in ``error`` and nothing else.
``sha256`` is of the decoded mono samples before resampling, so that the same sound in another
container is equal.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study.audio import reading
from ser_study.config import Config
from ser_study.corpora import files
from ser_study.parallel import Failure, parallel_map
from ser_study.store import Store

VERSION = 2  # raise when the same file gives other values
FULL_SCALE = 0.999  # a sample from here on counts as full scale
SILENT_PEAK = 0.001  # a clip whose mono mix never swings this far (60 dB below full scale) counts as silent
BATCH = 32  # files a task; one takes about 2 ms
COLUMNS = {
    "path": "str",  # below the folder that was scanned
    "duration": "float64",  # s
    "sample_rate": "float64",  # Hz
    "n_channels": "float64",
    "sha256": "str",
    "peak": "float64",  # largest absolute value; 1 is full scale
    "rms": "float64",
    "n_full_scale": "float64",  # samples
    "full_scale_share": "float64",
    "silent": "bool",
    "error": "str",
}


def measure(path: str, *, base: str) -> dict[str, Any]:
    """One row of a scan.

    Parameters
    ----------
    path : below ``base``
    base : folder

    Raises
    ------
    OSError, ValueError
        The file cannot be read, or holds no sound.
    """
    about = reading.header(Path(base, path))
    mixes = [_Mix() for _ in range(min(about.n_channels, 2))]  # the first channel; the mean where channels differ
    differs, n_samples, n_full_scale, peak = False, 0, 0, 0.0
    for samples in reading.blocks(Path(base, path), about):
        level = reduce(
            np.maximum, np.abs(samples).T
        )  # (s, channels) → (s,): a channel that clips is not hidden by the mean
        peak = max(peak, float(level.max()))
        n_full_scale += int(np.count_nonzero(level >= FULL_SCALE))
        n_samples += len(samples)
        differs = differs or not reading.is_mono(samples)
        for mix, signal in zip(mixes, (samples[:, 0], reading.mixed(samples))):
            mix.add(signal)
    mono = mixes[differs]
    return {
        "path": path,
        "duration": n_samples / about.sample_rate,
        "sample_rate": float(about.sample_rate),
        "n_channels": float(about.n_channels),
        "sha256": mono.digest.hexdigest(),
        "peak": peak,
        "rms": float(np.sqrt(mono.squares / n_samples)),
        "n_full_scale": float(n_full_scale),
        "full_scale_share": n_full_scale / n_samples,
        "silent": bool(mono.highest - mono.lowest < 2 * SILENT_PEAK),  # a constant offset is no sound
        "error": None,
    }


class _Mix:
    """What is measured of one mono signal while its blocks go by."""

    def __init__(self) -> None:
        self.digest, self.squares, self.lowest, self.highest = hashlib.sha256(), 0.0, np.inf, -np.inf

    def add(self, signal: np.ndarray) -> None:
        reading.add_to_hash(self.digest, signal)
        self.squares += float(np.sum(np.square(signal, dtype=np.float64)))
        self.lowest, self.highest = min(self.lowest, float(signal.min())), max(self.highest, float(signal.max()))


def scan(paths: Sequence[str], *, base: Path, jobs: int = 0, cluster: str = "", label: str = "") -> pd.DataFrame:
    """Measure files.

    Parameters
    ----------
    paths : below ``base``, with forward slashes
    base : folder
    jobs, cluster, label : as in ``parallel.parallel_map``

    Returns
    -------
    DataFrame with ``COLUMNS``, one row a path, in order; a file that failed has its reason in ``error``.
    """
    work = partial(measure, base=str(base))
    rows = []
    for path, value in parallel_map(work, list(paths), jobs=jobs, cluster=cluster, label=label, batch=BATCH):
        if isinstance(value, Failure):
            value = {"path": path, "silent": False, "error": explain(base / path, value.reason)}
        rows.append(value)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def cached_scan(paths: Sequence[str], *, base: Path, corpus: str, config: Config, store: Store) -> pd.DataFrame:
    """A scan from the store, made again when a file was added, removed, replaced or became readable."""
    cache_key = {
        "step": "scan",
        "version": VERSION,
        "corpus": corpus,
        "n_files": len(paths),
        "listing": settings.fingerprint([_stamp(base, path) for path in paths]),
    }
    run = config.run

    def make() -> pd.DataFrame:
        return scan(paths, base=base, jobs=run.jobs, cluster=run.cluster, label=f"scan · {corpus}")

    return store.cached(f"scan/{corpus}", cache_key, make)


def explain(path: Path, reason: str) -> str:
    """Why a file cannot be used, in words that say what to do; no folder of this machine is named."""
    if words := files.pointer(path):
        return f"the file is {words}"
    try:
        size = path.stat().st_size
        if path.is_file():  # a pipe would be waited for
            path.open("rb").close()
    except OSError as error:
        advice = "the link leads nowhere; mend or remove it" if path.is_symlink() else "check its permissions"
        return f"the file cannot be opened ({error.strerror}); {advice}"
    if size == 0 and path.is_file():
        return "the file is empty (0 bytes); fetch it again"
    return f"{reason.replace(str(path), path.name).rstrip('.')} ({size} bytes)"


def _stamp(base: Path, path: str) -> list:
    """Path, size, time of change (ns) and readability: what tells that a file is still the same."""
    file = os.path.join(base, path)
    if not os.access(file, os.R_OK):
        return [path, -1, 0, False]
    status = os.stat(file)
    return [path, status.st_size, status.st_mtime_ns, True]
