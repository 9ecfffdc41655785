"""A training that goes on where a killed run left it.

The weights, the optimiser, the random streams, what early stopping remembers and the learning curve are written every
``EVERY`` seconds at the end of an epoch. A training that is over sooner writes nothing.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ser_study.models.deep import progress

EVERY = 300  # s; what a killed run can lose, besides the epoch that it was in


class Checkpoint:
    """Keeps the state of one ``fit`` in a file, and takes it up from there.

    Parameters
    ----------
    path : ``.npz`` file of this training alone; None: nothing is kept
    model : compiled network
    stop : its early stopping; None where no clip is watched

    Attributes
    ----------
    curve : what Keras logs at the end of each epoch, with its ``seconds``; of those before the interruption too
    """

    def __init__(self, path: Path | None, model: Any, stop: Any | None):
        self.path, self.model, self.stop = path, model, stop
        self.state = progress.read(path) if path else progress.Progress()
        self.curve, self.epochs_before = self.state.curve, len(self.state.curve)
        self.saved = self.begun = time.perf_counter()

    def callback(self) -> Any:
        """What Keras calls; it comes after early stopping, which begins by forgetting."""
        import keras

        return keras.callbacks.LambdaCallback(
            on_train_begin=lambda logs: self._restore(),
            on_epoch_begin=lambda epoch, logs: self._begin(),
            on_epoch_end=lambda epoch, logs: self._end(epoch, logs),
        )

    def _restore(self) -> None:
        if not self.curve:
            return
        optimiser, arrays = self.model.optimizer, self.state.arrays
        optimiser.build(self.model.trainable_variables)
        for variables, group in ((self.model.variables, "now"), (optimiser.variables, "optimiser")):
            for variable, value in zip(variables, arrays[group], strict=True):
                variable.assign(value)
        if self.stop is not None and arrays["best"]:
            value, epoch = self.state.best
            self.stop.best, self.stop.best_epoch, self.stop.best_weights = value, int(epoch), arrays["best"]
            self.stop.wait = self.epochs_before - 1 - int(epoch)

    def _begin(self) -> None:
        self.begun = time.perf_counter()

    def _end(self, epoch: int, logs: dict[str, float]) -> None:
        self.curve.append({**logs, "seconds": time.perf_counter() - self.begun})
        if self.path is None or time.perf_counter() - self.saved < EVERY:
            return
        best = getattr(self.stop, "best_weights", None) or []
        if best:
            self.state.best = (float(self.stop.best), float(self.stop.best_epoch))
        variables = {"now": self.model.variables, "best": best, "optimiser": self.model.optimizer.variables}
        self.state.arrays = variables  # read one after the other while they are written, not all at once
        progress.write(self.path, self.state)
        self.saved = time.perf_counter()
