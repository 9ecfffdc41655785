"""The recognisers that come with the package, and which of them can be had here."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

from ser_study import features
from ser_study.config import unknown
from ser_study.recognizer.recognizer import Recognizer

FOLDER = Path(__file__).parent / "shipped"
FEATURES: Mapping[str, str] = {"campplus": "campplus", "hand-crafted": "summary"}  # name → what it reads a clip by
PLAIN = "hand-crafted"  # needs no weights


def named(model: str | Path = "") -> Recognizer:
    """The recogniser of a file, or one that comes with the package; raises as ``default`` and ``Recognizer.load`` do.

    Parameters
    ----------
    model : a bundle, or a name as of ``default``
    """
    path = Path(model).expanduser()
    is_bundle = path.suffix.lower() == ".npz" or path.is_file()
    return Recognizer.load(path) if is_bundle else default(str(model))


def default(name: str = "") -> Recognizer:
    """A recogniser that comes with the package; the weights of its encoder are fetched when they are not here.

    Parameters
    ----------
    name : a key of ``FEATURES``; empty: ``campplus``, and where its weights cannot be had ``hand-crafted``, with a
        warning that says why

    Raises
    ------
    ValueError
        There is none of that name.
    ConnectionError, ImportError, OSError, RuntimeError
        The weights of the one that was named, or a library, cannot be had, see ``features.Feature.fetch``.
    """
    if name and name not in FEATURES:
        raise ValueError(unknown("recogniser", name, FEATURES))
    chosen = name or next(iter(FEATURES))
    try:
        features.get(FEATURES[chosen]).fetch()
    except (ConnectionError, ImportError, OSError, RuntimeError) as error:
        if name:
            raise
        warnings.warn(
            f"The encoder cannot be had ({str(error).rstrip('.')}), so the less accurate {PLAIN} recogniser answers.",
            stacklevel=2,
        )
        chosen = PLAIN
    return Recognizer.load(FOLDER / f"{chosen}.npz")
