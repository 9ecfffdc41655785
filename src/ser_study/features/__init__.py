"""Features: one registry, one cache.

A feature is a function of a prepared signal. Values are kept by the content of the clip (the hash of
its decoded samples), so ten new files cost ten extractions, and a killed extraction goes on where it was.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache as cached
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_study import corpora
from ser_study.audio import augment, prepare
from ser_study.config import Audio, Config
from ser_study.corpora import packed, published
from ser_study.features import cache
from ser_study.features.feature import Feature
from ser_study.features.registry import REGISTRY, get, names
from ser_study.parallel import BATCH, Failure, named_failures, parallel_map, single_threaded
from ser_study.schema import FeatureSet, Signal
from ser_study.store import Store, locked

__all__ = [
    "REGISTRY",
    "Feature",
    "describe",
    "extract",
    "extract_missing",
    "extract_signal",
    "get",
    "load",
    "made_with",
    "names",
    "unavailable",
    "width",
]

GROUP = 256  # clips written to disk at a time
N_TASKS, MOST_AT_ONCE = 1024, 64  # tasks from which on each gets more than ``BATCH`` clips, and how many at most


def unavailable(name: str, config: Config | None = None) -> str:
    """Why a feature, or one of several side by side, cannot be had here, though its weights were asked for; empty where
    it can, or where ``config`` is that of a published run that holds predictions with it. Asked once a process."""
    if "+" in name:
        return next(filter(None, (unavailable(part, config) for part in name.split("+"))), "")
    if config is not None and config.run.published:
        return "" if name in config.run.published else f"The published run holds no predictions with {name}."
    return _why_not(name)


@cached
def _why_not(name: str) -> str:
    try:
        get(name).fetch()
    except (ConnectionError, ImportError, RuntimeError) as error:
        return str(error)
    return ""


def is_pretrained(name: str) -> bool:
    """Whether a feature, or one of several side by side, comes from a pretrained network; else it is hand-crafted."""
    return any(get(part).weights for part in name.split("+"))


def load(name: str, clips: pd.DataFrame, *, config: Config, store: Store, variant: int = 0) -> FeatureSet:
    """Features of clips, from the cache or extracted now.

    Parameters
    ----------
    name : a key of ``REGISTRY``
    clips : clips table; clips of several corpora may be mixed
    variant : 0 for the clean clip, 1… for the augmentations of ``audio.augment``

    Returns
    -------
    FeatureSet in the order of ``clips``; a clip whose extraction failed is absent and named on stderr.
    """
    _check_audio(name, clips, store)
    feature = get(name)
    ids, rows, columns = [], [], ()
    for corpus, part in _by_corpus(clips):
        block = _corpus_block(feature, corpus, part, config=config, store=store, variant=variant)
        place = pd.Index(block.keys).get_indexer(part["sha256"])
        ids.append(part["clip_id"].to_numpy(dtype=object)[place >= 0])
        rows.append(block.values[place[place >= 0]])
        columns = block.columns
        del block  # values are large, and two copies of them enough
    if not ids:
        raise ValueError(f"No clips to extract {name!r} from; check the data folder with: ser-study validate.")
    clip_id, values = (part[0] if len(part) == 1 else np.concatenate(part) for part in (ids, rows))
    if len(ids) > 1:
        order = pd.Index(clip_id).get_indexer(clips["clip_id"])
        order = order[order >= 0]
        clip_id, values = clip_id[order], values[order]
    return FeatureSet(name, clip_id, np.full(len(clip_id), variant), values, columns)


def extract_missing(name: str, clips: pd.DataFrame, *, config: Config, store: Store, variant: int = 0) -> None:
    """Extract what the cache lacks of some clips (as in ``load``), and read nothing back: memory does not grow with
    the number of clips."""
    _check_audio(name, clips, store)
    for corpus, part in _by_corpus(clips):
        folder = _folder(get(name), corpus, config=config, store=store, variant=variant)
        is_there = cache.is_merged(folder) and store.is_fresh(folder / cache.BLOCK)
        if not is_there or cache.lacks(folder, part["sha256"], trusted=True).any():
            _extend(folder, get(name), corpus, part, config=config, store=store, variant=variant)


def _check_audio(name: str, clips: pd.DataFrame, store: Store) -> None:
    if store.published:
        raise FileNotFoundError(f"{name} of {len(clips)} clips needs {published.NO_AUDIO.format(store.published.name)}")


def _by_corpus(clips: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    """Clips of each corpus, with what extraction needs to know of them."""
    columns = clips[["clip_id", "path", "sha256"]]
    for corpus in clips["corpus"].unique():
        yield corpus, _some(columns, (clips["corpus"] == corpus).to_numpy())


def _some(table: pd.DataFrame, mask: np.ndarray) -> pd.DataFrame:
    """Rows of a table; where these are all, no copy is made, for there may be millions."""
    return table if mask.all() else table[mask]


def settings_of(feature: Feature, config: Config, variant: int = 0) -> dict[str, Any]:
    """The slice of settings that the values of a feature, or of an augmented variant, depend on."""
    return feature.settings(config) | ({"variant": variant, "augmentation": augment.VERSION} if variant else {})


def _folder(feature: Feature, corpus: str, *, config: Config, store: Store, variant: int) -> Path:
    """Where values of a corpus are kept."""
    key = settings_of(feature, config, variant) | {"libraries": feature.made_with(config)}
    return store.path(f"features/{feature.name}", key, "") / corpus


def _corpus_block(
    feature: Feature, corpus: str, clips: pd.DataFrame, *, config: Config, store: Store, variant: int
) -> cache.Block:
    """Values of one corpus's clips, by content hash; what is missing is extracted and kept."""
    folder = _folder(feature, corpus, config=config, store=store, variant=variant)
    if cache.is_merged(folder) and store.is_fresh(folder / cache.BLOCK):
        block = cache.read(folder)
        if block is not None and clips["sha256"].isin(block.keys).all():
            return block
    _extend(folder, feature, corpus, clips, config=config, store=store, variant=variant)
    if (block := cache.read(folder)) is None:
        raise OSError(f"{folder.parent.name} was written and cannot be read back; check the disk, then run again.")
    return block


def _extend(
    folder: Path, feature: Feature, corpus: str, clips: pd.DataFrame, *, config: Config, store: Store, variant: int
) -> None:
    """Extract what a folder lacks of one corpus's clips, and merge it into one block."""
    slice_ = settings_of(feature, config, variant)
    wanted = _some(clips, ~clips["sha256"].duplicated().to_numpy())
    with locked(folder / "block"):
        cache.forget(folder, before=store.fresh_since)
        todo = _some(wanted, cache.lacks(folder, wanted["sha256"]))
        if len(todo) and (pack := corpora.pack_of(corpus, store)) is not None:
            _from_pack(pack, wanted, folder, slice_)
            return
        work = partial(
            _extract, feature=feature.name, slice_=slice_, root=corpora.root_of(corpus, store), variant=variant
        )
        if len(todo):
            feature.fetch()
        columns = _columns(feature, slice_, config) if len(todo) else ()
        failures = _extract_all(work, todo, folder, columns, config, label=f"{feature.name} · {corpus}")
        _report(failures, n_clips=len(wanted), corpus=corpus, feature=feature.name)
        cache.consolidate(folder, about=slice_)


def _from_pack(pack: packed.Pack, wanted: pd.DataFrame, folder: Path, slice_: dict[str, Any]) -> None:
    """Keep the values that a pack holds as extracted ones are; a pack made with other settings is refused."""
    packed.unpack(pack, slice_, folder / "part-pack.parquet")
    cache.consolidate(folder, about=slice_)
    lost = wanted.loc[cache.lacks(folder, wanted["sha256"]), "path"]
    failures = [(path, Failure("the pack holds no values of it")) for path in lost]
    _report(failures, n_clips=len(wanted), corpus=pack.corpus, feature=slice_["feature"])


def _report(failures: list[tuple[str, Failure]], *, n_clips: int, corpus: str, feature: str) -> None:
    """Name on stderr the clips that gave nothing."""
    if failures:
        print(
            f"{len(failures)} of {n_clips} clips of {corpus} gave no {feature}: {named_failures(failures)}",
            file=sys.stderr,
        )


def _extract_all(work, todo, folder, columns, config, *, label) -> list[tuple[str, Failure]]:
    """Extract clips, writing each group as soon as it is done."""
    run, apart = config.run, get(work.keywords["feature"]).apart
    failures, keys, values = [], [], []
    options = {"jobs": run.jobs, "cluster": run.cluster, "label": label if len(todo) else "", "apart": apart}
    batch = min(MOST_AT_ONCE, max(BATCH, len(todo) // N_TASKS))  # of many clips, fewer and larger tasks
    for (sha, path), value in parallel_map(work, cache.Items(todo), batch=batch, **options):
        if isinstance(value, Failure):
            failures.append((path, value))
            continue
        keys.append(sha)
        values.append(value)
        if len(keys) == GROUP:
            cache.append(folder, cache.Block(np.array(keys, dtype=object), np.stack(values), columns))
            keys, values = [], []
    if keys:
        cache.append(folder, cache.Block(np.array(keys, dtype=object), np.stack(values), columns))
    return failures


def extract(name: str, path: Path, *, config: Config) -> np.ndarray:
    """Values of one file as it is, computed now and not kept; its library must be one that may run here."""
    with single_threaded():  # as in the workers
        return _extract(("", str(path)), feature=name, slice_=get(name).settings(config), root=Path(), variant=0)


def extract_signal(name: str, signal: Signal, *, config: Config) -> np.ndarray:
    """The same of a signal that was prepared by the feature's section of the settings."""
    with single_threaded():
        return _of_signal(signal, feature=name, slice_=get(name).settings(config))


def width(name: str, *, config: Config) -> int:
    """Number of values of a feature, where it has a name for each; openSMILE is not asked."""
    feature = get(name)
    return len(_names_of(name, [getattr(config, section) for section in feature.options])) if not feature.apart else 0


def _extract(item: tuple[str, str], *, feature: str, slice_: dict, root: Path, variant: int) -> np.ndarray:
    """Values of one clip; runs in any process."""
    sha, path = item
    audio: Audio = slice_["audio"]
    signal = prepare.load(root / path, audio)
    if variant:
        signal = augment.variant(signal, audio.sample_rate, variant, seed=sha)
    return _of_signal(signal, feature=feature, slice_=slice_)


def _of_signal(signal: Signal, *, feature: str, slice_: dict) -> np.ndarray:
    registered = REGISTRY[feature]
    return registered.extract(signal, slice_["audio"].sample_rate, *[slice_[name] for name in registered.options])


def _columns(feature: Feature, slice_: dict, config: Config) -> tuple[str, ...]:
    """Column names; where openSMILE must be asked, in a worker."""
    ask = partial(_names_of, feature.name)
    options = [slice_[name] for name in feature.options]
    if feature.apart != "opensmile":
        return ask(options)
    ((_, columns),) = parallel_map(ask, [options], jobs=1, apart=feature.apart)
    if isinstance(columns, Failure):
        raise RuntimeError(columns.reason)
    return columns


def _names_of(name: str, options: list) -> tuple[str, ...]:
    return tuple(REGISTRY[name].columns(*options))


def made_with(names: Iterable[str], config: Config) -> dict[str, str]:
    """Versions of the libraries that make some features."""
    return {library: known for name in names for library, known in get(name).made_with(config).items()}


def describe(config: Config) -> pd.DataFrame:
    """One row a feature: name, title, sampling rate and version."""
    rows = [
        {"feature": f.name, "title": f.title, "sample_rate": getattr(config, f.audio).sample_rate, "version": f.version}
        for f in REGISTRY.values()
    ]
    return pd.DataFrame(rows)
