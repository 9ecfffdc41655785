"""What several chapters run: the benchmark (feature × model), the ladder of splits, and training across corpora.

``possible`` says everywhere which protocols each selection allows; without speakers, say, none by speakers.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from ser_study import corpora, features, splits
from ser_study.config import Config
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import Selection
from ser_study.models import registry
from ser_study.schema import COMMON_EMOTIONS

BENCHMARK_PROTOCOLS = ("random", "speaker_independent")
LADDER = ("random", "take_disjoint", "sentence_independent", "speaker_independent", "speaker_and_sentence")
BESIDE_LADDER = ("leave_one_speaker_out",)  # more training speakers than any step has
AUGMENTED = "random_augmented"  # the random split of clips augmented before it
CHEAP = ("linear", "discriminant")  # families whose draws of training clips are repeated


@dataclass(frozen=True)
class System:
    """A feature and a model of the ladder, and the selections that they are meant for."""

    feature: str
    model: str
    selections: tuple[str, ...] = ()  # empty: all
    excluded: bool = False  # all but these

    def serves(self, selection: str) -> bool:
        """Whether a selection is one of those that the system is meant for."""
        return not self.selections or (selection in self.selections) != self.excluded


def possible(selections: Mapping[str, Selection], config: Config) -> dict[str, list[str]]:
    """Protocols that each selection allows, see ``protocols_of``."""
    return {name: list(_allowed(part, config)) for name, part in selections.items()}


@functools.lru_cache(64)  # folds are made on trial, and many ask
def _allowed(part: Selection, config: Config) -> tuple[str, ...]:
    return tuple(protocols_of(part.clips, config))


def protocols_of(clips: pd.DataFrame, config: Config) -> list[str]:
    """Protocols that these clips allow and that say something of their own: take-disjoint only where something
    was said twice, leave-one-speaker-out only where the speaker folds hold several speakers."""
    idle = set() if clips["take"].duplicated().any() else {"take_disjoint"}
    if set(clips["corpus"]) <= set(splits.ONE_SPEAKER_A_FOLD):
        idle.add("leave_one_speaker_out")
    return [protocol for protocol in splits.possible(clips, config) if protocol not in idle]


def benchmark(config: Config, possible: Mapping[str, Iterable[str]]) -> list[Experiment]:
    """Every feature × model, tuned inside, on random and on speaker folds of each selection that allows them."""
    chosen, declared = config.benchmark, []
    encoders = available_encoders(config)
    for selection, protocols in possible.items():
        for feature in (*chosen.features, *chosen.wide_features, *chosen.large_features, *encoders):
            if feature in chosen.large_features and selection not in chosen.large_corpora:
                continue
            narrow = feature in chosen.features
            models = [model for model in chosen.models if narrow or model in chosen.wide_models]
            declared += [
                Experiment(selection, protocol, feature, model)
                for protocol in BENCHMARK_PROTOCOLS
                if protocol in protocols
                for model in models
            ]
    return declared


def hand_crafted(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of a scores table whose features come from no pretrained network."""
    pretrained = {name for name in scores["feature"].unique() if features.is_pretrained(name)}
    return scores[~scores["feature"].isin(pretrained)].reset_index(drop=True)


def joint(config: Config, possible: Mapping[str, Iterable[str]]) -> list[Experiment]:
    """Every selection on new speakers with clips of the other corpora beside its own, one experiment a feature."""
    declared = []
    for selection, protocols in possible.items():
        others = other_corpora(selection, possible)
        if "speaker_independent" in protocols and others:
            declared += [
                Experiment(selection, "speaker_independent", feature, "lda", others=others)
                for feature in config.benchmark.joint_features
                if not features.unavailable(feature, config)
            ]
    return declared


def other_corpora(selection: str, names: Iterable[str]) -> tuple[str, ...]:
    """What may be trained on beside a selection: the first selection of every other corpus, and the rest of its own,
    whose test speakers never join in; the built-in corpus is no voice."""
    first = {corpora.corpus_of(name): name for name in reversed(list(names)) if name != "synthetic"}
    own = corpora.corpus_of(selection)
    rest = [name for name in names if corpora.corpus_of(name) == own and name != selection and own == "ravdess"]
    return tuple(sorted([*rest, *(name for corpus, name in first.items() if corpus != own)]))


def available_encoders(config: Config) -> list[str]:
    """Encoders of the settings, some side by side (``campplus+moonshine``), whose weights and libraries are here."""
    return [name for name in config.benchmark.encoders if not features.unavailable(name, config)]


def ladder(config: Config, possible: Mapping[str, Iterable[str]]) -> list[Experiment]:
    """One system on every protocol that a selection allows, at full size."""
    declared, also_augmented = [], augmented(config, possible)
    for selection, protocols in possible.items():
        row = (config.ladder.feature, config.ladder.model)
        if "random" in protocols and selection in also_augmented:
            declared.append(Experiment(selection, "random", *row, fixed=True, leak="augment_before_split"))
        declared += [
            Experiment(selection, protocol, *row, fixed=True)
            for protocol in (*LADDER, *BESIDE_LADDER)
            if protocol in protocols
        ]
    return declared


def system(text: str) -> System:
    """A system as ``ladder.systems`` names it: ``feature/model``, ``…@a+b`` on these selections, ``…@-a+b`` on others.

    Raises
    ------
    ValueError
        There is no feature, or no model.
    """
    name, _, places = text.partition("@")
    feature, _, model = name.partition("/")
    if not (feature and model):
        raise ValueError(
            f"A system is named FEATURE/MODEL, such as egemaps/linear_svm or egemaps/linear_svm@tess; got {text!r}."
        )
    selections = tuple(filter(None, places.removeprefix("-").split("+")))
    return System(feature, model, selections, excluded=places.startswith("-"))


def ladder_systems(config: Config, possible: Mapping[str, Iterable[str]]) -> list[Experiment]:
    """The other systems of the ladder on its steps, at full size: those of ``ladder.systems`` whose weights and
    libraries are here; networks once a training seed."""
    reference = (config.ladder.feature, config.ladder.model)
    named = [one for one in map(system, config.ladder.systems) if (one.feature, one.model) != reference]
    ready = [one for one in named if not features.unavailable(one.feature, config)]
    declared = []
    for selection, protocols in possible.items():
        for one in ready:
            draws = config.training.seeds if registry.get(one.model).family == "deep" else 1
            row = {"feature": one.feature, "model": one.model, "fixed": True, "draws": draws}
            some = [protocol for protocol in LADDER if protocol in protocols and one.serves(selection)]
            declared += [Experiment(selection, protocol, **row) for protocol in some]
    return list(dict.fromkeys(declared))


def leaks(config: Config, possible: Mapping[str, Iterable[str]]) -> dict[Experiment, Experiment]:
    """Every declared leak of the ladder's reference system → the same experiment without it.

    Copies made before the split belong to a random split; the other leaks are put into a test on new speakers, where
    nothing else leaks.
    """
    chosen, pairs = registry.get(config.ladder.model), {}
    for one in ladder(config, possible):
        if one.leak:
            pairs[one] = dataclasses.replace(one, leak="")
        if one.protocol == "speaker_independent" and chosen.family != "deep":
            pairs[dataclasses.replace(one, leak="scale_on_all")] = one
            if len(chosen.grid(config.models)) > 1:
                tuned = dataclasses.replace(one, fixed=False)
                pairs[dataclasses.replace(tuned, leak="select_on_test")] = tuned
    return pairs


def augmented(config: Config, possible: Iterable[str]) -> list[str]:
    """Selections also augmented before the split, which takes as long as extracting their features.

    Those that ``ladder.augmented`` names; where it names none of this study, all.
    """
    named = [selection for selection in possible if selection in config.ladder.augmented]
    return named or list(possible)


def draws_of(config: Config, feature: str, model: str) -> int:
    """How often training clips are drawn for a system of the ladder: trees and networks, which take long, once."""
    if (feature, model) == (config.ladder.feature, config.ladder.model):
        return config.ladder.draws
    return config.ladder.system_draws if registry.get(model).family in CHEAP else 1


def is_step(experiment: Experiment) -> bool:
    """Whether an experiment of the ladder is one of its steps, and not beside them."""
    return experiment.protocol not in BESIDE_LADDER


def step_of(experiment: Experiment) -> str:
    """Name of the step of the ladder: the protocol, or random with augmentation before the split."""
    return AUGMENTED if experiment.leak == "augment_before_split" else experiment.protocol


def equal_size(config: Config, full: Iterable[Experiment], sizes: Mapping[str, int]) -> list[Experiment]:
    """The steps of the ladder with every training set cut to the smallest one's size, in several draws."""
    return [
        dataclasses.replace(one, size=sizes[one.selection], draws=draws_of(config, one.feature, one.model))
        for one in full
        if one.selection in sizes and is_step(one)
    ]


def cross_corpus(config: Config, possible: Mapping[str, Iterable[str]]) -> list[Experiment]:
    """Train on one corpus, test on another, on the six common classes; the diagonal is within-corpus, new speakers.

    Of a corpus with several selections, the first stands for it.
    """
    return [
        Experiment(
            target,
            "speaker_independent" if source == target else "cross_corpus",
            config.ladder.feature,
            config.ladder.model,
            scheme="6_common",
            sources=() if source == target else (source,),
            fixed=True,
        )
        for target, source in _pairs(possible)
    ]


def transfer(
    config: Config, possible: Mapping[str, Iterable[str]], selections: Mapping[str, Selection]
) -> list[Experiment]:
    """The pairs of ``cross_corpus`` tuned inside, so that their validation rows say how sure to be elsewhere.

    Only of selections with all six common classes: a system that lacks one has other chances, and never gives it.
    """
    encoders = available_encoders(config)
    whole = {name: possible[name] for name in possible if _has_common_classes(selections[name])}
    chosen = [config.ladder.feature, *(name for name in config.testing.transfer_features if name in encoders)]
    return [
        Experiment(target, "speaker_independent", feature, "lda", scheme="6_common")
        if source == target
        else Experiment(target, "cross_corpus", feature, "lda", scheme="6_common", sources=(source,))
        for feature in dict.fromkeys(chosen)
        for target, source in _pairs(whole)
    ]


def _has_common_classes(part: Selection) -> bool:
    return set(COMMON_EMOTIONS) <= set(part.clips["emotion"])


def _pairs(possible: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    """Tested and training selection, one selection a corpus, each with each; with itself where it allows new speakers.

    Empty where there is only one corpus.
    """
    first = {corpora.corpus_of(name): name for name in reversed(possible) if name != "synthetic"}
    chosen = [name for name in possible if first.get(corpora.corpus_of(name)) == name]
    if len(chosen) < 2:
        return []
    return [
        (target, source)
        for target in chosen
        for source in chosen
        if source != target or "speaker_independent" in possible[target]
    ]


def published(
    config: Config, possible: Mapping[str, Iterable[str]], selections: Mapping[str, Selection]
) -> list[Experiment]:
    """Experiments whose predictions a run publishes, and that may be scored by name."""
    leaking = leaks(config, possible)
    every = [
        *benchmark(config, possible),
        *joint(config, possible),
        *ladder(config, possible),
        *ladder_systems(config, possible),
        *(one for pair in leaking.items() for one in pair),
        *cross_corpus(config, possible),
        *transfer(config, possible, selections),
    ]
    return list(dict.fromkeys(every))
