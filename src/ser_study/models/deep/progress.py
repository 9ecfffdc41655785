"""How far a training has come, written between two epochs, so that a killed one goes on at the next.

One ``.npz`` file holds the weights as they are and as they were best, the state of the optimiser and of every random
stream, and the learning curve as JSON. It is replaced whole, so there is always the last finished epoch.
"""

from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ser_study.store import replacing

GROUPS = ("now", "best", "optimiser")


@dataclass
class Progress:
    """State of a training after an epoch."""

    curve: list[dict[str, Any]] = field(default_factory=list)  # one mapping an epoch of any stage
    best: tuple[float, float] = (-np.inf, -np.inf)  # two numbers of the best epoch, such as its UAR and minus its loss
    arrays: dict[str, list[Any]] = field(default_factory=dict)  # a list of each of ``GROUPS``: arrays, or variables

    def of_stage(self, stage: str) -> list[dict[str, Any]]:
        """Finished epochs of a stage."""
        return [row for row in self.curve if row["stage"] == stage]


def write(path: Path, state: Progress) -> None:
    """Replace the file of a training."""
    about = json.dumps({"curve": state.curve, "best": list(state.best)})
    named = {f"{group}{i}": array for group in GROUPS for i, array in enumerate(state.arrays[group])}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, about=np.array(about), **named)


def read(path: Path) -> Progress:
    """State of a training; of one that has not begun, or whose file is damaged (said on stderr), an empty one."""
    if not path.is_file():
        return Progress()
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            arrays = {group: _group(file, group) for group in GROUPS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        print(f"{path.name} is damaged ({error}); this network is trained from its beginning.", file=sys.stderr)
        return Progress()
    return Progress(about["curve"], tuple(about["best"]), arrays)


def _group(file: Any, group: str) -> list[np.ndarray]:
    n = sum(name.removeprefix(group).isdigit() for name in file.files if name.startswith(group))
    return [file[f"{group}{i}"] for i in range(n)]


def write_weights(path: Path, weights: dict[str, np.ndarray]) -> None:
    """Write the final weights by name."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **weights)
