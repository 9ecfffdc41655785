"""Training on spectra: masked input, and a share of the rows each epoch.

Keras is imported with this module, which is itself imported only when a network is trained.
"""

from __future__ import annotations

import keras
import numpy as np


class SpecAugment(keras.layers.Layer):
    """Hide stretches of time and of frequency while training; pass everything on otherwise.

    Park et al. 2019, SpecAugment (arXiv 1904.08779), without its time warping. Every clip is masked in its own
    places. What is hidden becomes 0, the mean of a filterbank whose bands are centred.

    Parameters
    ----------
    times, bands : masks a clip along time (n, t, d) → axis 1, and along frequency, axis 2
    time_width, band_width : widest mask, frames and bands; at most a fifth of the clip and a half of the bands
    seed : of the places
    """

    def __init__(
        self, times: int = 2, time_width: int = 30, bands: int = 2, band_width: int = 10, *, seed: int = 0, **kwargs
    ):
        super().__init__(**kwargs)
        self.times, self.time_width, self.bands, self.band_width = times, time_width, bands, band_width
        self.random = keras.random.SeedGenerator(seed % 2**31)

    def call(self, x, training=False):
        """Masked (n, t, d) in training, x itself otherwise."""
        if not training:
            return x
        n, t, d = keras.ops.shape(x)
        over_time = self._kept(n, t, self.times, keras.ops.minimum(self.time_width, t // 5))
        over_bands = self._kept(n, d, self.bands, min(self.band_width, d // 2))
        return x * over_time[:, :, None] * over_bands[:, None, :]

    def _kept(self, n, length, count: int, widest):
        """1 where nothing is hidden, 0 elsewhere, (n, length)."""
        ops = keras.ops
        width, start = (keras.random.uniform((n, count, 1), seed=self.random) for _ in range(2))
        width = ops.floor(width * ops.cast(widest + 1, width.dtype))
        start = ops.floor(start * (ops.cast(length, width.dtype) - width + 1))
        place = ops.cast(ops.arange(length), width.dtype)
        hidden = ops.any((place >= start) & (place < start + width), axis=1)
        return 1 - ops.cast(hidden, self.compute_dtype)


class Shares(keras.utils.PyDataset):
    """Rows in random order, batch by batch; an epoch is as many rows as there are clips, not counting augmentation.

    So augmentation makes an epoch no longer, and epochs of trainings with and without it compare. Over
    ``1 + n_augmented`` epochs every row is used about once.

    Parameters
    ----------
    values : (n, …), cast to float32 batch by batch
    codes : classes, (n,)
    batch : rows a step
    n_augmented : augmented rows of each clip, beside the clean one
    seed : of the order
    """

    def __init__(self, values: np.ndarray, codes: np.ndarray, *, batch: int, n_augmented: int = 0, seed: int = 0):
        super().__init__(workers=2)  # with one, TensorFlow idles between epochs (see ``batches``)
        self.values, self.codes, self.batch = values, codes, batch
        self.count = max(1, len(values) // (1 + n_augmented))
        self.generator = np.random.default_rng(seed)
        self.waiting = np.empty(0, dtype=int)
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-self.count // self.batch)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.rows[index * self.batch : (index + 1) * self.batch]
        return self.values[rows].astype(np.float32), self.codes[rows]

    def on_epoch_end(self) -> None:
        """Choose the rows of the next epoch; none comes again before all had their turn."""
        if len(self.waiting) < self.count:
            self.waiting = np.concatenate([self.waiting, self.generator.permutation(len(self.values))])
        self.rows, self.waiting = self.waiting[: self.count], self.waiting[self.count :]
