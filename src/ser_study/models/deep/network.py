"""What a network is: one row with a way to build it, its published settings and its preparation of the values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]
SHARED = {  # settings that every network has
    "lr": 1e-3,  # learning rate
    "momentum": 0.9,  # of SGD
    "optimizer": "adam",  # or "sgd"
    "batch": 64,  # clips a step
    "epochs": 40,  # at most
    "unwatched": 0,  # first epochs whose validation loss stops nothing and whose weights are not kept
}


@dataclass(frozen=True)
class Network:
    """``make(shape, n_classes, params)`` gives an unfitted Keras model with logits (n, n_classes) as output.

    ``preparation`` names what is fitted on the training rows before (see ``preparation.make``); ``params``
    are all settings that a caller may change, at their published values where there are any.
    """

    name: str
    title: str
    kind: str  # what it reads: "vector" (n, d), "sequence" (n, t, d), "image" (n, t, mels, 1) or "any"
    make: Callable[[Shape, int, Mapping[str, Any]], Any]
    params: Mapping[str, Any]
    preparation: str = "channel"
    published: bool = False  # sizes and rates are a student system's own

    def settings(self, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """All settings with some changed; ``ValueError`` with the known names for an unknown one."""
        known = {**SHARED, **self.params}
        strange = set(params or {}) - set(known)
        if strange:
            raise ValueError(
                f"Network {self.name!r} has no setting {', '.join(sorted(strange))}; it has {', '.join(known)}."
            )
        return {**known, **(params or {})}

    def varied(self, ending: str, title: str, **changed: Any) -> Network:
        """The same network under another name with some settings changed."""
        changed = {name: value for name, value in self.settings(changed).items() if name in changed}
        return dataclasses.replace(
            self,
            name=f"{self.name}_{ending}",
            title=f"{self.title}, {title}",
            params={**self.params, **changed},
            published=False,
        )

    def shaped(self, values):
        """Values as the network reads them: maps (n, t, mels) become images (n, t, mels, 1) for an image network."""
        return values[..., None] if self.kind == "image" and values.ndim == 3 else values

    def check(self, shape: Shape) -> None:
        """Raise ``ValueError`` where values of this shape (without the clips) cannot be read."""
        axes = {"vector": (1,), "sequence": (2, 3), "image": (3,), "any": (1, 2, 3)}[self.kind]
        wanted = {
            "vector": "vectors (n, d)",
            "sequence": "sequences (n, t, d) or images (n, t, mels, 1)",
            "image": "maps (n, t, mels) or images (n, t, mels, 1)",
            "any": "values with one to three axes a clip",
        }[self.kind]
        if len(shape) not in axes:
            raise ValueError(f"Network {self.name!r} reads {wanted}; found values of shape (n, {_axes(shape)}).")


def _axes(shape: Shape) -> str:
    return ", ".join(map(str, shape))
