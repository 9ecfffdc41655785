"""The file of a recogniser: named arrays and a card, in a zip that holds no code.

Conventions
-----------
A bundle is an ``.npz`` file: one ``.npy`` member an array of float64, and ``card.json``. The card lists the shape and
SHA-256 of every array and has a fingerprint itself, so that a changed byte is noticed. Nothing in it is executed or
parsed but JSON: the header of an array must be, byte for byte, the one that its shape has.
A fingerprint shows damage. It does not show who made the file; take bundles from people you trust to be honest about
the scores they write into the card.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
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
LARGEST = 64 * 2**20  # bytes, of the file and unpacked
LARGEST_CARD = 2**20
MOST_MEMBERS = 32
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # of every member, so that equal content gives equal bytes
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


def write(path: Path, arrays: Mapping[str, np.ndarray], card: Mapping[str, Any]) -> None:
    """Write a bundle, whole or not at all; the same content gives the same bytes.

    Parameters
    ----------
    path : file, by custom ``.npz``
    arrays : name → finite numbers
    card : plain values; ``format``, ``arrays`` and ``digest`` are added
    """
    content = {name: _npy(np.asarray(array, np.float64, order="C")) for name, array in sorted(arrays.items())}
    listed = {
        name: {"shape": list(np.shape(arrays[name])), "sha256": hashlib.sha256(one).hexdigest()}
        for name, one in content.items()
    }
    whole = {**settings.as_dict(dict(card)), "format": FORMAT, "arrays": listed}
    whole["digest"] = settings.fingerprint(whole)
    members = {f"{name}.npy": one for name, one in content.items()}
    members[CARD] = (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode()
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, one in members.items():
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), one, zipfile.ZIP_DEFLATED)


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and card of a bundle.

    Raises
    ------
    ValueError
        The file is no bundle, too large, damaged, changed, or made by a newer package; the message says which.
    OSError
        There is no such file, or it may not be read.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path.name} is no file; give the bundle itself.")
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(f"{path.name} has {size:,} bytes; a bundle has at most {LARGEST:,}. It is not opened.")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            card = _card(archive, path)
            return {name: _array(archive, name, listed, path) for name, listed in card["arrays"].items()}, card
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path.name} is no bundle or is damaged ({error}); export it again.") from error


def _npy(array: np.ndarray) -> bytes:
    return _header(array.shape) + array.tobytes()


def _header(shape: tuple[int, ...]) -> bytes:
    """What an ``.npy`` file of float64 in this shape begins with."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse what a bundle cannot hold, before anything is unpacked."""
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if len(members) > MOST_MEMBERS or total > LARGEST:
        raise ValueError(
            f"{path.name} holds {len(members)} files of {total:,} bytes together; a bundle has at most {MOST_MEMBERS} "
            f"of {LARGEST:,}. It is not opened."
        )
    if any(member.compress_type not in _PLAIN or member.flag_bits & _ENCRYPTED for member in members):
        raise ValueError(f"{path.name} is packed or encrypted in another way than a bundle; export it again.")


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    """Bytes of a member, no more than it declares to have."""
    member = archive.getinfo(name)
    with archive.open(member) as stream:
        return stream.read(member.file_size)


def _card(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    """The card, checked against its fingerprint and the members of the archive."""
    names = archive.namelist()
    if CARD not in names or archive.getinfo(CARD).file_size > LARGEST_CARD:
        raise ValueError(f"{path.name} has no {CARD} of less than {LARGEST_CARD:,} bytes, so it is no bundle.")
    try:
        card = json.loads(_content(archive, CARD))
        number, digest, listed = card["format"], card.pop("digest"), dict(card["arrays"])
        same = settings.fingerprint(card) == digest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"The card of {path.name} cannot be read ({error}); export the bundle again.") from error
    if type(number) is not int or not 1 <= number <= FORMAT:
        raise ValueError(
            f"{path.name} has format {number!r}; this version of ser_study reads 1 to {FORMAT}. Update the package."
        )
    if not same:
        raise ValueError(f"The card of {path.name} was changed after it was written; export the bundle again.")
    wanted = {CARD, *(f"{name}.npy" for name in listed)}
    if len(names) != len(wanted) or set(names) != wanted:
        odd = ", ".join(sorted(set(names) ^ wanted)) or "one of them twice"
        raise ValueError(f"The files in {path.name} are not those of its card ({odd}); export the bundle again.")
    return card


def _array(archive: zipfile.ZipFile, name: str, listed: Any, path: Path) -> np.ndarray:
    """One array, checked against what the card lists."""
    content = _content(archive, f"{name}.npy")
    shape = listed.get("shape") if isinstance(listed, dict) else None
    if not isinstance(shape, list) or not all(type(length) is int and 0 <= length <= LARGEST for length in shape):
        raise ValueError(f"The card of {path.name} gives the array {name!r} no shape; export the bundle again.")
    if hashlib.sha256(content).hexdigest() != listed.get("sha256"):
        raise ValueError(f"The array {name!r} of {path.name} is damaged or was changed; export the bundle again.")
    header = _header(tuple(shape)) if len(shape) < 3 else b"-"
    if not content.startswith(header) or len(content) != len(header) + 8 * math.prod(shape):
        raise ValueError(f"The array {name!r} of {path.name} is not {shape} numbers of eight bytes; export it again.")
    array = np.frombuffer(content, "<f8", offset=len(header)).reshape(shape)
    if not np.isfinite(array).all():
        raise ValueError(f"The array {name!r} of {path.name} holds values that are no finite numbers.")
    return array
