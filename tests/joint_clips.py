"""Tables of clips of several corpora, without sound."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser_study import schema

EMOTIONS = ("happy", "sad")


def clips_of(sizes: Mapping[str, int], emotions: Mapping[str, tuple[str, ...]] | None = None) -> pd.DataFrame:
    """One clip an emotion of each speaker; RAVDESS also sings.

    Parameters
    ----------
    sizes : corpus → speakers
    emotions : corpus, or corpus-channel → emotions, where they are others than ``EMOTIONS``
    """
    rows = []
    for corpus, n_speakers in sizes.items():
        for number in range(1, n_speakers + 1):
            for channel in ("speech", "song") if corpus == "ravdess" else ("speech",):
                known = (emotions or {}).get(f"{corpus}-{channel}", (emotions or {}).get(corpus, EMOTIONS))
                for emotion in known:
                    name = f"{corpus}/{channel}-{number:02d}-{emotion}"
                    row = {"clip_id": name, "sha256": name, "take": name, "corpus": corpus, "channel": channel}
                    row |= {"speaker": f"{corpus}/{number:02d}", "emotion": emotion}
                    rows.append(row | {"gender": "male" if number % 2 else "female"})
    return schema.check_clips(pd.DataFrame(rows).reindex(columns=list(schema.CLIP_COLUMNS)))
