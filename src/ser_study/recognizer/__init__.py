"""A fitted system as one file: fit it, save it, load it, and let it hear a clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ser_study.recognizer.checks import UNSURE
from ser_study.recognizer.recognizer import Recognizer

if TYPE_CHECKING:
    from ser_study.config import Config
    from ser_study.experiments.experiment import Experiment
    from ser_study.experiments.selections import Selection
    from ser_study.store import Store

__all__ = ["UNSURE", "Recognizer", "made"]


def made(
    one: Experiment,
    selections: Mapping[str, Selection],
    *,
    config: Config,
    store: Store,
    fold: tuple[int, int] | None = None,
) -> Recognizer:
    """The recogniser of an experiment, with the card of its honest scores.

    Parameters
    ----------
    one : an experiment on new speakers, see ``fitting.check``
    selections : name → clips, all of the study
    fold : (repeat, fold) whose test clips it must not have heard; None: fitted on all clips

    Raises
    ------
    ValueError
        The experiment cannot be kept, see ``fitting.fit``, or its features need a process of their own.
    """
    from ser_study.recognizer.card import card_of  # fitting brings scikit-learn, which predicting does without
    from ser_study.recognizer.fitting import check, fit

    check(one)
    options = {"config": config, "store": store}
    fitted = fit(one, selections, **options, fold=fold)
    return Recognizer(fitted.head, card_of(one, fitted, selections, **options, fold=fold))
