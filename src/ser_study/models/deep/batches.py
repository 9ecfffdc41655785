"""Rows for a Keras model, batch by batch, in a new order every epoch and without idle time between epochs.

Arrays given to ``fit`` itself fare worse on TensorFlow (Keras 3.15, TensorFlow 2.21). Once a random seed is set, every
epoch visits the rows in one and the same order. And what has read an epoch is only closed when the tuner of ``tf.data``
wakes, which sleeps twice as long each time, so that an epoch takes 0.64, 1.28, … 20.5, 41 s and nothing between.
"""

from __future__ import annotations

import numpy as np

_BEGUN = 2  # orders that Keras draws an epoch: it begins to read at the start, and at the end once more for nothing


def batches(*arrays: np.ndarray, size: int, seed: int | None = None, epochs_before: int = 0):
    """Arrays of equal length as a ``tf.data.Dataset``, which Keras reads on any backend.

    Parameters
    ----------
    arrays : values and, for training and validation, codes; shape (n, …) each, floats in single precision
    size : rows a batch; the last may be smaller
    seed : of the order, which is drawn anew every epoch; None: as given
    epochs_before : epochs of an interrupted training with TensorFlow, whose orders are passed over

    Returns
    -------
    ``tf.data.Dataset`` of tuples, one batch of each array
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    with tf.device("CPU"):  # beside another backend, TensorFlow takes no memory of its GPU
        whole = [tf.constant(array) for array in arrays]
        order = tf.data.Dataset.range(len(arrays[0]))
        if seed is not None:
            order = order.shuffle(len(arrays[0]), seed=seed % 2**31)
            for _ in range(_BEGUN * epochs_before):
                next(iter(order))
        taken = order.batch(size).map(lambda rows: tuple(tf.gather(array, rows) for array in whole))
        return taken.prefetch(1).with_options(options)
