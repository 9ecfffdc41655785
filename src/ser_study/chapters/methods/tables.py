"""Tables of the methods: read from the registries and settings that the study runs by, so that they cannot differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pandas as pd

from ser_study.config import Config
from ser_study.corpora import corpus_of
from ser_study.evaluation import intervals, significance
from ser_study.experiments import joint, ledger
from ser_study.models import registry
from ser_study.splits import PROTOCOLS, UNITS
from ser_study.study import Study
from ser_study.wording import listed, word

SEARCHES = ["model", "n_candidates", "params"]
CLASSES = ["corpus", "label", "emotion", "joins", "note"]
UNCERTAINTY = ["speakers", "interval", "made", "selections"]


def protocols(study: Study) -> pd.DataFrame:
    """What each protocol keeps apart, and the number of its folds on every selection.

    Returns
    -------
    Columns ``protocol, separates``, and one a selection; a protocol that no selection allows is left out.
    """
    counted = {
        name: {protocol: study.folds(name, protocol)["fold"].nunique() for protocol in study.possible[name]}
        for name in study.selections
    }
    rows = [
        {
            "protocol": word(protocol.name),
            "separates": listed(unit for unit in UNITS if unit in protocol.separates),
            **{name: known.get(protocol.name) for name, known in counted.items()},
        }
        for protocol in PROTOCOLS.values()
        if any(protocol.name in known for known in counted.values())
    ]
    return pd.DataFrame(rows, columns=["protocol", "separates", *counted])


def searches(config: Config) -> pd.DataFrame:
    """Models of the benchmark with the values of which inner folds choose, columns ``SEARCHES``."""
    names = dict.fromkeys((*config.benchmark.models, *config.benchmark.wide_models))
    rows = [(word(name), len(grid := registry.get(name).grid(config.models)), _values(grid)) for name in names]
    return pd.DataFrame(rows, columns=SEARCHES)


def class_map(study: Study) -> pd.DataFrame:
    """Which label of each corpus counts as which emotion where several corpora are trained on together, of the corpora
    of the run: columns ``CLASSES``."""
    table = pd.read_csv(study.store.project / "data" / joint.CLASS_MAP, keep_default_na=False)
    here = {corpus_of(name) for name in study.selections}
    return table[table["corpus"].isin(here)][CLASSES].reset_index(drop=True)


def _values(grid: Iterable[Mapping]) -> str:
    """Hyperparameter → the values it takes anywhere in a grid, as JSON."""
    taken: dict[str, list] = {}
    for params in grid:
        for name, value in params.items():
            if value not in taken.setdefault(name, []):
                taken[name].append(value)
    return json.dumps({name: values if len(values) > 1 else values[0] for name, values in taken.items()})


def uncertainty(study: Study) -> pd.DataFrame:
    """How the interval of a score is made, by the number of speakers, columns ``UNCERTAINTY``."""
    most, least = intervals.MIN_BOOTSTRAP, intervals.MIN_JACKKNIFE
    n_bootstrap = study.config.evaluation.n_bootstrap
    kinds = [
        (f"{most} or more", intervals.BOOTSTRAP, f"{n_bootstrap:,} resamples of speakers", range(most, 10**6)),
        (f"{least} to {most - 1}", intervals.JACKKNIFE, "one speaker left out, t on K − 1", range(least, most)),
        (f"{least - 1} or fewer", intervals.CLIPS, f"jackknife over {intervals.CLIP_GROUPS} groups", range(least)),
    ]
    sizes = {name: part.n_speakers for name, part in study.selections.items()}
    rows = [
        (speakers, kind, made, listed(word(name) for name, n in sizes.items() if n in span) or "none")
        for speakers, kind, made, span in kinds
    ]
    return pd.DataFrame(rows, columns=UNCERTAINTY)


def smallest_p(study: Study) -> pd.DataFrame:
    """The sign-flip test on each selection: columns ``selection, n_speakers, patterns, smallest``; two speakers or
    more."""
    n_permutations, exact = study.config.evaluation.n_permutations, significance.EXACT_SPEAKERS
    rows = [
        {
            "selection": word(name),
            "n_speakers": part.n_speakers,
            "patterns": 2 ** (part.n_speakers - 1) if part.n_speakers <= exact else n_permutations,
            "smallest": significance.smallest_p(part.n_speakers, n_permutations=n_permutations),
        }
        for name, part in study.selections.items()
        if part.n_speakers > 1
    ]
    return pd.DataFrame(rows, columns=["selection", "n_speakers", "patterns", "smallest"])


def test_evaluations(study: Study) -> pd.DataFrame:
    """How often each corpus was scored: declared experiments, and evaluations during development."""
    return ledger.counts(study.store)
