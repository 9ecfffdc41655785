"""What a data folder holds where no corpus was found in it, in words that say what to do."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

MAX_FILES = 100_000  # looked at
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")


def described(folder: Path, known: list[str]) -> str:
    """Files by kind, folders that look like a corpus under another name, and archives that are not unpacked.

    Parameters
    ----------
    folder : the data folder as it was given
    known : names of the corpora
    """
    kinds: Counter[str] = Counter()
    for _, folders, files in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        kinds.update(Path(name).suffix.lower() or "no ending" for name in files if not name.startswith("."))
        if kinds.total() > MAX_FILES:
            break
    counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(5))
    hints = [f"It holds {counts}." if counts else "It is empty."]
    by_letters = {_letters(name): name for name in known}
    for place in sorted(folder.iterdir()):
        looks_like = by_letters.get(_letters(place.stem if place.suffix in ARCHIVES else place.name))
        if place.suffix in ARCHIVES:
            hints.append(f"{place.name} is not unpacked; unpack it into {looks_like or 'a folder of the corpus'}/.")
        elif place.is_dir() and looks_like and place.name != looks_like:
            hints.append(f"{place.name}/ looks like the corpus {looks_like}; call the folder {looks_like}/.")
        elif place.is_dir() and looks_like:
            hints.append(f"{place.name}/ has the right name, but no recording of it was recognised.")
    above = next(
        (one for one in (folder.resolve(), *folder.resolve().parents) if _letters(one.name) in by_letters), None
    )
    if above is not None:
        hints.append(f"It lies inside {above.name}/; give the folder above that.")
    return " ".join(hints)


def _letters(name: str) -> str:
    """``CREMA-D`` and ``crema_d`` → ``cremad``; what packages add to a name is taken off."""
    plain = re.sub(r"[^a-z]", "", name.lower())
    return re.sub(r"(master|main|dataset|corpus|speech|data)+$", "", plain) or plain
