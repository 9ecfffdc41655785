"""Experiments: declarations (what is claimed) and their running (how it is obtained)."""

from ser_study.experiments.declare import Experiment

__all__ = ["Experiment"]
