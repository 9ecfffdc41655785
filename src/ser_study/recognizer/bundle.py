"""The file of a recogniser: named arrays and a card, in a zip that holds no code.

Conventions
-----------
A bundle is an ``.npz`` file: one ``.npy`` member an array, and ``card.json``. The card lists every array with its
SHA-256, and has a fingerprint itself, so that a changed byte is noticed. Nothing in it is ever executed: arrays of
objects, which would need pickle, are refused, and so is a member that the card does not list.
A fingerprint shows damage. It does not show who made the file; take bundles from people you trust to be honest about
the scores they write into the card.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ser_study import config as settings
from ser_study.store import replacing

FORMAT = 1  # rises when an older package could not read the file
CARD = "card.json"
LARGEST = 64 * 2**20  # bytes, unpacked
MOST_MEMBERS = 32
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # of every member, so that equal content gives equal bytes
_HEADER = 10_000  # letters; of an ``.npy`` header


def write(path: Path, arrays: Mapping[str, np.ndarray], card: Mapping[str, Any]) -> None:
    """Write a bundle, whole or not at all; the same content gives the same bytes.

    Parameters
    ----------
    path : file, by custom ``.npz``
    arrays : name → array of numbers
    card : plain values; ``format``, ``arrays`` and ``digest`` are added
    """
    members = {f"{name}.npy": _npy(array) for name, array in sorted(arrays.items())}
    listed = {name: {"sha256": hashlib.sha256(members[f"{name}.npy"]).hexdigest()} for name in sorted(arrays)}
    whole = {**settings.as_dict(dict(card)), "format": FORMAT, "arrays": listed}
    whole["digest"] = settings.fingerprint(whole)
    members[CARD] = (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode()
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content, zipfile.ZIP_DEFLATED)


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and card of a bundle.

    Raises
    ------
    ValueError
        The file is no bundle, too large, damaged, changed, or made by a newer package; the message says which.
    FileNotFoundError
        There is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(archive, path)
            card = _card(archive, path)
            return {name: _array(archive, name, listed, path) for name, listed in card["arrays"].items()}, card
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError(f"{path.name} is no bundle or is damaged ({error}); export it again.") from error


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array, order="C"), allow_pickle=False)
    return stream.getvalue()


def _check_size(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse what would unpack to more than a bundle can hold, before anything is unpacked."""
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if len(members) > MOST_MEMBERS or total > LARGEST:
        raise ValueError(
            f"{path.name} holds {len(members)} files of {total:,} bytes together; a bundle has at most {MOST_MEMBERS} "
            f"of {LARGEST:,}. It is not opened."
        )


def _card(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    """The card, checked against its fingerprint and the members of the archive."""
    names = archive.namelist()
    if CARD not in names:
        raise ValueError(f"{path.name} has no {CARD}, so it is no bundle of ser_study.")
    try:
        card = json.loads(archive.read(CARD))
        number, digest, listed = card["format"], card.pop("digest"), card["arrays"]
        same = settings.fingerprint(card) == digest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"The card of {path.name} cannot be read ({error}); export the bundle again.") from error
    if not isinstance(number, int) or number > FORMAT:
        raise ValueError(
            f"{path.name} has format {number}; this version of ser_study reads up to {FORMAT}. Update the package."
        )
    if not same:
        raise ValueError(f"The card of {path.name} was changed after it was written; export the bundle again.")
    wanted = {CARD, *(f"{name}.npy" for name in listed)}
    if len(names) != len(wanted) or set(names) != wanted:
        odd = sorted(set(names) ^ wanted) or "a name twice"
        raise ValueError(f"The files in {path.name} are not those of its card ({odd}); export the bundle again.")
    return card


def _array(archive: zipfile.ZipFile, name: str, listed: Mapping[str, Any], path: Path) -> np.ndarray:
    """One array, checked against what the card lists."""
    content = archive.read(f"{name}.npy")
    if hashlib.sha256(content).hexdigest() != listed.get("sha256"):
        raise ValueError(f"The array {name!r} of {path.name} is damaged or was changed; export the bundle again.")
    try:
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False, max_header_size=_HEADER)
    except (ValueError, EOFError, SyntaxError, TypeError) as error:
        raise ValueError(f"The array {name!r} of {path.name} cannot be read without running code ({error}).") from error
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(
            f"The array {name!r} of {path.name} holds {array.dtype}, or values that are no finite numbers."
        )
    return array
