"""Every feature of the study, one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ser_study.config import Config
from ser_study.features import images, opensmile, vectors


@dataclass(frozen=True)
class Feature:
    """One way to describe a clip; ``version`` rises when its numbers change."""

    name: str
    title: str
    extract: Callable[..., np.ndarray]  # (signal, sample_rate, **options) → float32 array
    columns: Callable[..., tuple[str, ...]]  # (**options) → names
    audio: str = "audio"  # section of config that prepares the clip
    options: tuple[str, ...] = ()  # sections of config that the extractor reads
    apart: bool = False  # only in worker processes
    version: int = 1

    def settings(self, config: Config) -> dict[str, Any]:
        """The slice of settings the values depend on."""
        sections = {name: getattr(config, name) for name in self.options}
        return {"feature": self.name, "version": self.version, "audio": getattr(config, self.audio), **sections}


def _openname(name: str) -> Callable[[], tuple[str, ...]]:
    return partial(opensmile.column_names, name)


REGISTRY: Mapping[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature(
            "seed184", "184 means (seed 001)", vectors.seed184, vectors.seed184_columns, "seed_audio", ("seed_frames",)
        ),
        Feature(
            "seed180",
            "180 means (seed 002)",
            vectors.seed180,
            vectors.seed180_columns,
            "seed180_audio",
            ("seed_frames",),
        ),
        Feature("summary", "frame statistics (ours)", vectors.summary, vectors.summary_columns, "audio", ("frames",)),
        Feature("log_mel", "log-mel image", images.log_mel, images.log_mel_columns, "audio", ("images",)),
        Feature(
            "egemaps", "eGeMAPSv02", partial(opensmile.functionals, name="egemaps"), _openname("egemaps"), apart=True
        ),
        Feature(
            "compare", "ComParE 2016", partial(opensmile.functionals, name="compare"), _openname("compare"), apart=True
        ),
    )
}


def names() -> list[str]:
    """Every registered feature."""
    return list(REGISTRY)


def get(name: str) -> Feature:
    """A registered feature; ``ValueError`` with the known names otherwise."""
    if name not in REGISTRY:
        raise ValueError(f"Unknown feature {name!r}; known: {', '.join(REGISTRY)}.")
    return REGISTRY[name]
