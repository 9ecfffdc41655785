"""Turns: in what order the chapters run, and what the terminal shows of them."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Sequence
from itertools import groupby

from ser_study.report.chapters import FINDINGS, METHODS, Chapter
from ser_study.wording import duration

AT_ONCE = 2  # chapters; each spreads its experiments over all cores, so a third would only take memory
OTHERS = 2
STAGES = {  # 02 and 07 are about times, so nothing runs beside them (04 and 05 measure theirs beside another chapter
    # and say so); 03b, 06 and 07 read what 03 and 04 computed, 10 the ledger of all others, 09 every table
    **{"01_corpus": 0, "02_feature_extraction": 1},
    **dict.fromkeys(("03b_controls", "06_voting", "06b_systems"), OTHERS + 1),
    **{"07_post_model_testing": OTHERS + 2, METHODS: OTHERS + 3, FINDINGS: OTHERS + 4},
}


def stages(chosen: Sequence[Chapter]) -> list[list[Chapter]]:
    """The chapters in groups, one group after the other; inside a group none waits for another."""
    ordered = sorted(chosen, key=_stage)
    return [list(group) for _, group in groupby(ordered, key=_stage)]


def _stage(chapter: Chapter) -> int:
    return STAGES.get(chapter.notebook.stem, OTHERS)


class Progress:
    """One line when a chapter begins and one when it ends; on a terminal, instead of the first, a last line that
    says what runs and for how long. To be used in a ``with`` block.

    Parameters
    ----------
    total : chapters of this run
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.n_ended = 0
        self._running: dict[str, tuple[float, str]] = {}  # page → when it began, how long it may take
        self._moves = sys.stdout.isatty()
        self._printing, self._over = threading.Lock(), threading.Event()
        self._ticking = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Progress:
        if self._moves:
            self._ticking.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        if self._moves:
            self._ticking.join()
            print(end="\r\x1b[K", flush=True)

    def began(self, page: str, expected: str) -> None:
        """A chapter runs; ``expected`` says how long it may take, in brackets, or nothing."""
        with self._printing:
            self._running[page] = (time.monotonic(), expected)
            if not self._moves:
                print(f"{'':{self._margin}}{page:<28} begins{expected}", flush=True)

    def ended(self, page: str, words: str) -> None:
        """A chapter has ended, or need not run; ``words`` say how."""
        with self._printing:
            self._running.pop(page, None)
            self.n_ended += 1
            place = f"[{self.n_ended}/{self.total}] ".rjust(self._margin)
            print(f"{self._clear}{place}{page:<28} {words}", flush=True)

    @property
    def _margin(self) -> int:
        return len(f"[{self.total}/{self.total}] ")

    @property
    def _clear(self) -> str:
        return "\r\x1b[K" if self._moves else ""

    def _tick(self) -> None:
        while not self._over.wait(1):
            with self._printing:
                now = time.monotonic()
                parts = [f"{page} {duration(now - since)}{text}" for page, (since, text) in self._running.items()]
                line = " " * self._margin + " · ".join(parts)
                print(f"{self._clear}{line[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
