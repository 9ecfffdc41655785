"""Train CAM++ itself on emotions, in three stages: a head alone, the last block with it, then all of it.

A new head on random weights would tear up what the network knows, so the head learns first, on the pooled output
of the frozen network (Kumar et al. 2022, arXiv 2202.10054); then the block it sits on joins at a tenth of the
learning rate, then all of it at a thirtieth. Batch normalisation stays as it was published
throughout: its statistics come from thousands of speakers, a batch of ours holds few. While the network is trained
its input is masked (SpecAugment); noise and speed come as augmented rows of the training clips.

Every stage is stopped by the loss on the validation rows, which the folds keep to speakers of their own, and one that
ends no better than the stage before it is undone. Runs on any Keras backend.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ser_study.config import Finetuning, Models, Training
from ser_study.evaluation import metrics
from ser_study.features import campplus_network as campplus
from ser_study.models.deep import estimator
from ser_study.models.deep.batches import batches
from ser_study.models.deep.pooling import AT_ONCE, bounded_spread, outputs, statistics, translated

NAME = "campplus_finetuned"
VERSION = 1  # rises when the network or its training gives other numbers
STAGES = ("head", "block", "all")  # what learns
_WATCHED = "val_log_loss"


class FineTuner(ClassifierMixin, BaseEstimator):
    """CAM++ up to a block, mean and standard deviation over time, dropout, one dense layer.

    Parameters
    ----------
    settings : learning rates, epochs, masks; None: their defaults
    seed : random seed of the head, dropout, masks and the order of the clips
    training : patience, limit of epochs, determinism
    output : block of CAM++ that is pooled
    untrained : random weights in place of the published ones

    Attributes
    ----------
    classes_ : sorted class names
    history_ : one row an epoch of any stage; columns ``estimator.HISTORY``
    stages_ : one mapping a stage; ``stage, lr, epochs, best_epoch, validation_loss, validation_uar, n_trainable,
        seconds_per_epoch, kept`` (scored with the weights of its best epoch)
    best_epoch_ : epoch (from 1, counted through all stages) whose weights are kept
    n_parameters_ : weights, with the statistics of normalisation layers
    """

    def __init__(
        self,
        settings: Finetuning | None = None,
        seed: int = 0,
        training: Training | None = None,
        output: str = "block2",
        untrained: bool = False,
    ):
        self.settings = settings
        self.seed = seed
        self.training = training
        self.output = output
        self.untrained = untrained

    def fit(self, values: np.ndarray, truth: np.ndarray, validation: tuple[np.ndarray, np.ndarray] | None) -> FineTuner:
        """Train stage by stage.

        Parameters
        ----------
        values : filterbanks of the training rows with their augmentation, (n, t, 80)
        truth : class names, (n,)
        validation : filterbanks as recorded and class names, of other speakers

        Raises
        ------
        ValueError
            Nothing to watch, values of another shape, or settings that do not fit together.
        FloatingPointError
            The loss of the first stage was never finite.
        """
        self.settings_, self.training_ = self.settings or Finetuning(), self.training or Training()
        self.classes_, codes = np.unique(np.asarray(truth), return_inverse=True)
        watched = self._watched(values, validation)
        estimator.seeded(self.seed, self.training_.deterministic)
        frozen = self._build(values)  # outputs of the frozen body do not change, so they are computed once
        self.n_parameters_ = self.model_.count_params()
        self.stages_, self.best_epoch_, self._curves, self._least = [], 0, [], np.inf
        self._stage(0, self.head_, (frozen, codes), (outputs(self.pooled_, watched[0]), watched[1]))
        for number in (1, 2):
            self._stage(number, self.model_, (values, codes), watched)
        self.history_ = pd.concat(self._curves, ignore_index=True)
        self.history_.insert(0, "epoch", np.arange(1, len(self.history_) + 1))
        return self

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        """Probabilities, shape (n, C), columns in the order of ``classes_``."""
        check_is_fitted(self, "model_")
        return softmax(self._logits(values).astype(np.float64), axis=1)

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Class names, shape (n,)."""
        return self.classes_[self.predict_proba(values).argmax(axis=1)]

    def summary(self) -> dict[str, Any]:
        """The training as plain values: sizes, epochs, seconds, learning curves, stages."""
        check_is_fitted(self, "history_")
        curves = {name: self.history_[name].round(4).tolist() for name in estimator.HISTORY[1:]}
        return {
            "network": NAME,
            "params": {"output": self.output, "untrained": self.untrained},
            "epochs": len(self.history_),
            "best_epoch": self.best_epoch_,
            "n_parameters": self.n_parameters_,
            "seconds_per_epoch": max(stage["seconds_per_epoch"] for stage in self.stages_),
            "history": {name: [v if np.isfinite(v) else None for v in curve] for name, curve in curves.items()},
            "stages": self.stages_,
        }

    def release(self) -> None:
        """Give the memory of the network back; it can no longer predict."""
        import keras

        for name in ("model_", "head_", "pooled_"):
            self.__dict__.pop(name, None)
        keras.utils.clear_session()
        gc.collect()

    def _logits(self, values: np.ndarray) -> np.ndarray:
        """Both parts share their weights with the whole, and keep their graphs when that is compiled anew."""
        return outputs(self.head_, outputs(self.pooled_, values))

    def _watched(self, values: np.ndarray, validation) -> tuple[np.ndarray, np.ndarray]:
        """Validation rows of the classes that training has, and their codes."""
        if values.ndim != 3 or values.shape[2] != campplus.N_MELS:
            raise ValueError(f"CAM++ reads filterbanks (n, t, {campplus.N_MELS}); found values {values.shape}.")
        sizes = [len(self.settings_.rates), len(self.settings_.epochs)]
        if sizes != [len(STAGES)] * 2 or not self.settings_.epochs[0]:
            raise ValueError(
                f"finetuning.rates and finetuning.epochs take {len(STAGES)} values each ({', '.join(STAGES)}), the "
                f"first number of epochs above 0; found {self.settings_.rates} and {self.settings_.epochs}."
            )
        known = np.isin(validation[1], self.classes_) if validation is not None else np.zeros(0, dtype=bool)
        if not known.any():
            raise ValueError(
                "Fine-tuning is stopped by validation rows of other speakers, and there are none; "
                "take a protocol with validation speakers, on a selection of three speakers or more."
            )
        return validation[0][known].astype(np.float32), np.searchsorted(self.classes_, np.asarray(validation[1])[known])

    def _build(self, values: np.ndarray) -> np.ndarray:
        """Make the pooled body, the head on it and the whole, which share their layers; gives the body's outputs."""
        import keras

        from ser_study.models.deep.spec_augment import SpecAugment

        body = campplus.network((self.output,)) if self.untrained else campplus.pretrained((self.output,))
        if self.untrained:
            campplus.set_random(body)
        self.pooled_ = keras.Model(body.input, statistics(body.output))
        compiled(self.pooled_)
        pooled, settings = outputs(self.pooled_, values), self.settings_
        spread = bounded_spread(pooled.std(axis=0))
        layers = [
            keras.Input(pooled.shape[1:]),
            keras.layers.Normalization(mean=pooled.mean(axis=0), variance=spread**2),
            keras.layers.Dropout(settings.dropout, seed=self.seed % 2**31),
            keras.layers.Dense(len(self.classes_)),
        ]
        self.head_ = keras.Sequential(layers)
        masks = (settings.time_masks, settings.time_width, settings.band_masks, settings.band_width)
        entry = keras.Input((None, campplus.N_MELS))
        self.model_ = keras.Model(entry, self.head_(self.pooled_(SpecAugment(*masks, seed=self.seed)(entry))))
        return pooled

    def _stage(self, number: int, model, rows, watched) -> None:
        """Train one stage and keep its best weights, or the ones before it where those were better."""
        limit = min(self.settings_.epochs[number], self.training_.max_epochs or self.settings_.epochs[number])
        if not limit:
            return
        unfreeze(self.pooled_, STAGES[number], self.output)
        before = model.get_weights()
        curve = self._trained(number, limit, model, rows, watched)
        losses = curve["validation_loss"].fillna(np.inf).to_numpy()
        if not np.isfinite(losses).any() and not number:
            raise FloatingPointError(
                f"The loss of {NAME!r} was never finite; lower finetuning.rates (now {self.settings_.rates[0]}) or "
                "check the filterbanks for missing values."
            )
        stage = self._summary(number, curve, watched) | {"kept": bool(losses.min() < self._least)}
        stage["n_trainable"] = int(sum(np.prod(weight.shape) for weight in model.trainable_weights))
        if stage["kept"]:
            self._least = losses.min()
            self.best_epoch_ = sum(map(len, self._curves)) + stage["best_epoch"]
        else:
            model.set_weights(before)
        self._curves.append(curve)
        self.stages_.append(stage)

    def _summary(self, number: int, curve: pd.DataFrame, watched) -> dict[str, Any]:
        """One stage in plain values, with the weights of its best epoch."""
        names, losses = self.classes_, curve["validation_loss"].fillna(np.inf)
        guess = (self._logits(watched[0]) if number else outputs(self.head_, watched[0])).argmax(axis=1)
        return {
            "stage": STAGES[number],
            "lr": self.settings_.rates[number],
            "epochs": len(curve),
            "best_epoch": int(losses.argmin()) + 1,
            "validation_loss": float(losses.min()) if np.isfinite(losses.min()) else None,
            "validation_uar": float(metrics.uar(metrics.confusion(names[watched[1]], names[guess], tuple(names)))),
            "seconds_per_epoch": round(float(curve["seconds"].iloc[-max(1, len(curve) - 1) :].median()), 2),
        }

    def _trained(self, number: int, limit: int, model, rows, watched) -> pd.DataFrame:
        """Learning curve of a stage (``estimator.HISTORY``); the model ends with the weights of its best epoch."""
        import keras

        from ser_study.models.deep.spec_augment import Shares

        clock: list[float] = []
        compiled(model, self.settings_.rates[number])
        batch, n_augmented = (64, 0) if number == 0 else (self.settings_.batch, len(self.settings_.variants))
        patience = self.training_.patience
        stop = keras.callbacks.EarlyStopping(_WATCHED, patience=patience, mode="min", restore_best_weights=True)
        tick = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: clock.append(time.perf_counter()),
            on_epoch_end=lambda epoch, logs: clock.append(time.perf_counter() - clock.pop()),
        )
        history = model.fit(
            Shares(*rows, batch=batch, n_augmented=n_augmented, seed=self.seed + number),
            epochs=limit,
            shuffle=False,  # the rows are shuffled already
            validation_data=batches(*watched, size=AT_ONCE),
            callbacks=[tick, keras.callbacks.TerminateOnNaN(), stop],
            verbose=0,
        ).history
        columns = ("log_loss", "accuracy", _WATCHED, "val_accuracy")
        curves = [pd.Series(history.get(name, []), dtype=float).reindex(range(len(clock))) for name in columns]
        return pd.DataFrame(dict(zip(estimator.HISTORY[1:], [*curves, clock])))


def builder(settings: Finetuning, **options: Any) -> Callable[[Models, Mapping[str, Any], int], FineTuner]:
    """What ``training.Task`` builds a fine-tuner with; ``options`` are ``output`` and ``untrained`` of it."""

    def build(models: Models, params: Mapping[str, Any], seed: int) -> FineTuner:
        return FineTuner(settings, seed, **{**options, **params})

    return build


def unfreeze(model, stage: str, output: str) -> None:
    """Let the layers of CAM++ learn that a stage names: none ("head"), those of block ``output``, or all.

    Batch normalisation never learns, which in Keras also keeps it on its published statistics.
    """
    number = list(campplus.BLOCKS).index(output) + 1
    block = (f"xvector.{output}.", f"xvector.transit{number}.")
    for layer in model.layers:
        learns = stage == "all" or (stage == "block" and layer.name.startswith(block))
        layer.trainable = learns and type(layer).__name__ != "BatchNormalization"


def compiled(model, rate: float = 1e-3) -> None:
    """Ready a Keras model with logits for training: Adam, cross-entropy, and what is watched."""
    import keras

    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy", keras.metrics.SparseCategoricalCrossentropy(name="log_loss", from_logits=True)],
        jit_compile=translated(),
    )
