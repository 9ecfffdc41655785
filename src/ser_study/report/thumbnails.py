"""Small spectrograms of all clips of a corpus in one picture, for the explorer's list of errors.

Conventions
-----------
The picture of a corpus is a WebP file in ``assets/``, whose name says which clips it shows. Each clip has a tile, in
the order of ``clips.parquet``, ``COLUMNS`` tiles a row: time from left to right over the whole clip, mel bands from
low at the bottom to high, dark where the clip is loud. Corpora whose clips may not be named have no picture, and where
there is no audio the published picture stays.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ser_study import config as settings
from ser_study import corpora
from ser_study.config import Audio, Config, Frames
from ser_study.corpora import published
from ser_study.features import inspection
from ser_study.parallel import Failure, named_failures, parallel_map
from ser_study.store import Store, locked, replacing

VERSION = 2  # rises when a tile looks different
WIDTH, HEIGHT, COLUMNS = 48, 32, 64  # pixels of a tile, in whole blocks of the codec, so that none bleeds; tiles a row
SPAN = 66.0  # dB from the loudest point of a clip (black) down to white
QUALITY = 20  # of WebP, 0 to 100


def write(config: Config, store: Store, *, names: Iterable[str]) -> None:
    """Make the pictures of a run that has published its clips, and remove those of other clips.

    A picture of which a clip cannot be read is not made; stderr says which.

    Parameters
    ----------
    names : corpora of the run
    """
    if not published.is_run(store.run) or store.published is not None:
        return
    folder = store.run / "assets"
    folder.mkdir(exist_ok=True)
    remove_old(store.run, folder)
    for name, file in _files(store.run).items():
        has_audio = name in names and corpora.pack_of(name, store) is None
        if has_audio and not (folder / file).is_file() and (made := _made(name, file, config, store)):
            shutil.copyfile(made, folder / file)


def remove_old(run: Path, folder: Path) -> None:
    """Remove from ``folder`` the pictures of other clips than those that ``run`` has published."""
    for old in {path.name for path in folder.glob("spectrograms-*.webp")} - set(_files(run).values()):
        (folder / old).unlink()


def is_public(corpus: str) -> bool:
    """Whether pictures of its clips are published."""
    return corpora.module(corpus).INFO.names_published


def there(run: Path, folder: Path) -> dict[str, str]:
    """Corpus → file in ``folder`` with its picture, where there is one of the clips that ``run`` has published."""
    return {name: file for name, file in _files(run).items() if (folder / file).is_file()}


def _files(run: Path) -> dict[str, str]:
    return {name: file_of(run, name) for name in published.corpora(run) if is_public(name)}


def file_of(run: Path, corpus: str) -> str:
    """Name of the picture of a corpus whose clips a run has published."""
    clips = published.clips(run, corpus)[["clip_id", "sha256"]].fillna("").to_numpy().tolist()
    return f"spectrograms-{corpus}-{settings.fingerprint([VERSION, WIDTH, HEIGHT, COLUMNS, clips])[:12]}.webp"


def _made(corpus: str, file: str, config: Config, store: Store) -> Path | None:
    """The picture in ``derived``, made unless it is there; None where a clip could not be read."""
    path = store.derived / "thumbnails" / file
    with locked(path):
        if not path.is_file():
            rows = corpora.load(corpus, config=config, store=store).to_dict("records")
            plain = dataclasses.replace(config, audio=Audio(), frames=Frames())  # alike whatever a run changes
            work = partial(_tile, config=plain, store=store)
            tiles = list(parallel_map(work, rows, jobs=config.run.jobs, label=f"thumbnails · {corpus}"))
            if failures := [(clip["clip_id"], tile) for clip, tile in tiles if isinstance(tile, Failure)]:
                lost = f"{len(failures)} of {len(rows)} clips could not be read ({named_failures(failures)})"
                print(f"No thumbnails of {corpus}: {lost}. Mend this, then run again.", file=sys.stderr)
                return None
            with replacing(path) as temporary:
                picture = Image.fromarray(sheet([tile for _, tile in tiles]))
                picture.save(temporary, format="webp", quality=QUALITY, method=6)
    return path


def _tile(clip: dict, *, config: Config, store: Store) -> np.ndarray:
    return tile(inspection.analysis_of(clip, config=config, store=store).mel_db)


def tile(mel_db: np.ndarray) -> np.ndarray:
    """Levels in dB (t, n_mels) as grey values (HEIGHT, WIDTH), 0 for the loudest; white for silence."""
    below = np.clip(mel_db.max() - mel_db, 0, SPAN) / SPAN if np.ptp(mel_db) > 0 else np.ones_like(mel_db)
    grey = Image.fromarray(np.round(255 * below.T[::-1]).astype(np.uint8))
    return np.asarray(grey.resize((WIDTH, HEIGHT), Image.Resampling.BOX))


def sheet(tiles: list[np.ndarray]) -> np.ndarray:
    """All tiles in rows of ``COLUMNS``; white after the last."""
    n_rows = -(-len(tiles) // COLUMNS)
    whole = np.full((n_rows * COLUMNS, HEIGHT, WIDTH), 255, np.uint8)
    whole[: len(tiles)] = tiles
    return whole.reshape(n_rows, COLUMNS, HEIGHT, WIDTH).swapaxes(1, 2).reshape(n_rows * HEIGHT, COLUMNS * WIDTH)
