"""Epochs of a network fed by ``batches`` against arrays given to Keras itself.

Run with ``pytest tests/benchmarks/test_training_speed.py -s``. Both ways train one network of seed 001's size on the
same rows, turn about, and their epochs are timed in one process. Only that both learn is asserted, times are printed.
Arrays idle from nothing up to as long as an epoch takes, by how long it takes (see ``batches``). Without ``-s`` nobody
reads times, so there is one round of three epochs.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from ser_study.models import deep
from ser_study.models.deep.batches import batches

N_ROWS, N_CLASSES, SIZE, N_EPOCHS, N_ROUNDS = 128 * 2, 7, 128, 5, 2
FEW_EPOCHS = 3


@pytest.fixture(scope="module")
def rows():
    """Vectors whose first eight columns tell the class."""
    random = np.random.default_rng(0)
    codes = random.integers(0, N_CLASSES, N_ROWS)
    values = random.standard_normal((N_ROWS, 184)).astype(np.float32)
    values[:, :8] += codes[:, None]
    return values, codes


def _trained(given, n_epochs):
    """Losses of the epochs and seconds of all but the first, in which the network is compiled."""
    import keras

    keras.utils.set_random_seed(0)
    network = deep.get("conv1d_001")
    model = network.make((184,), N_CLASSES, network.settings())
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    clock = []
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: clock.append(time.perf_counter()))
    found = model.fit(**given, epochs=n_epochs, callbacks=[told], verbose=0)
    return found.history["loss"], clock[-1] - clock[0]


def test_no_time_is_idled_away_between_epochs(rows, request):
    is_measured = request.config.getoption("capture") == "no"
    n_epochs, n_rounds = (N_EPOCHS, N_ROUNDS) if is_measured else (FEW_EPOCHS, 1)
    ways = {
        "arrays": lambda: {"x": rows[0], "y": rows[1], "batch_size": SIZE},
        "batches": lambda: {"x": batches(*rows, size=SIZE, seed=0), "shuffle": False},
    }
    seconds = dict.fromkeys(ways, 0.0)
    for _ in range(n_rounds):
        for name, given in ways.items():
            losses, spent = _trained(given(), n_epochs)
            assert losses[-1] < losses[0]
            seconds[name] += spent / n_rounds / (n_epochs - 1)
    told = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
    print(f"\nan epoch: {told}; {seconds['arrays'] / seconds['batches']:.2f} times as fast")
