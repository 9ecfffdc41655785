"""Which clips an epoch of several corpora reads, and where they are cropped.

All that is random in an epoch follows from the seed, the stage and the number of the epoch, so a training that was
killed goes on with the same batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

STEP = 25  # frames of the filterbank: lengths of crops differ by so many, since each takes a graph of its own


@dataclass(frozen=True)
class Rows:
    """Clips of all corpora, row i of every array; ``values`` reads the network's input from wherever it lies."""

    corpus: np.ndarray  # (n,) str
    truth: np.ndarray  # (n, 2): codes of class and domain
    variants: np.ndarray  # (n, v): row of each variant of a clip in what ``values`` reads, the clean clip first
    values: Callable[[np.ndarray], np.ndarray]  # rows → float32 (len(rows), …)

    def some(self, mask: np.ndarray) -> Rows:
        """The clips of a mask or of row numbers."""
        return Rows(self.corpus[mask], self.truth[mask], self.variants[mask], self.values)

    def clean(self) -> np.ndarray:
        """The input of every clip as recorded."""
        return self.values(self.variants[:, 0])


def shares(corpus: np.ndarray, n: int, power: float) -> dict[str, int]:
    """Clips of each corpus in an epoch of about n: its share goes with its own clips to a power."""
    names, counts = np.unique(corpus, return_counts=True)
    weight = counts.astype(float) ** power
    return {str(name): max(1, round(n * part)) for name, part in zip(names, weight / weight.sum())}


def drawn(corpus: np.ndarray, n: int, power: float, random: np.random.Generator) -> np.ndarray:
    """Rows of an epoch in random order; no clip of a corpus comes again before all of it had their turn."""
    chosen = []
    for name, count in shares(corpus, n, power).items():
        own = np.flatnonzero(corpus == name)
        rounds = [random.permutation(own) for _ in range(-(-count // len(own)))]
        chosen.append(np.concatenate(rounds)[:count])
    return random.permutation(np.concatenate(chosen))


def batches(
    rows: Rows, *, size: int, n: int, power: float, random: np.random.Generator, crop: Callable | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Input and truth of every batch of an epoch.

    Parameters
    ----------
    rows : the training rows
    size : clips in a batch; the last may be smaller
    n : clips in the epoch, about
    power : of the shares of corpora
    random : stream of the epoch
    crop : (values, random) → cropped values; None: as they are
    """
    order = drawn(rows.corpus, n, power, random)
    variant = random.integers(rows.variants.shape[1], size=len(order))
    for start in range(0, len(order), size):
        which = slice(start, start + size)
        values = rows.values(rows.variants[order[which], variant[which]])
        yield (crop(values, random) if crop else values), rows.truth[order[which]]


def cropped(
    values: np.ndarray, random: np.random.Generator, *, shortest: int, step: int = STEP, centred: bool = False
) -> np.ndarray:
    """Every clip cut at a random place to a random length, the same for all.

    Parameters
    ----------
    values : (n, t, d)
    random : stream
    shortest : frames
    step : frames by which lengths differ
    centred : give each band of each crop a mean of 0 again, as the whole clip has

    Returns
    -------
    array, shape (n, t', d) with ``shortest`` ≤ t' ≤ t
    """
    n, t, _ = values.shape
    length = int(random.choice(np.arange(t, min(shortest, t) - 1, -step)))
    start = random.integers(t - length + 1, size=n)
    part = np.take_along_axis(values, (start[:, None] + np.arange(length))[:, :, None], axis=1)
    return part - part.mean(axis=1, keepdims=True) if centred else part
