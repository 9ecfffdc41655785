"""What a registered feature is: its name and function, and what it needs to run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_study.config import Config
from ser_study.download import weights
from ser_study.store import ABSENT, note, versions

LIBRARIES = ("librosa", "numpy", "scipy", "soxr")  # of every feature: they read, resample and transform
APART = {"opensmile": ("opensmile",), "keras": ("keras", "tensorflow")}  # of features with workers of their own


@dataclass(frozen=True)
class Feature:
    """One way to describe a clip; ``version`` rises when its numbers change."""

    name: str
    title: str
    extract: Callable[..., np.ndarray]  # (signal, sample_rate, **options) → float32 array, or float16
    columns: Callable[..., tuple[str, ...]]  # (**options) → names
    audio: str = "audio"  # section of config that prepares the clip
    options: tuple[str, ...] = ()  # sections of config that the extractor reads
    apart: str = ""  # only in worker processes, named after the library that no other may meet there
    version: int = 1
    weights: str = ""  # key of the catalogue in ``download.weights``
    modules: tuple[str, ...] = ()  # of optional libraries that it needs
    extra: str = ""  # what installs them with this package

    def settings(self, config: Config) -> dict[str, Any]:
        """The slice of settings the values depend on."""
        sections = {name: getattr(config, name) for name in self.options}
        sections |= {"weights": weights.get(self.weights).sha256} if self.weights else {}
        return {"feature": self.name, "version": self.version, "audio": getattr(config, self.audio), **sections}

    def made_with(self, config: Config) -> dict[str, str]:
        """Versions of the libraries that make the values; part of every cache key, of no declaration."""
        used = {*LIBRARIES, *APART.get(self.apart, ()), *self.modules}
        return versions(used | ({"noisereduce"} if getattr(config, self.audio).denoise else set()))

    def lacks(self) -> str:
        """Why the feature cannot be made here; empty where it can."""
        missing = [module for module in self.modules if not importlib.util.find_spec(module)]
        if not missing:
            return ""
        return f"{self.title} needs {' and '.join(missing)}; install it with: pip install 'ser_study[{self.extra}]'."

    def fetch(self) -> None:
        """Bring the weights here, once for all workers.

        Raises
        ------
        ImportError
            An optional library is missing.
        ConnectionError, ValueError, RuntimeError
            The weights cannot be had, see ``download.weights.path``.
        """
        try:
            if reason := self.lacks():
                raise ImportError(reason)
            if self.weights:
                for name in (self.weights, *weights.get(self.weights).also):
                    weights.path(name)
        except Exception:
            note(f"{ABSENT}{self.name}")  # the page is made again when it arrives
            raise

    def is_here(self) -> bool:
        """Whether the library and the weights that the feature needs are here; nothing is fetched."""
        return not self.lacks() and (not self.weights or weights.is_here(self.weights))
