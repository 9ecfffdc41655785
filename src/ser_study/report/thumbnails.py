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
from ser_study.parallel import Failure, parallel_map
from ser_study.store import Store, locked, replacing

VERSION = 1  # rises when a tile looks different
WIDTH, HEIGHT, COLUMNS = 48, 32, 64  # pixels of a tile, in whole blocks of the codec, so that none bleeds; tiles a row
SPAN = 66.0  # dB from the loudest point of a clip (black) down to white
QUALITY = 30  # of WebP, 0 to 100


def write(config: Config, store: Store, *, names: Iterable[str]) -> None:
    """Make the pictures of a run that has published its clips, and remove those of other clips.

    Parameters
    ----------
    names : corpora of the run
    """
    if not published.is_run(store.run) or store.published is not None:
        return
    current = {name: file_of(store.run, name) for name in names if is_public(name)}
    for old in (store.run / "assets").glob("spectrograms-*.webp"):
        if old.name not in current.values():
            old.unlink()
    for name, file in current.items():
        target = store.run / "assets" / file
        if not target.is_file() and corpora.pack_of(name, store) is None:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_made(name, file, config, store), target)


def is_public(corpus: str) -> bool:
    """Whether pictures of its clips are published."""
    return corpora.module(corpus).INFO.names_published


def there(run: Path, folder: Path) -> dict[str, str]:
    """Corpus → file in ``folder`` with its picture, where there is one of the clips that ``run`` has published."""
    named = {name: file_of(run, name) for name in published.corpora(run) if is_public(name)}
    return {name: file for name, file in named.items() if (folder / file).is_file()}


def file_of(run: Path, corpus: str) -> str:
    """Name of the picture of a corpus whose clips a run has published."""
    clips = published.clips(run, corpus)[["clip_id", "sha256"]].fillna("").to_numpy().tolist()
    return f"spectrograms-{corpus}-{settings.fingerprint([VERSION, WIDTH, HEIGHT, COLUMNS, clips])[:12]}.webp"


def _made(corpus: str, file: str, config: Config, store: Store) -> Path:
    """The picture in ``derived``, made unless it is there."""
    path = store.derived / "thumbnails" / file
    with locked(path):
        if not path.is_file():
            rows = corpora.load(corpus, config=config, store=store).to_dict("records")
            plain = dataclasses.replace(config, audio=Audio(), frames=Frames())  # alike whatever a run changes
            work = partial(_tile, config=plain, store=store)
            tiles = [tile for _, tile in parallel_map(work, rows, jobs=config.run.jobs, label="thumbnails")]
            with replacing(path) as temporary:
                Image.fromarray(sheet(tiles)).save(temporary, format="webp", quality=QUALITY, method=6)
    return path


def _tile(clip: dict, *, config: Config, store: Store) -> np.ndarray:
    return tile(inspection.analysis_of(clip, config=config, store=store).mel_db)


def tile(mel_db: np.ndarray) -> np.ndarray:
    """Levels in dB (t, n_mels) as grey values (HEIGHT, WIDTH), 0 for the loudest; white for silence."""
    below = np.clip(mel_db.max() - mel_db, 0, SPAN) / SPAN if np.ptp(mel_db) > 0 else np.ones_like(mel_db)
    grey = Image.fromarray(np.round(255 * below.T[::-1]).astype(np.uint8))
    return np.asarray(grey.resize((WIDTH, HEIGHT), Image.Resampling.BOX))


def sheet(tiles: list[np.ndarray | Failure]) -> np.ndarray:
    """All tiles in rows of ``COLUMNS``; white where a clip could not be read."""
    n_rows = -(-len(tiles) // COLUMNS)
    whole = np.full((n_rows * COLUMNS, HEIGHT, WIDTH), 255, np.uint8)
    for place, one in enumerate(tiles):
        if not isinstance(one, Failure):
            whole[place] = one
    return whole.reshape(n_rows, COLUMNS, HEIGHT, WIDTH).swapaxes(1, 2).reshape(n_rows * HEIGHT, COLUMNS * WIDTH)
