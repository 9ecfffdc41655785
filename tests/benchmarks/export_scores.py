"""What an exported recogniser keeps: parity with the recogniser, size, speed, and the UAR of new speakers.

Run with ``python tests/benchmarks/export_scores.py [SELECTION …]``, EMO-DB and RAVDESS speech unless named. It takes
minutes. Evaluations of test clips by graphs of eight bits are logged in the ledger beside the runs, see
``SER_STUDY_REPORTS``.
"""

from __future__ import annotations

import sys
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from ser_study import corpora, recognizer
from ser_study.audio import prepare
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import load_selections, usable
from ser_study.features import onnx_models
from ser_study.recognizer import Recognizer, export_scores, graph
from ser_study.recognizer.export import export, sizes_and_speeds
from ser_study.store import open_folders

SELECTIONS = ("emodb", "ravdess-speech")
N_CLIPS = 500  # of all corpora, for the parity
FEATURE = "campplus"


def experiment(selection: str) -> Experiment:
    """The linear head on CAM++ for speakers that it was not fitted on."""
    return Experiment(selection, "speaker_independent", FEATURE, "lda")


def parity(one: Recognizer, parts, store) -> pd.Series:
    """Largest difference of a probability, and share of equal classes, of clips of all corpora."""
    clips = pd.concat([part.clips for part in parts.values()]).drop_duplicates("clip_id")
    clips = clips.iloc[np.random.default_rng(0).permutation(len(clips))[:N_CLIPS]]
    paths = [corpora.root_of(row.corpus, store) / row.path for row in clips.itertuples()]
    session = onnx_models.opened(graph.graph(one))
    wanted = one.predict(paths).filter(like="p_").to_numpy()
    signals = (prepare.load(path, one.config.audio) for path in paths)
    actual = np.stack([session.run(None, {graph.INPUT: signal})[0] for signal in signals])
    same = (wanted.argmax(axis=1) == actual.argmax(axis=1)).mean()
    counts = clips["corpus"].value_counts().add_prefix("clips of ").to_dict()
    return pd.Series({**counts, "largest_difference": np.abs(wanted - actual).max(), "same_class": same})


def main(names: list[str]) -> None:
    """Print it all."""
    config, store = open_folders("full", {"run.jobs": 1})
    parts, _ = usable(load_selections(config, store), config)
    options = {"config": config, "store": store}
    whole = recognizer.made(experiment(names[0]), parts, **options)
    with TemporaryDirectory() as folder:
        print(sizes_and_speeds(export(whole, folder, int8=True)).to_string(index=False))
    print(parity(whole, parts, store).to_string())
    for name in names:
        predicted = export_scores.predictions(experiment(name), parts, **options)
        print(f"\n{name}\n{export_scores.table(predicted).to_string(index=False)}")


if __name__ == "__main__":
    main(sys.argv[1:] or list(SELECTIONS))
