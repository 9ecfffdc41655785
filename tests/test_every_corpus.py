"""Every loader's corpus alone, with few speakers and few clips, through all chapters."""

from __future__ import annotations

import chapter_cells
import pytest
from small_corpora import PLAN

CASES = {  # name → loader, speakers, what they say, options of the loader
    "ravdess": ("ravdess", 5),
    "tess, one actress": ("tess", 1),
    "tess": ("tess", 2),
    "savee": ("savee", 4),
    "crema_d, classes of one and two clips": ("crema_d", 5, {"angry": 3, "sad": 2, "happy": 1}),
    "iemocap": ("iemocap", 3),
    "jl": ("jl", 3),
    "own, nobody named": ("own", 0, PLAN, {"n_unnamed": 3}),
    "own, one speaker": ("own", 1),
    "own, two speakers": ("own", 2),
    "own, some named": ("own", 3, PLAN, {"n_unnamed": 2}),
}


@pytest.mark.parametrize("part", CASES.values(), ids=CASES)
def test_all_chapters_end_well_and_say_what_is_left_out(part, tmp_path, monkeypatch):
    chapter_cells.make_light(monkeypatch)
    chapter_cells.check([part], tmp_path)
