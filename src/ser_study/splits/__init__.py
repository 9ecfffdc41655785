"""Clips → folds: protocols that declare what they separate, published lists, committed fold files."""

from ser_study.splits.allowed import impossible, possible, why_not
from ser_study.splits.files import committed_hash, load_or_make, read_folds, write_folds, write_sums
from ser_study.splits.fixed import LISTS, FixedList, fixed, incomplete, listed
from ser_study.splits.inner import inner_folds, inner_masks
from ser_study.splits.joint import joint_folds
from ser_study.splits.makers import ONE_SPEAKER_A_FOLD
from ser_study.splits.protocols import PROTOCOLS, Protocol, assert_disjoint, make
from ser_study.splits.rebuilt import KINDS as BASELINE_KINDS
from ser_study.splits.rebuilt import RECIPES, list_hash, rebuilt
from ser_study.splits.subsample import subsample
from ser_study.splits.units import UNITS

__all__ = [
    "LISTS",
    "ONE_SPEAKER_A_FOLD",
    "PROTOCOLS",
    "RECIPES",
    "BASELINE_KINDS",
    "UNITS",
    "FixedList",
    "Protocol",
    "assert_disjoint",
    "committed_hash",
    "fixed",
    "impossible",
    "incomplete",
    "inner_folds",
    "inner_masks",
    "joint_folds",
    "list_hash",
    "listed",
    "load_or_make",
    "make",
    "possible",
    "read_folds",
    "rebuilt",
    "subsample",
    "why_not",
    "write_folds",
    "write_sums",
]
