"""The engine: declarations (what is claimed) and their running (how it is obtained)."""

from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import Selection

__all__ = ["Experiment", "Selection"]
