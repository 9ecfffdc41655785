"""A training that goes on where a killed run left it.

The weights, the optimiser, the random streams, what early stopping remembers and the learning curve are written every
``EVERY`` seconds at the end of an epoch, unless it is the last. A training that is over sooner writes nothing.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from ser_study.models.deep import progress
from ser_study.models.deep.progress import Progress

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
        model.optimizer.build(model.trainable_variables)
        self.state = self._read()
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

    def _variables(self) -> dict[str, list[Any]]:
        return {"now": self.model.variables, "optimiser": self.model.optimizer.variables}

    def _read(self) -> Progress:
        """The state in the file; an empty one where there is none, or that of another network."""
        state = progress.read(self.path) if self.path else Progress()
        for group, variables in self._variables().items() if state.curve else ():
            shapes = [array.shape for array in state.arrays[group]]
            if shapes != [tuple(variable.shape) for variable in variables]:
                print(
                    f"{self.path.name} is of another network; this one is trained from its beginning.", file=sys.stderr
                )
                return Progress()
        return state

    def _restore(self) -> None:
        if not self.curve:
            return
        for group, variables in self._variables().items():
            for variable, value in zip(variables, self.state.arrays[group], strict=True):
                variable.assign(value)
        if self.stop is not None and (best := self.state.arrays["best"]):
            value, epoch = self.state.best
            self.stop.best, self.stop.best_epoch, self.stop.best_weights = value, int(epoch), best
            self.stop.wait = self.epochs_before - 1 - int(epoch)
        self.state.arrays = {}

    def _begin(self) -> None:
        self.begun = time.perf_counter()

    def _end(self, epoch: int, logs: dict[str, float]) -> None:
        self.curve.append({**logs, "seconds": time.perf_counter() - self.begun})
        is_last = self.model.stop_training  # a state of the last epoch would have the next run train one more
        if self.path is None or is_last or time.perf_counter() - self.saved < EVERY:
            return
        best = getattr(self.stop, "best_weights", None) or []
        if best:
            self.state.best = (float(self.stop.best), float(self.stop.best_epoch))
        # variables are read while they are written, one after the other: copies of all would double the memory
        state = Progress(self.curve, self.state.best, self._variables() | {"best": best})
        try:
            progress.write(self.path, state)
        except OSError as error:  # the training itself goes on
            print(f"{error} A killed run will train this network from its beginning.", file=sys.stderr)
            self.path = None
        self.saved = time.perf_counter()
