"""How much more a step costs one system than another: a difference of differences, paired by clip and by speaker.

Conventions
-----------
A step goes from a leaky protocol to a strict one. A *lead* is the UAR of a system minus that of another on the same
clips; the gap between two steps is the lead under the strict protocol minus the lead under the leaky one. It is above
0 where the first system loses less. Draws are scored one by one and averaged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser_study.config import Evaluation
from ser_study.evaluation import comparisons, intervals
from ser_study.evaluation.predictions import Predictions, draws_of, experiments, rows_of

GAP_COLUMNS = (
    *("family", "experiment", "against", "lead_before", "lead_after", "difference", "low", "high", "interval"),
    *("p", "p_holm", "note", "n", "n_speakers"),
)
Step = tuple[str, str]  # experiments under the leaky and the strict protocol


def step_gaps(
    predictions: pd.DataFrame,
    clips: pd.DataFrame,
    step: Step,
    others: Sequence[Step],
    *,
    family: str,
    evaluation: Evaluation,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The step of one system against the same step of each other (``GAP_COLUMNS``), on the clips that all four hold.

    Parameters
    ----------
    predictions : of all these experiments, on the clips of one corpus
    step, others : names of experiments; ``experiment`` and ``against`` are those under the strict protocol

    Returns
    -------
    One row for each of ``others``. ``p`` is the two-sided sign-flip test over the speakers' own gaps, ``p_holm``
    corrects it over ``others``; ``note`` says "cannot reach .05" where the smallest attainable p, so corrected, would
    not, and "speakers unknown" where there is no test.

    Raises
    ------
    ValueError
        An experiment is missing.
    """
    wanted = {name for pair in (step, *others) for name in pair}
    missing = wanted - set(predictions["experiment"].unique())
    if missing:
        raise ValueError(f"No predictions of {', '.join(sorted(missing))}; run these experiments first.")
    chosen = predictions[predictions["experiment"].isin(wanted)]
    draws = {one.facts["experiment"]: draws_of(one) for one in experiments(chosen, clips)}
    seed = int(rng.integers(2**63))
    rows = []
    for other in others:
        four = [draws[name] for name in (*step, *other)]
        names = {"experiment": step[1], "against": other[1]}
        rows.append(names | _gap(four, evaluation, np.random.default_rng(seed)))
    return comparisons.corrected(pd.DataFrame(rows).assign(family=family))[list(GAP_COLUMNS)]


def _gap(four: list[list[Predictions]], evaluation: Evaluation, rng: np.random.Generator) -> dict:
    """The gap of one pair of steps: draws of before, after, and of the other system's before, after."""
    shared = set.intersection(*(set(draws[0].clip) for draws in four))
    four = [[rows_of(one, np.isin(one.clip, list(shared))) for one in draws] for draws in four]
    first = four[0][0]
    drawn = intervals.resample(first.truth, first.speaker, n_bootstrap=evaluation.n_bootstrap, rng=rng)
    parts = [comparisons.totals(draws, drawn) for draws in four]

    def uars(weights: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(intervals.mean_scores(each, weights, "uar")["uar"] for each in parts)

    before, after = _leads(uars(np.ones((1, drawn.weights.shape[1]))))
    resampled_before, resampled_after = _leads(uars(drawn.weights))
    gap, resampled = float((after - before)[0]), resampled_after - resampled_before
    span = intervals.limits(gap, resampled, drawn.kind, level=evaluation.level, bounds=(-2.0, 2.0))
    values = {"lead_before": float(before[0]), "lead_after": float(after[0]), "difference": gap}
    limits = {"low": span.low, "high": span.high, "interval": span.kind}
    return values | limits | comparisons.sign_flips(four, _gap_of, evaluation, rng) | {"n": len(first.clip)}


def _gap_of(uars: Sequence[np.ndarray]) -> np.ndarray:
    before, after = _leads(uars)
    return after - before


def _leads(uars: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Lead of the first system over the other, before the step and after it."""
    before, after, other_before, other_after = uars
    return before - other_before, after - other_after
