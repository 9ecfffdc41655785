"""All settings, their defaults and their units: the only place with defaults.

A preset is a *difference* from the defaults; an override is a dotted name (``audio.sample_rate``).
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import json
import re
import tomllib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from ser_study.config.presets import PRESETS
from ser_study.config.sections import (
    Ablations,
    Audio,
    Baselines,
    Benchmark,
    Controls,
    Evaluation,
    Finetuning,
    Frames,
    Images,
    JointFinetuning,
    Ladder,
    Models,
    Networks,
    Run,
    Synthetic,
    Testing,
    Training,
    Tuning,
)


@dataclass(frozen=True)
class Config:
    """Every setting of a run. ``preset`` and ``overrides`` say how it came about."""

    preset: str = "full"
    overrides: Mapping[str, Any] = field(default_factory=dict, hash=False)
    seed: int = 2026
    corpora: tuple[str, ...] = ()  # empty: every corpus that is here
    audio: Audio = Audio()
    means184_audio: Audio = Audio(sample_rate=22_050, trim_top_db=60.0)  # as E001 loads its clips
    means180_audio: Audio = Audio(sample_rate=22_050, trim=False)  # as E002 does
    statistics51_audio: Audio = Audio(sample_rate=22_050, trim=False, cut="rms")  # as E000 does
    log_mel87_audio: Audio = Audio(  # as E004 does: the first second
        sample_rate=44_100, denoise=True, trim_top_db=60.0, length=1.0, crop="start"
    )
    vggish_audio: Audio = Audio(  # as E003 does: cut, then centred in 259,431 samples at 48 kHz
        trim=False, channel="first", cut="rolling_sum", cut_level=0.01, length=259_431 / 48_000
    )
    frames: Frames = Frames()
    librosa_frames: Frames = Frames(n_fft=2048, hop_length=512, n_mels=128, n_mfcc=40)
    images: Images = Images()
    synthetic: Synthetic = Synthetic()
    models: Models = Models()
    evaluation: Evaluation = Evaluation()
    benchmark: Benchmark = Benchmark()
    ladder: Ladder = Ladder()
    controls: Controls = Controls()
    ablations: Ablations = Ablations()
    networks: Networks = Networks()
    training: Training = Training()
    finetuning: Finetuning = Finetuning()
    joint_finetuning: JointFinetuning = JointFinetuning()
    tuning: Tuning = Tuning()
    baselines: Baselines = Baselines()
    testing: Testing = Testing()
    run: Run = Run()

    @property
    def run_name(self) -> str:
        """Folder of the run's report: the preset, and what was changed, or its fingerprint where that is long."""
        changed = {name: value for name, value in sorted(self.overrides.items()) if not name.startswith("run.")}
        if not changed:
            return self.preset
        text = "+".join(f"{name}={value}" for name, value in changed.items())
        return f"{self.preset}+{text if _FOLDER.fullmatch(text) else fingerprint(changed)[:8]}"


SCORES = "scores"  # the random stream of a run's tables of scores: the same predictions have the same interval in all
_FOLDER = re.compile(r"[\w.=+-]{1,40}", re.ASCII)  # what any file system takes, and a reader too
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_LEAST = {  # numbers that may not be as low as 0; jobs and voices are checked where they are used
    **{"sample_rate": 1000, "n_fft": 16, "max_length": 0.1, "inner_folds": 2, "jobs": float("-inf")},
    **dict.fromkeys(("hop_length", "frame_length", "trim_frame_length", "trim_hop_length", "n_mels", "n_mfcc"), 1),
    **dict.fromkeys(("n_frames", "calibration_bins", "batch", "n_bootstrap", "timed_clips", "draws"), 1),
    **dict.fromkeys(("fresh_splits", "marker_draws"), 1),
    "boosting_bins": 2,
    **dict.fromkeys(("forest_trees", "boosting_rounds", "mlp_units", "mlp_iterations", "max_iter", "tree_cap"), 1),
    **dict.fromkeys(("bagging_members", "pca_components", "seeds", "training_seeds", "patience", "trials"), 1),
}
_SHARES = ("level", "validation_share")  # between 0 and 1
_CHOICES = {  # settings that take one of a few words; other closed lists are checked where their registry is
    "channel": ("mix", "first"),
    "cut": ("", "rms", "rolling_sum"),
    "pad": ("centre", "start", "end"),
    "crop": ("centre", "start"),
    "scale": ("", "peak", "min_max", "z_score"),
    "class_weight": ("", "balanced"),
    "block": ("block2", "block3"),
    "pooling": ("statistics", "attention"),
}
_FITTING = {int: (str, int), float: (str, int, float)}  # what may be given where a number is wanted


def load(preset: str = "full", overrides: Mapping[str, Any] | None = None) -> Config:
    """Settings of a preset with overrides applied.

    Parameters
    ----------
    preset : a key of ``PRESETS``
    overrides : dotted name → value; text is converted to the setting's type

    Raises
    ------
    ValueError
        An unknown preset or name (with a suggestion), or a value of the wrong type (with the value).
    """
    if preset not in PRESETS:
        raise ValueError(unknown("preset", preset, PRESETS))
    if overrides is not None and not isinstance(overrides, Mapping):
        raise ValueError(f"Overrides must be a table of names and values; found {overrides!r}.")
    config = Config(preset=preset)
    for name, value in {**PRESETS[preset], **(overrides or {})}.items():
        config = _replaced(config, name, value)
    clean = {name: as_dict(functools.reduce(getattr, name.split("."), config)) for name in overrides or {}}
    return dataclasses.replace(config, overrides=clean)


def read_overrides(path: Path) -> dict[str, Any]:
    """Overrides from a TOML file; ``[audio] sample_rate = 22050`` becomes ``audio.sample_rate``.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is not TOML; the message holds line and column.
    """
    if not path.is_file():
        raise FileNotFoundError(f"No settings file at {path}; write one, or use --set name=value.")
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid TOML: {error}. Example: [audio] then sample_rate = 22050.") from None
    return _flatten(tree)


def parse_set(pairs: list[str]) -> dict[str, str]:
    """``["audio.sample_rate=22050"]`` → ``{"audio.sample_rate": "22050"}``."""
    parsed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"--set takes name=value, found {pair!r}; for example --set audio.sample_rate=22050.")
        parsed[name.strip()] = value.strip()
    return parsed


def setting_names() -> list[str]:
    """Every dotted name that can be overridden."""
    parts = {item.name: item.default for item in dataclasses.fields(Config)}
    sections = [name for name, part in parts.items() if dataclasses.is_dataclass(part)]
    alone = [name for name in parts if name not in ("preset", "overrides", *sections)]
    return alone + [f"{name}.{inner.name}" for name in sections for inner in dataclasses.fields(parts[name])]


def as_dict(settings: Any) -> Any:
    """Settings, and containers of them, as plain JSON values."""
    plain = dataclasses.asdict(settings) if dataclasses.is_dataclass(settings) else settings
    if isinstance(plain, Mapping):
        return {key: as_dict(value) for key, value in plain.items()}
    return [as_dict(value) for value in plain] if isinstance(plain, (tuple, list)) else plain


def fingerprint(content: Any) -> str:
    """SHA-256 (hex) of settings, text, numbers and their containers; equal content gives equal text."""
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def fingerprint_of_parts(parts: Iterable[list]) -> str:
    """The fingerprint of a long list that comes in parts, without all of it in memory."""
    digest, start = hashlib.sha256(b"["), ""
    for part in parts:
        if part:
            digest.update((start + _canonical(part)[1:-1]).encode())
            start = ", "
    digest.update(b"]")
    return digest.hexdigest()


def _canonical(content: Any) -> str:
    return json.dumps(content, sort_keys=True, default=as_dict, ensure_ascii=False, allow_nan=False)


def rng(config: Config, purpose: str) -> np.random.Generator:
    """A random stream of its own for each purpose; the same seed and purpose give the same numbers."""
    return np.random.default_rng([config.seed, zlib.crc32(purpose.encode())])


def random_state(config: Config, purpose: str) -> int:
    """A seed below 2³¹ for libraries that take an integer."""
    return int(rng(config, purpose).integers(2**31))


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message about a name that is none of the known ones: what is near it in any case, and what there is."""
    return f"Unknown {what} {name!r}{suggestion(name, known)} Known: {', '.join(known)}."


def suggestion(name: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """``, did you mean 'ravdess'?`` or, where nothing is near, a full stop."""
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=cutoff)
    return f", did you mean {by_lower[near[0]]!r}?" if near else "."


def _flatten(tree: Mapping, prefix: str = "") -> dict[str, Any]:
    items = ((f"{prefix}{key}", value) for key, value in tree.items())
    parts = (_flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value} for name, value in items)
    return functools.reduce(dict.__or__, parts, {})


def _replaced(config: Config, name: str, value: Any) -> Config:
    if name not in setting_names():
        raise ValueError(f"Unknown setting {name!r}{suggestion(name, setting_names())} See ser_study/config.")
    section, _, inner = name.partition(".")
    part = getattr(config, section) if inner else config
    kind = get_type_hints(type(part))[inner or section]
    typed, least = _typed(name, value, kind), _LEAST.get(inner or section, 0)
    if kind in (int, float) and typed < least:
        raise ValueError(f"Setting {name!r} must be {least} or more, found {value!r}.")
    allowed = _CHOICES.get(inner)
    if allowed and typed not in allowed:
        words = ", ".join(repr(one) for one in allowed)
        raise ValueError(f"Setting {name!r} takes one of {words}; found {value!r}{suggestion(str(value), allowed)}")
    if inner in _SHARES and not 0 < typed < 1:
        raise ValueError(
            f"Setting {name!r} must lie between 0 and 1, such as {getattr(part, inner):g}; found {value!r}."
        )
    changed = dataclasses.replace(part, **{inner or section: typed})
    return dataclasses.replace(config, **{section: changed}) if inner else changed


def _typed(name: str, value: Any, kind: Any) -> Any:
    """The value in the setting's type; text is read, anything else must fit already."""
    is_tuple, one = get_origin(kind) is tuple, (get_args(kind) or (kind,))[0]
    if is_tuple:
        items = [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value
        if isinstance(items, (list, tuple)):
            return tuple(_typed(name, item, one) for item in items)
    try:
        if kind is bool and isinstance(value, (str, bool)):
            return _TRUTH[str(value).lower()]
        if kind is str and isinstance(value, str):
            return value
        if not isinstance(value, bool) and isinstance(value, _FITTING.get(kind, ())) and np.isfinite(float(value)):
            return kind(value)
    except (KeyError, ValueError, OverflowError):
        pass  # a word that is no truth value, text that is no number
    several = ", one or several joined by commas" if is_tuple else ""
    raise ValueError(f"Setting {name!r} takes {one.__name__}{several}, found {value!r}.")


def registry(name: str) -> str:
    """Text of a committed table of the package, such as ``"weights.toml"``."""
    return files("ser_study").joinpath("registry", name).read_text(encoding="utf-8")
