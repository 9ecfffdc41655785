"""Packs, written: clips and features of a corpus in one file, without its audio (``corpora.packed`` reads them).

A corpus under a licence can so be worked on where its audio may not or need not lie: the pack goes into the
data folder as ``<corpus>.pack.zip`` and the study runs from it. What needs the sound itself (players,
waveforms, other features, other settings, other augmented variants than those packed) is refused with the reason.
The same clips, features and settings give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ser_study import __version__, corpora, features
from ser_study import config as settings
from ser_study.config import Config
from ser_study.corpora import packed, scan
from ser_study.download import AVAILABLE
from ser_study.experiments.folds import N_VARIANTS
from ser_study.features import cache
from ser_study.store import Store, open_folders, replacing

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # of every member, so that equal content gives equal bytes


def write(
    corpus: str,
    *,
    config: Config,
    store: Store,
    names: Sequence[str] = (),
    variants: int | None = None,
    target: Path | None = None,
) -> Path:
    """Pack one corpus.

    Parameters
    ----------
    names : features; default those that the benchmark and the ladder extract from this corpus
    variants : augmentations of each named feature, from number 1 on; None: ``N_VARIANTS`` of the ladder's feature, none
        of the others
    target : file; default ``packs/<corpus>.pack.zip`` in the derived data folder

    Returns
    -------
    The file written.

    Raises
    ------
    ValueError
        An unknown corpus or feature, a negative number of variants, or a corpus that makes its own audio.
    FileNotFoundError
        The audio is not here; a pack cannot be made from a pack.
    """
    names = list(dict.fromkeys(names or study_features(corpus, config)))
    _check(corpus, names, variants, store)
    target = target or store.derived / "packs" / f"{corpus}{packed.SUFFIX}"
    table = corpora.scanned(corpus, config=config, store=store)
    clips = corpora.load(corpus, config=config, store=store)
    audible = clips[clips["sha256"].notna() & ~clips["silent"]].drop_duplicates("sha256")
    default = {config.ladder.feature: N_VARIANTS} if variants is None else dict.fromkeys(names, variants)
    wanted = [(name, variant) for name in names for variant in range(default.get(name, 0) + 1)]
    with (
        replacing(target) as temporary,
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,  # Parquet is compressed already
    ):
        about = _add_clips(archive, table, Path(folder))
        held = [_add_feature(archive, *one, audible, config, store, Path(folder)) for one in wanted]
        manifest = _manifest(corpus, about, held, clips)
        _add(archive, packed.MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
    return target


def study_features(corpus: str, config: Config) -> list[str]:
    """Features that the benchmark extracts from a corpus: the large ones where it does, encoders that are here."""
    chosen = config.benchmark
    is_large = corpus in {corpora.corpus_of(selection) for selection in chosen.large_corpora}
    names = [*chosen.features, *chosen.wide_features, *(chosen.large_features if is_large else ()), *chosen.encoders]
    parts = dict.fromkeys(part for name in names for part in name.split("+"))
    return [part for part in parts if features.get(part).is_here()]


def notice(corpus: str) -> str:
    """The licence, and what it means for a pack."""
    info = corpora.module(corpus).INFO
    known = AVAILABLE.get(corpus)
    terms = known.notice if known else f"{info.title}\n  licence: {info.licence}"
    return f"{terms}\n  No audio is in the pack; its labels and measurements stay under the licence of the corpus."


def command(options: argparse.Namespace) -> int:
    """``ser-study pack``: pack each corpus named, say what is in it and under which licence."""
    config, store = open_folders("full", settings.parse_set(options.set), options.data)
    wanted = [name.strip() for name in options.features.split(",") if name.strip()]
    names = list(dict.fromkeys(options.names))
    target = Path(options.to).expanduser() if options.to else None
    for name in names:
        _check(name, wanted, options.variants, store)
    if target is not None and len(names) > 1 and not target.is_dir():
        raise ValueError(f"--to names one file for {len(names)} corpora; give a folder that is there, or pack one.")
    for name in names:
        file = target / f"{name}{packed.SUFFIX}" if target is not None and target.is_dir() else target
        written = write(name, config=config, store=store, names=wanted, variants=options.variants, target=file)
        print(_described(packed.read(written, name)))
    return 0


def _described(pack: packed.Pack) -> str:
    """What was packed, in words."""
    features_held = pack.manifest["features"]
    listed = ", ".join(
        f"{entry['settings']['feature']}" + (f" (variant {v})" if (v := entry["settings"].get("variant")) else "")
        for entry in features_held
    )
    size = pack.path.stat().st_size / 1e6
    return (
        f"{pack.path}: {pack.manifest['clips']['n']:,} clips; {listed}; {size:.1f} MB\n{pack.manifest['notice']}\n"
        f"  use it:  put it into another data folder as {pack.corpus}{packed.SUFFIX}, then: ser-study run"
    )


def _check(corpus: str, names: Sequence[str], variants: int | None, store: Store) -> None:
    """Refuse what cannot be packed before anything is computed."""
    if hasattr(corpora.module(corpus), "generate"):
        raise ValueError(f"{corpus} makes its own audio anywhere, so there is nothing to pack.")
    for name in names:
        features.get(name)
    if variants is not None and variants < 0:
        raise ValueError(f"The number of augmented variants is {variants}; give 0 or more.")
    if packed.is_used(corpus, store.raw):
        raise FileNotFoundError(f"{corpus} is here as a pack only; packs are made where the audio is.")


def _manifest(corpus: str, about: dict, held: list[dict], clips: pd.DataFrame) -> dict[str, Any]:
    """What the pack is, what everything in it was made with, and the hash of every member."""
    known = sorted(clips["sha256"].dropna())
    content = {
        "pack": packed.VERSION,
        "package": __version__,
        "corpus": corpus,
        "notice": notice(corpus),
        "sounds": settings.fingerprint(known),  # of all clips: whether two packs hold the same recordings
        "clips": about | {"n": len(clips)},
        "features": held,
    }
    return content | {"check": settings.fingerprint(content)}


def _add_clips(archive: zipfile.ZipFile, table: pd.DataFrame, folder: Path) -> dict[str, Any]:
    file = folder / packed.CLIPS
    table.to_parquet(file, index=False, write_page_checksum=True)
    return {"scan": scan.VERSION} | _add(archive, packed.CLIPS, file)


def _add_feature(
    archive: zipfile.ZipFile, name: str, variant: int, clips: pd.DataFrame, config: Config, store: Store, folder: Path
) -> dict[str, Any]:
    """Add the block of one feature, of exactly these clips, sorted by key."""
    made = features.load(name, clips, config=config, store=store, variant=variant)
    keys = clips.set_index("clip_id")["sha256"].loc[made.clip_id].to_numpy(dtype=object)
    slice_ = json.loads(json.dumps(features.settings_of(features.get(name), config, variant), default=settings.as_dict))
    place = folder / f"{name}-{variant}"
    cache.append(place, cache.Block(keys, made.values, made.columns))
    cache.consolidate(place, about=slice_)
    member = f"features/{name}{f'-variant{variant}' if variant else ''}.parquet"
    entry = {"settings": slice_, "fingerprint": settings.fingerprint(slice_), "n": len(keys)}
    entry |= {"without": sorted(set(clips["clip_id"]) - set(made.clip_id))}  # clips whose extraction failed
    entry |= _add(archive, member, place / cache.BLOCK)
    shutil.rmtree(place)
    return entry


def _add(archive: zipfile.ZipFile, member: str, content: Path | bytes) -> dict[str, Any]:
    """Add a file or bytes; its name and SHA-256."""
    about = zipfile.ZipInfo(member, date_time=_LONG_AGO)
    about.external_attr = 0o644 << 16
    digest = hashlib.sha256()
    with archive.open(about, "w", force_zip64=True) as target:
        if isinstance(content, bytes):
            digest.update(content)
            target.write(content)
            return {"member": member, "sha256": digest.hexdigest()}
        with content.open("rb") as source:
            while part := source.read(1 << 20):
                digest.update(part)
                target.write(part)
    return {"member": member, "sha256": digest.hexdigest()}
