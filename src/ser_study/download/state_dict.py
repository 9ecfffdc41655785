"""Published network weights without the library that wrote them, and without running what they hold.

A pickle is a program; these readers carry out only the few calls that rebuild arrays, and refuse any
other by its name. A PyTorch state dict is a zip: ``…/data.pkl`` says which tensor is cut from which storage,
``…/data/<key>`` is the storage itself, raw little-endian numbers.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

STORAGES: Mapping[str, str] = {  # class of torch → type of its numbers
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<b1",
}


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Tensors of a PyTorch state dict, by name; torch is not needed.

    Parameters
    ----------
    path : a file written by ``torch.save`` in its zip form

    Returns
    -------
    Name → array of the tensor's shape and type, a copy of its own.

    Raises
    ------
    ValueError
        It is no such file, a tensor reaches beyond its storage, or the pickle asks for anything but tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inner = [name for name in archive.namelist() if PurePosixPath(name).name == "data.pkl"]
            if len(inner) != 1:
                raise ValueError(f"it holds {len(inner)} files data.pkl, a state dict has one")
            with archive.open(inner[0]) as file:
                tensors = _StateDict(file, archive, inner[0].removesuffix("data.pkl")).load()
        if not isinstance(tensors, Mapping) or not all(isinstance(value, np.ndarray) for value in tensors.values()):
            raise ValueError("it holds something else than named tensors")
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, TypeError, pickle.UnpicklingError) as error:
        raise ValueError(f"{Path(path).name} is no readable state dict: {_words(error)}.") from error
    return dict(tensors)


def read_arrays(path: Path) -> Any:
    """NumPy arrays in nested dictionaries and lists, from a pickle.

    Raises
    ------
    ValueError
        It is no pickle, or asks for anything but arrays.
    """
    try:
        with Path(path).open("rb") as file:
            return _Arrays(file).load()
    except (ValueError, EOFError, TypeError, AttributeError, IndexError, pickle.UnpicklingError) as error:
        raise ValueError(f"{Path(path).name} is no readable pickle of arrays: {_words(error)}.") from error


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".")


class _Restricted(pickle.Unpickler):
    """Knows the functions of ``allowed`` and no other."""

    allowed: Mapping[tuple[str, str], Callable]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is refused")
        return self.allowed[module, name]


@dataclass(frozen=True)
class _Storage:
    """Stands for a storage class of torch; calling it does nothing."""

    dtype: str


class _StateDict(_Restricted):
    allowed = {
        ("collections", "OrderedDict"): OrderedDict,
        **{("torch", name): _Storage(dtype) for name, dtype in STORAGES.items()},
    }

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self.archive, self.folder = archive, folder
        self.allowed = {**self.allowed, ("torch._utils", "_rebuild_tensor_v2"): _tensor}

    def persistent_load(self, pid: Any) -> np.ndarray:
        """Numbers of the storage ``("storage", class, key, device, count)``, shape (count,)."""
        kind, storage, key, _, count = pid
        if kind != "storage" or not isinstance(storage, _Storage):
            raise pickle.UnpicklingError(f"it refers to {kind!r}, only storages are known")
        numbers = np.frombuffer(self.archive.read(f"{self.folder}data/{key}"), dtype=storage.dtype)
        if len(numbers) != count:
            raise ValueError(f"storage {key} holds {len(numbers)} numbers, {count} were announced")
        return numbers


def _tensor(storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> np.ndarray:
    """A tensor cut from its storage; offset and strides count numbers, not bytes."""
    reach = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) if 0 not in shape else 0
    if min((offset, *shape, *strides), default=0) < 0 or reach >= max(len(storage), 1):
        raise ValueError(f"a tensor of shape {tuple(shape)} reaches beyond its storage of {len(storage)} numbers")
    steps = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False).copy()


def _empty_array(kind: type, shape: tuple[int, ...], code: Any) -> np.ndarray:
    """The array that the pickle then fills; only plain arrays, of no other class."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("it asks for an array of a class of its own, which is refused")
    return np.ndarray.__new__(np.ndarray, shape, np.dtype("b"))


def _number_type(code: str, *rest: Any) -> np.dtype:
    """A type of numbers; never one of Python objects."""
    dtype = np.dtype(code, *rest)
    if dtype.hasobject:
        raise pickle.UnpicklingError("it asks for an array of Python objects, which is refused")
    return dtype


class _Arrays(_Restricted):
    allowed = {
        ("collections", "OrderedDict"): OrderedDict,
        ("numpy.core.multiarray", "_reconstruct"): _empty_array,
        ("numpy._core.multiarray", "_reconstruct"): _empty_array,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): _number_type,
    }
