"""What the recognisers of the package say of speakers that they were fitted without, and how well calibrated it is.

Run with ``python tests/benchmarks/pooled_scores.py --clips 300``. For each recogniser, variants without the speakers
of one fold predict the *files* of clips of that fold, drawn alike from all corpora; the largest difference from the
study's predictions is printed. Then, for each corpus, the calibration error of all its test clips (ECE) stands beside
the one that chance alone gives. The study's own evaluations are logged in the ledger, see ``SER_STUDY_REPORTS``.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import corpora
from ser_study.evaluation import probabilities
from ser_study.experiments import pooled
from ser_study.recognizer import Recognizer, shipped
from ser_study.schema import probability_columns
from ser_study.study import Study


def drawn(tables: dict[str, pd.DataFrame], n_clips: int) -> pd.DataFrame:
    """Test rows, as many of each corpus as of the others."""
    tests = {name: table[table["role"] == "test"] for name, table in tables.items()}
    shares = [n_clips // len(tests) + (number < n_clips % len(tests)) for number in range(len(tests))]
    return pd.concat([one.sample(share, random_state=0) for one, share in zip(tests.values(), shares)])


def differences(name: str, study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """Largest difference of a probability of each clip, by the variant that was fitted without its speaker.

    It has the card of the shipped recogniser, whose scores take minutes and which no probability rests on.
    """
    clips = (
        pd.concat([part.clips for part in study.selections.values()]).drop_duplicates("clip_id").set_index("clip_id")
    )
    card, feature, parts = Recognizer.default(name).card, shipped.FEATURES[name], []
    for fold, own in rows.groupby("fold"):
        fitted = pooled.fit(feature, study.selections, config=study.config, store=study.store, without=(int(fold),))
        one = Recognizer(fitted.head, card)
        about = clips.loc[own["clip_id"]]
        paths = [corpora.root_of(row.corpus, study.store) / row.path for row in about.itertuples()]
        columns = probability_columns(one.classes)
        gap = np.abs(one.predict(paths)[columns].to_numpy() - own[columns].to_numpy(np.float32)).max(axis=1)
        parts.append(pd.DataFrame({"corpus": about["corpus"].to_numpy(), "fold": fold, "gap": gap}))
    return pd.concat(parts)


def calibration(name: str, table: pd.DataFrame, study: Study) -> dict[str, float | str]:
    """ECE of the test rows of a corpus beside that of chance, mean confidence and accuracy."""
    rows = table[table["role"] == "test"]
    columns = [column for column in rows if column.startswith("p_")]
    proba, names = rows[columns].to_numpy(float), [column.removeprefix("p_") for column in columns]
    truth = rows["truth"].map(names.index).to_numpy()
    random = settings.rng(study.config, f"pooled_scores/{name}")
    return {
        **{"corpus": name, "clips": len(rows), "ece": probabilities.ece(truth, proba)},
        "if_calibrated": probabilities.ece_if_calibrated(proba, rng=random),
        "confidence": proba.max(axis=1).mean(),
        "accuracy": (proba.argmax(axis=1) == truth).mean(),
    }


def main(n_clips: int, preset: str) -> None:
    """Print it all."""
    study = Study.open(preset)
    for name, feature in shipped.FEATURES.items():
        tables = pooled.predict(feature, study.selections, config=study.config, store=study.store)
        gaps = differences(name, study, drawn(tables, n_clips))
        print(f"\n{name}: {len(gaps)} clips from their files, largest difference {gaps['gap'].max():.2g}")
        print(gaps.groupby("corpus")["gap"].agg(["size", "max"]).to_string())
        scores = pd.DataFrame([calibration(corpus, table, study) for corpus, table in tables.items()])
        print(scores.round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--preset", default="quick")
    given = parser.parse_args()
    main(given.clips, given.preset)
