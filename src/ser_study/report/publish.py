"""What a run leaves for others to compute with, once its notebooks have been executed: clips and predictions.

Conventions
-----------
Published is what some notebook read of cached predictions (its record says what), and every clip that was found.
Nothing is written again while that is unchanged to the byte: another processor may compute other predictions under the
same settings. A folder that shall be committed holds at most ``MAX_RUN`` bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from ser_study import config as settings
from ser_study import corpora
from ser_study.config import Config
from ser_study.corpora import published as clips
from ser_study.experiments import coding, published
from ser_study.report import provenance
from ser_study.store import CLIPS, Store, file_hash

BUILT_IN = "synthetic"  # corpus that chapter 03 may have beside those of the run
MAX_RUN = 50_000_000  # bytes
COMMITTED = ("*.html", "run.json", "assets/*", "*.parquet", "pages/*", "tables/*", "figures/*.svg")


def publish(config: Config, store: Store, *, corpora: Iterable[str], notebooks: Iterable[str]) -> None:
    """Write ``clips.parquet`` and ``predictions.parquet`` of a run.

    Parameters
    ----------
    corpora : corpora of the run
    notebooks : file names of its executed notebooks
    """
    read: dict[str, set[str]] = {}
    for name in notebooks:
        record = provenance.read_json((store.derived / "notebooks" / name).with_suffix(".json"))
        for path, words in record.get("predictions", {}).items():
            read.setdefault(path, set()).update(words)
    needs = {store.derived / path: words for path, words in read.items()}
    if gone := [path.name for path in needs if not path.is_file()]:
        print(
            f"Predictions are not published: {len(gone)} of {len(needs)} have gone from the cache, first {gone[0]}. "
            "Run again with --force.",
            file=sys.stderr,
        )
    elif needs:
        _write(needs, list(corpora), config, store)


def _write(needs: dict[Path, set[str]], names: list[str], config: Config, store: Store) -> None:
    """Write both files, unless they say that they were made from the same."""
    beside = [BUILT_IN] if config.ladder.built_in and BUILT_IN not in names else []
    tables = [corpora.load(name, config=config, store=store) for name in (*names, *beside)]
    hashes = [table[["clip_id", "sha256"]].fillna("").to_numpy().tolist() for table in tables]
    made_from = settings.fingerprint(
        [
            coding.STEPS,
            coding.VERSION,
            published.VERSION,
            {path.name: [file_hash(path), sorted(words)] for path, words in needs.items()},
            hashes,
        ]
    )
    if (store.run / CLIPS).is_file() and published.facts_of(store.run).get("made_from") == made_from:
        return
    private = [name for name in names if not corpora.module(name).INFO.names_published]
    packed = [name for name in names if corpora.pack_of(name, store) is not None]
    rows = clips.numbers(tables)
    published.write(needs, rows, store.run, facts={"made_from": made_from})
    features = published.features(store.run)
    clips.write(tables, store.run, private=private, features=features, packed=packed, beside=beside)


def committed(folder: Path) -> list[Path]:
    """Files of a run that are committed."""
    return sorted(path for pattern in COMMITTED for path in folder.glob(pattern) if path.is_file())


def too_large(folder: Path) -> str:
    """Why a run cannot be published as it is, with the largest files; empty where it can."""
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in committed(folder)}
    largest = sorted(sizes, key=sizes.get, reverse=True)[:3]
    if sum(sizes.values()) <= MAX_RUN and all(size <= published.MAX_FILE for size in sizes.values()):
        return ""
    named = ", ".join(f"{name} {sizes[name] / 1e6:.1f} MB" for name in largest)
    return (
        f"reports/{folder.name} holds {sum(sizes.values()) / 1e6:.1f} MB; at most {MAX_RUN / 1e6:.0f} MB, and "
        f"{published.MAX_FILE / 1e6:.0f} MB a file, are published. Largest: {named}."
    )


def fingerprints(folder: Path) -> dict[str, str]:
    """Table → hash of its CSV."""
    return {path.stem: file_hash(path) for path in sorted((folder / "tables").glob("*.csv"))}
