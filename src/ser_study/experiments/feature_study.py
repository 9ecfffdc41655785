"""Chapter 04: every way to describe a clip, the students' and ours, under one model, on valid speakers.

All of it is development: no test row is read. The encoder with random weights is the control of the encoders: what
it scores, any network of that shape would.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser_study import features
from ser_study.config import Config
from ser_study.evaluation import metrics
from ser_study.experiments import run, signal_study
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material
from ser_study.store import Store
from ser_study.words import share, word

MODEL, PROTOCOL = "logistic", "speaker_independent"
FEATURES = (
    *("seed32", "seed51", "seed51_raw", "seed180", "seed184", "seed186", "contrast", "fbank", "plp", "further"),
    *("summary", "egemaps", "compare", "vgg16", "vgg16_mfcc", "vgg16_contrast", "campplus_random", "campplus_block1"),
    *("campplus", "campplus_block3", "campplus_embedding", "moonshine_layer2", "moonshine"),
)
COLUMNS = ["corpus", "feature", "title", "dimensions", "uar_valid", "n"]


def declared(config: Config, gathered: Mapping[str, Material]) -> list[Experiment]:
    """Logistic regression on every feature that can be had here, on the first selection that is compared."""
    chosen = signal_study.selections(config, gathered)[:1]
    return [
        Experiment(selection, PROTOCOL, name, MODEL)
        for selection in chosen
        for name in FEATURES
        if not features.unavailable(name)
    ]


def table(gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """Dimensions and UAR on valid speakers of every feature, the best first (columns ``COLUMNS``)."""
    rows = []
    for one, told in run.answers(declared(config, gathered), gathered, config=config, store=store, look=False).items():
        values = features.load(one.feature, gathered[one.selection].clips.head(1), config=config, store=store)
        head = {"corpus": one.selection, "feature": one.feature, "title": features.get(one.feature).title}
        head |= {"dimensions": values.values.shape[-1], "uar_valid": metrics.uar_of(told)}
        rows.append(head | {"n": told["clip_id"].nunique()})
    found = pd.DataFrame(rows, columns=COLUMNS)
    return found.sort_values("uar_valid", ascending=False, kind="stable", ignore_index=True)


def words(told: pd.DataFrame) -> str:
    """The best description, the best that nobody trained, and the encoder's control."""
    by_name = told.set_index("feature")["uar_valid"]
    best = told.iloc[0]
    text = f"{word(best['corpus'])}, valid speakers: highest is {best['title']} ({share(best['uar_valid'])})"
    trained = [name for name in by_name.index if features.get(name).weights]
    plain = by_name.drop([*trained, "campplus_random"], errors="ignore")
    if len(plain) and best["feature"] in trained:
        text += f"; of those that nobody trained, {features.get(plain.idxmax()).title} ({share(plain.max())})"
    if {"campplus", "campplus_random"} <= set(by_name.index):
        text += (
            f". CAM++ has {share(by_name['campplus'])} with its weights and {share(by_name['campplus_random'])} with "
            "random ones: the difference is what it learned of other voices"
        )
    if {"seed51", "seed51_raw"} <= set(by_name.index):
        text += (
            f". The 51 statistics have {share(by_name['seed51'])}, and {share(by_name['seed51_raw'])} where the pitch "
            "of loud segments is not cleaned by autocorrelation"
        )
    return text + "."
