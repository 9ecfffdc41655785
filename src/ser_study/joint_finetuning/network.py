"""CAM++ up to a block, in two halves, with a head over the classes of several corpora.

The halves meet below the block that is pooled. While the lower one is frozen its outputs do not change, so they are
computed once a clip (``frozen``) and an epoch costs the upper one alone. All models here share their layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_study.config import Finetuning, JointFinetuning
from ser_study.download import weights
from ser_study.download.state_dict import read_state_dict
from ser_study.features import campplus_network as campplus
from ser_study.finetuning import unfreeze
from ser_study.models.deep import estimator
from ser_study.models.deep.pooling import bounded_spread, statistics, translated

_ATTENTION = 64  # units that decide how much a frame counts
_NEVER = -1e9  # added to the logit of a class that a corpus does not annotate


@dataclass(frozen=True)
class Network:
    """Keras models that share their layers; ``(n, C)`` are logits of all classes of all corpora."""

    lower: Any  # filterbank (n, t, 80) → frames below the block (n, t/2, d)
    upper: Any  # these → frames of the block
    pool: Any  # frames of the block (n, t/2, d) → (n, 2 d)
    head: Any  # (n, 2 d) → (n, C)
    by_below: Any  # frames below the block → (n, C), masked in training
    by_bank: Any  # filterbank → (n, C), masked in training
    output: str  # the block

    def variables(self) -> list:
        """Every variable once, random streams too, in a fixed order."""
        every = [variable for model in (self.by_bank, self.by_below) for variable in model.variables]
        return list({id(variable): variable for variable in every}.values())

    def weights(self) -> dict[str, np.ndarray]:
        """Name → array of everything that predicts."""
        parts = {"lower": self.lower, "upper": self.upper, "pool": self.pool, "head": self.head}
        return {
            f"{part}/{layer.name}/{weight.name}": np.array(weight)
            for part, model in parts.items()
            for layer in model.layers
            for weight in layer.weights
        }

    def unfreeze(self, stage: str) -> None:
        """Let the layers of a stage learn; the head always does, batch normalisation never."""
        for model in (self.lower, self.upper):
            unfreeze(model, stage, self.output)


def halves(output: str):
    """CAM++ up to a block with random weights, as two networks: what lies below the block, and the block."""
    import keras

    entry = keras.Input((None, campplus.N_MELS), name="filterbank")
    x = campplus.stem(keras, entry)
    places = campplus.segments(keras.ops, x)
    for block in list(campplus.BLOCKS)[: list(campplus.BLOCKS).index(output)]:
        x = campplus.narrowed(keras, campplus.dense_block(keras, x, block, places), block)
    middle = keras.Input((None, x.shape[-1]), name="below")
    top = campplus.dense_block(keras, middle, output, campplus.segments(keras.ops, middle))
    return keras.Model(entry, x, name="campplus_below"), keras.Model(middle, top, name=f"campplus_{output}")


def build(
    n_classes: int,
    plan: Finetuning,
    joint: JointFinetuning,
    *,
    seed: int,
    deterministic: bool = True,
    untrained: bool = False,
) -> Network:
    """The network with the published weights and a new head.

    Parameters
    ----------
    n_classes : of all corpora together
    plan, joint : settings
    seed : of the head, dropout and masks
    deterministic : whether a GPU repeats itself
    untrained : random weights in place of the published ones

    Raises
    ------
    ConnectionError, ValueError
        The weights cannot be had, or are not what was published.
    """
    import keras

    from ser_study.models.deep.spec_augment import SpecAugment

    estimator.seeded(seed, deterministic)
    lower, upper = halves(joint.block)
    state = campplus.random_state() if untrained else read_state_dict(weights.path("campplus"))
    for half in (lower, upper):
        campplus.set_weights(half, state)
    pool = _pooling(joint.pooling, upper.output.shape[-1])
    head = _head(pool.output.shape[-1], n_classes, plan.dropout, seed)
    bank, below = keras.Input((None, campplus.N_MELS)), keras.Input((None, lower.output.shape[-1]))
    masks = SpecAugment(plan.time_masks, plan.time_width, plan.band_masks, plan.band_width, seed=seed)
    # half as many frames a second below the block, and channels that are no bands
    later = SpecAugment(plan.time_masks, plan.time_width // 2, 0, 0, seed=seed + 1)
    by_below = keras.Model(below, head(pool(upper(later(below)))))
    by_bank = keras.Model(bank, head(pool(upper(lower(masks(bank))))))
    return Network(lower, upper, pool, head, by_below, by_bank, joint.block)


def _pooling(kind: str, width: int):
    """Mean and standard deviation over time, of frames that count alike or as much as they deserve."""
    import keras

    frames = keras.Input((None, width))
    if kind == "statistics":
        return keras.Model(frames, statistics(frames), name="pool")
    ops = keras.ops
    hidden = keras.layers.Dense(_ATTENTION, activation="tanh", name="attention")(frames)
    score = keras.layers.Dense(1, kernel_initializer="zeros", name="score")(hidden)  # at first all count alike
    share = ops.softmax(score, axis=1)
    mean = ops.sum(share * frames, axis=1)
    variance = ops.maximum(ops.sum(share * ops.square(frames), axis=1) - ops.square(mean), 0)
    return keras.Model(frames, ops.concatenate([mean, ops.sqrt(variance + 1e-8)], axis=-1), name="pool")


def _head(width: int, n_classes: int, dropout: float, seed: int):
    """Scaling by the training clips, dropout, one dense layer."""
    import keras

    scale = keras.layers.BatchNormalization(center=False, scale=False, epsilon=1e-6, trainable=False, name="scale")
    drop = keras.layers.Dropout(dropout, seed=seed % 2**31)
    return keras.Sequential([keras.Input((width,)), scale, drop, keras.layers.Dense(n_classes, name="classes")])


def set_scale(network: Network, pooled: np.ndarray) -> None:
    """Give the head the means and spreads of the frozen network's pooled outputs, (n, 2 d)."""
    spread = bounded_spread(pooled.std(axis=0, dtype=np.float64))
    network.head.get_layer("scale").set_weights([pooled.mean(axis=0, dtype=np.float64), spread**2])


def masked_loss(masks: np.ndarray):
    """Cross-entropy over the classes that each clip's domain annotates.

    Parameters
    ----------
    masks : bool (D, C), the classes of each domain

    Returns
    -------
    Function of truth (n, 2), codes of class and domain, and logits (n, C) → losses (n,).
    """
    from keras import ops

    added = np.where(masks, 0, _NEVER).astype(np.float32)

    def loss(truth, logits):
        truth = ops.cast(truth, "int32")
        allowed = ops.take(ops.convert_to_tensor(added), truth[:, 1], axis=0)
        return -ops.take_along_axis(ops.log_softmax(logits + allowed, axis=-1), truth[:, :1], axis=1)[:, 0]

    return loss


def compile_for_training(model, rate: float, masks: np.ndarray) -> None:
    """Ready a model with logits for training: Adam and the masked loss."""
    import keras

    optimizer = keras.optimizers.Adam(rate)
    model.compile(optimizer=optimizer, loss=masked_loss(masks), jit_compile=translated())
    optimizer.build(model.trainable_variables)
