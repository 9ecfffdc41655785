"""What a network is pooled and scaled by where a new head learns on it, and how its outputs are computed."""

from __future__ import annotations

import numpy as np

AT_ONCE = 32  # clips predicted at a time
_LEAST_SPREAD = 0.1  # of the median one


def statistics(frames):
    """Mean and standard deviation over time of a Keras tensor, (n, t, d) → (n, 2 d), as in ``campplus.pooled``."""
    from keras import ops

    spread = ops.sqrt(ops.var(frames, axis=1) + 1e-8)  # a root has no slope at 0
    return ops.concatenate([ops.mean(frames, axis=1), spread], axis=-1)


def bounded_spread(spread: np.ndarray) -> np.ndarray:
    """Standard deviations (d,) of channels, none so small that it blows its channel up when that begins to vary."""
    return np.maximum(spread, _LEAST_SPREAD * np.median(spread) + 1e-6)


def translated() -> bool | str:
    """Whether XLA translates a large network: on a CPU it is slow to do so, and no faster then."""
    import keras

    plain = keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
    return False if plain else "auto"


def outputs(model, values: np.ndarray) -> np.ndarray:
    """Output of a Keras model for many rows, float32; every batch is filled up, so that one graph does for all."""
    parts = []
    for start in range(0, len(values), AT_ONCE):
        rows = np.arange(start, start + AT_ONCE) % len(values)
        parts.append(np.asarray(model.predict_on_batch(values[rows].astype(np.float32))))
    return np.concatenate(parts)[: len(values)]
