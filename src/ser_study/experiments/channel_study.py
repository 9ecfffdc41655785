"""Does song teach speech? The same voices trained on one channel, on the other, and on both (seed 002 mixed them).

Development: scored on the *valid* speakers of the speaker folds, whose voice no model has heard in either channel;
no test row is read. Only the six emotions that are both spoken and sung take part. Each row is set against training
on the scored channel alone, paired by clip; Holm's correction runs over the rows of one channel. Hyperparameters are
chosen on the same valid rows, alike for all, and "both" has about twice the training clips: nothing is cut to one size,
since seed 002 added song in order to have more.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser_study import config as settings
from ser_study.config import Config
from ser_study.evaluation import comparisons, metrics
from ser_study.experiments import run
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material
from ser_study.store import Store
from ser_study.words import minus, p_text, share, word

CHANNELS = ("ravdess-speech", "ravdess-song")
SYSTEMS = (("seed180", "logistic"), ("campplus", "logistic"))  # 002's features, and the encoder
SCHEME = "6_sung"
COLUMNS = (
    *("corpus", "feature", "model", "trained_on", "uar", "difference", "low", "high", "interval"),
    *("p", "p_holm", "note", "n", "n_speakers", "n_train"),
)


def declared(gathered: Mapping[str, Material], systems=SYSTEMS) -> list[Experiment]:
    """Every channel scored after training on itself, on the other and on both; none where a channel is absent."""
    if not set(CHANNELS) <= set(gathered):
        return []
    return [
        Experiment(target, "speaker_independent", feature, model, SCHEME, sources)
        for target, other in (CHANNELS, CHANNELS[::-1])
        for feature, model in systems
        for sources in ((target,), (other,), CHANNELS)
    ]


def table(
    experiments: list[Experiment], gathered: Mapping[str, Material], *, config: Config, store: Store
) -> pd.DataFrame:
    """UAR on valid speakers of the declared experiments and the change against the own channel (``COLUMNS``)."""
    told = run.answers(experiments, gathered, config=config, store=store, look=False)
    rows = []
    for target in dict.fromkeys(one.selection for one in experiments):
        own = {one: each.assign(role="test") for one, each in told.items() if one.selection == target}
        clips = gathered[target].clips
        pairs = [(_alone(one).name, one.name) for one in own if one != _alone(one)]
        random = settings.rng(config, f"channels/{target}")
        everything = pd.concat(own.values(), ignore_index=True)
        steps = comparisons.steps(
            everything, clips, pairs, family=target, evaluation=config.evaluation, rng=random
        ).set_index("experiment_b")
        speaker = clips.set_index("clip_id")["speaker"]
        rows += [_row(one, each, speaker, steps) for one, each in own.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _alone(one: Experiment) -> Experiment:
    """The same, trained on the scored channel only."""
    row = {"feature": one.feature, "model": one.model, "scheme": one.scheme}
    return Experiment(one.selection, one.protocol, sources=(one.selection,), **row)


def _row(one: Experiment, told: pd.DataFrame, speaker: pd.Series, steps: pd.DataFrame) -> dict:
    row = {
        "corpus": one.selection,
        "feature": one.feature,
        "model": one.model,
        "trained_on": "both" if len(one.sources) > 1 else word(one.sources[0]),
        "uar": metrics.uar_of(told),
        "n": told["clip_id"].nunique(),
        "n_speakers": speaker[told["clip_id"]].nunique(),
        "n_train": round(told["n_train"].mean()),
    }
    kept = ("difference", "low", "high", "interval", "p", "p_holm", "note")
    return row | ({name: steps.loc[one.name, name] for name in kept} if one.name in steps.index else {})


def words(shown: pd.DataFrame) -> str:
    """What the other channel adds to one's own, and what it is worth alone."""
    said = []
    for (corpus, feature), rows in shown.groupby(["corpus", "feature"], sort=False):
        by_training = rows.set_index("trained_on")
        both, alone = by_training.loc["both"], by_training.loc[word(corpus)]
        other = by_training.drop(index=["both", word(corpus)]).iloc[0]
        said.append(
            f"{word(corpus)} with {word(feature)}: {share(alone['uar'])} from its own clips, {share(both['uar'])} from "
            f"both ({minus(100 * both['difference'])} points, p {p_text(both['p_holm'])}, with "
            f"{both['n_train'] / alone['n_train']:.1f} times the clips), {share(other['uar'])} from "
            f"{other.name} alone"
        )
    return f"UAR on valid speakers. {'; '.join(said)}." if said else ""
