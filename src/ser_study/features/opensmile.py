"""openSMILE's standard sets: eGeMAPSv02 (88 functionals) and ComParE 2016 (6,373).

openSMILE crashes a process in which TensorFlow was imported first, so these functions are only ever
called in worker processes (``Feature.apart``). Sources: Eyben et al. 2016 (eGeMAPS), Schuller et al.
2016 (ComParE); licence of openSMILE: research and private use.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ser_study.schema import Signal

SETS = {"egemaps": "eGeMAPSv02", "compare": "ComParE_2016"}


def functionals(signal: Signal, sample_rate: int, *, name: str) -> np.ndarray:
    """Functionals of one clip.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    name : a key of ``SETS``

    Returns
    -------
    float32 array, shape (88,) or (6373,). What openSMILE leaves undefined (NaN: a clip shorter than
    its windows, no voiced frame) is 0, its own value for "nothing there".
    """
    values = _smile(name)(signal, sample_rate).reshape(-1).astype(np.float32)
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def column_names(name: str) -> tuple[str, ...]:
    """openSMILE's own names of the functionals."""
    return tuple(_smile(name).feature_names)


@lru_cache(maxsize=len(SETS))
def _smile(name: str):
    """One configured openSMILE per process and set.

    Raises
    ------
    ImportError
        opensmile is not installed.
    """
    try:
        import opensmile
    except ImportError:
        raise ImportError(
            f"The feature {name!r} needs openSMILE; install it with: pip install 'ser_study[opensmile]'."
        ) from None
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet[SETS[name]],
        feature_level=opensmile.FeatureLevel.Functionals,
    )
