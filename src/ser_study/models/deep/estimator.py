"""A network as a scikit-learn classifier: class names in, probabilities out, training watched on validation rows.

Runs on any Keras backend (``KERAS_BACKEND``). Two fits with the same random seed on the same CPU agree to 1e-4.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ser_study.config import Training
from ser_study.models.deep import preparation, table
from ser_study.models.deep.batches import batches
from ser_study.models.deep.checkpoint import Checkpoint

HISTORY = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "seconds")
_WATCHED = "val_log_loss"  # cross-entropy without penalties and class weights


def held_out(truth: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which rows to watch: about ``share`` of the groups of each class, all rows of a group together.

    Parameters
    ----------
    truth : class of each row, shape (n,); all rows of a group have one class
    groups : what stays together (the clip), shape (n,)
    share : of the groups of a class, rounded; at least one group stays for training

    Returns
    -------
    bool array, shape (n,)
    """
    groups = np.asarray(groups)
    names, first = np.unique(groups, return_index=True)
    random = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(np.asarray(truth)):
        own = names[np.asarray(truth)[first] == label]
        chosen.append(random.permutation(own)[: min(round(share * len(own)), len(own) - 1)])
    return np.isin(groups, np.concatenate(chosen))


class KerasClassifier(ClassifierMixin, BaseEstimator):
    """A network of the table with its preparation of the values.

    Parameters
    ----------
    network : name of a network
    params : settings that differ from the published ones
    seed : random seed of weights, dropout and the order of the clips
    training : patience, limit of epochs, share of clips to watch, determinism
    class_weight : "" or "balanced"

    Attributes
    ----------
    classes_ : sorted class names
    history_ : one row an epoch; columns ``HISTORY``, losses in nats, seconds with validation
    best_epoch_ : epoch (from 1) whose weights are kept
    n_parameters_ : weights, with the running statistics of normalisation layers
    seconds_per_epoch_ : median; the first epoch, in which the network is compiled, counts only when alone
    """

    def __init__(
        self,
        network: str = "conv1d_001",
        params: Mapping[str, Any] | None = None,
        seed: int = 0,
        training: Training | None = None,
        class_weight: str = "",
    ):
        self.network = network
        self.params = params
        self.seed = seed
        self.training = training
        self.class_weight = class_weight

    def fit(
        self,
        values: np.ndarray,
        truth: np.ndarray,
        validation: tuple[np.ndarray, np.ndarray] | None = None,
        groups: np.ndarray | None = None,
        state_file: Path | None = None,
    ) -> KerasClassifier:
        """Train until the loss on the watched rows stops falling; the best epoch's weights are kept.

        Parameters
        ----------
        values : training rows, (n, …)
        truth : class names, (n,)
        validation : values and class names to watch; None: a share of the training clips, which are then not
            trained on. Where that share is 0 the network runs to its last epoch
        groups : clip of each row, so that augmented rows of a clip stay with it; None: each row is its own
        state_file : where a long training keeps its state, to go on from it (with TensorFlow); the caller deletes it
            when all is done

        Raises
        ------
        ValueError
            The network cannot read values of this shape, or an unknown network or setting.
        FloatingPointError
            The loss became infinite in the first epoch.
        """
        settings, truth = self.training or Training(), np.asarray(truth)
        if validation is None and settings.validation_share:
            groups = np.arange(len(truth)) if groups is None else groups
            out = held_out(truth, groups, settings.validation_share, self.seed)
            values, truth, validation = values[~out], truth[~out], (values[out], truth[out])
        self.classes_, codes = np.unique(truth, return_inverse=True)
        network = table.get(self.network)
        self.settings_ = network.settings(self.params)
        values = network.shaped(values)
        network.check(values.shape[1:])
        self.preparation_ = preparation.make(network.preparation).fit(values)
        inside = self.preparation_.transform(values)
        seeded(self.seed, settings.deterministic)
        self.model_ = network.make(inside.shape[1:], len(self.classes_), self.settings_)
        self.n_parameters_ = self.model_.count_params()
        self._compile()
        self._train(inside, codes, self._watched(validation), settings, state_file)
        return self

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        """Probabilities, shape (n, C), columns in the order of ``classes_``."""
        check_is_fitted(self, "model_")
        inside = self.preparation_.transform(table.get(self.network).shaped(values))
        logits = self.model_.predict(batches(inside, size=max(64, self.settings_["batch"])), verbose=0)
        if not np.isfinite(logits).all():
            raise FloatingPointError(
                f"{np.isnan(logits).any(axis=1).sum()} of {len(logits)} rows gave no finite output of "
                f"{self.network!r}; lower its learning rate ({self.settings_['lr']}) or check the features."
            )
        odds = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Class names, shape (n,)."""
        return self.classes_[self.predict_proba(values).argmax(axis=1)]

    def summary(self) -> dict[str, Any]:
        """The training as plain values: sizes, epochs, seconds, learning curves."""
        check_is_fitted(self, "history_")
        curves = {name: self.history_[name].round(4).tolist() for name in HISTORY[1:]}
        return {
            "network": self.network,
            "params": {**(self.params or {})},
            "epochs": len(self.history_),
            "best_epoch": self.best_epoch_,
            "n_parameters": self.n_parameters_,
            "seconds_per_epoch": round(self.seconds_per_epoch_, 2),
            "history": {name: [v if np.isfinite(v) else None for v in curve] for name, curve in curves.items()},
        }

    def release(self) -> None:
        """Give the memory of the network back; it can no longer predict."""
        import keras

        self.__dict__.pop("model_", None)
        keras.utils.clear_session()
        gc.collect()

    def _compile(self) -> None:
        import keras

        params = self.settings_
        if params["optimizer"] == "sgd":
            optimizer = keras.optimizers.SGD(params["lr"], momentum=params["momentum"])
        else:
            optimizer = keras.optimizers.Adam(params["lr"])
        log_loss = keras.metrics.SparseCategoricalCrossentropy(name="log_loss", from_logits=True)
        self.model_.compile(
            optimizer=optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy", log_loss],
            jit_compile="auto",  # XLA on accelerators; on a CPU it takes two to five times as long
        )

    def _watched(self, validation) -> tuple[np.ndarray, np.ndarray] | None:
        """Prepared validation rows of the classes that training has; None where there are none."""
        if validation is None:
            return None
        known = np.isin(validation[1], self.classes_)
        if not known.any():
            return None
        codes = np.searchsorted(self.classes_, np.asarray(validation[1])[known])
        return self.preparation_.transform(table.get(self.network).shaped(validation[0][known])), codes

    def _train(self, values, codes, watched, settings: Training, state_file: Path | None) -> None:
        import keras

        limit = min(self.settings_["epochs"], settings.max_epochs or self.settings_["epochs"])
        stop = keras.callbacks.EarlyStopping(
            _WATCHED,
            patience=settings.patience,
            mode="min",
            restore_best_weights=True,
            start_from_epoch=min(self.settings_["unwatched"], limit - 1),
        )
        if keras.backend.backend() != "tensorflow":  # the others draw another number of orders in an epoch
            state_file = None
        size, watch = self.settings_["batch"], [stop] if watched else []
        checkpoint = Checkpoint(state_file, self.model_, stop if watched else None)
        self.model_.fit(
            batches(values, codes, size=size, seed=self.seed, epochs_before=checkpoint.epochs_before),
            shuffle=False,  # the rows are shuffled already
            initial_epoch=checkpoint.epochs_before,
            epochs=limit,
            validation_data=batches(*watched, size=size) if watched else None,
            class_weight=self._weights(codes),
            callbacks=[keras.callbacks.TerminateOnNaN(), *watch, checkpoint.callback()],
            verbose=0,
        )
        self._remember(checkpoint.curve, stop.best_epoch + 1 if watched else len(checkpoint.curve))

    def _remember(self, curve: list[dict[str, float]], best_epoch: int) -> None:
        columns = ("log_loss", "accuracy", _WATCHED, "val_accuracy", "seconds")
        curves = [[epoch.get(name, np.nan) for epoch in curve] for name in columns]
        self.history_ = pd.DataFrame(dict(zip(HISTORY, [range(1, len(curve) + 1), *curves])))
        self.best_epoch_ = best_epoch
        seconds = self.history_["seconds"]
        self.seconds_per_epoch_ = float(np.median(seconds[1:] if len(curve) > 1 else seconds))
        if not np.isfinite(self.history_["loss"].iloc[0]):
            raise FloatingPointError(
                f"The loss of {self.network!r} became infinite in the first epoch; lower its learning rate "
                f"(now {self.settings_['lr']}) or check the features for missing values."
            )

    def _weights(self, codes: np.ndarray) -> dict[int, float] | None:
        """Weight of each class by the inverse of its share."""
        if not self.class_weight:
            return None
        counts = np.bincount(codes)
        return dict(enumerate(len(codes) / (len(counts) * counts)))


def seeded(seed: int, deterministic: bool) -> None:
    """Forget earlier networks and start every random stream anew."""
    import keras

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that every network has a graph of its own
    keras.utils.clear_session()
    if deterministic and keras.backend.backend() == "tensorflow" and keras.distribution.list_devices("gpu"):
        os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")  # a CPU repeats itself anyway
    keras.utils.set_random_seed(seed % 2**32)
