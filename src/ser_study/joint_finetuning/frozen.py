"""Outputs of the frozen network, computed once a clip and read from memory maps.

Kept are the frames below the block (n, t/2, d), float16, and the pooled frames of the block (n, 2 d). Clips lie in
chunks, by corpus and in the order of their content hashes, so that a killed computation goes on at the next chunk and
another corpus beside them changes none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ser_study.config import fingerprint
from ser_study.joint_finetuning.network import Network
from ser_study.models.deep.pooling import outputs
from ser_study.store import replacing

CHUNK = 512  # clips
PARTS = ("below", "pooled")
Values = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Chunked:
    """Rows that lie in several arrays on the disk."""

    chunks: list[np.ndarray]
    place: np.ndarray  # (n, 2): chunk and row in it

    def rows(self, which: np.ndarray) -> np.ndarray:
        """Some rows, (len(which), …) float32."""
        first = self.chunks[0]
        values = np.empty((len(which), *first.shape[1:]), np.float32)
        for target, (chunk, row) in enumerate(self.place[which]):
            values[target] = self.chunks[chunk][row]
        return values


def compute(
    network: Network, clips: pd.DataFrame, values: Values, folder: Path, *, log: Callable[[str], None]
) -> dict[str, Chunked]:
    """What the published network makes of each clip, from the disk or computed now.

    Parameters
    ----------
    network : before any training
    clips : ``corpus, sha256, variant``, one row a clip and variant
    values : rows → their filterbanks, (n, t, 80)
    folder : where to keep them; its name stands for the network and the settings of the filterbank
    log : called with a line a chunk that is computed

    Returns
    -------
    "below" and "pooled" of every row, in the order of ``clips``.
    """
    place = np.empty((len(clips), 2), int)
    chunks: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    ordered = clips.reset_index(drop=True).sort_values(["corpus", "variant", "sha256"], kind="stable")
    for (corpus, variant), group in ordered.groupby(["corpus", "variant"], sort=True):
        for start in range(0, len(group), CHUNK):
            rows = group.index[start : start + CHUNK].to_numpy()
            place[rows, 0], place[rows, 1] = len(chunks["below"]), np.arange(len(rows))
            stem = f"{corpus}-{variant}-{fingerprint(clips['sha256'].to_numpy()[rows].tolist())[:16]}"
            if not all((folder / f"{stem}-{part}.npy").is_file() for part in PARTS):
                _write(network, values(rows), folder, stem)
                log(f"frozen outputs of {corpus}, variant {variant}: {start + len(rows)} of {len(group)} clips")
            for part in PARTS:
                chunks[part].append(np.load(folder / f"{stem}-{part}.npy", mmap_mode="r"))
    return {part: Chunked(chunks[part], place) for part in PARTS}


def _write(network: Network, values: np.ndarray, folder: Path, stem: str) -> None:
    below = outputs(network.lower, values).astype(np.float16)
    kept = {"below": below, "pooled": outputs(network.pool, outputs(network.upper, below))}
    for part in PARTS:
        with replacing(folder / f"{stem}-{part}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, kept[part])
