"""What the recognisers of the package say of speakers that they were fitted without, and how well calibrated it is.

Run with ``python tests/benchmarks/pooled_scores.py --clips 300``. For each recogniser and corpus, the
calibration error (ECE) of all test clips stands beside the one that chance alone gives. Then a variant without the
speakers of one fold predicts the *files* of clips of that fold, drawn alike from its corpora; the largest difference
from the study's predictions is printed. The study's own evaluations are logged in the ledger (``SER_STUDY_REPORTS``).
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
    """Test rows of the fold that tests most corpora, as many of each as of the others."""
    rows = pd.concat([table[table["role"] == "test"].assign(corpus=name) for name, table in tables.items()])
    own = rows[rows["fold"] == rows.groupby("fold")["corpus"].nunique().idxmax()]
    share = -(-n_clips // own["corpus"].nunique())
    return own.groupby("corpus").sample(share, random_state=0)


def differences(name: str, study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """Largest difference of a probability of each clip of one fold, by the variant that was fitted without its speaker.

    It has the card of the shipped recogniser, whose scores take minutes and which no probability rests on.
    """
    everything = pd.concat([part.clips for part in study.selections.values()]).drop_duplicates("clip_id")
    clips = everything.set_index("clip_id").loc[rows["clip_id"]]
    options = {"config": study.config, "store": study.store}
    fitted = pooled.fit(shipped.FEATURES[name], study.selections, **options, without=(int(rows["fold"].iloc[0]),))
    one = Recognizer(fitted.head, Recognizer.default(name).card)
    made = one.predict([corpora.root_of(row.corpus, study.store) / row.path for row in clips.itertuples()])
    columns = probability_columns(one.classes)
    gap = np.abs(made[columns].to_numpy() - rows[columns].to_numpy(np.float32)).max(axis=1)
    return pd.DataFrame({"corpus": clips["corpus"].to_numpy(), "speaker": clips["speaker"].to_numpy(), "gap": gap})


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
        scores = pd.DataFrame([calibration(corpus, table, study) for corpus, table in tables.items()])
        print(f"\n{name}\n{scores.round(3).to_string(index=False)}", flush=True)
        gaps = differences(name, study, drawn(tables, n_clips))
        print(f"{len(gaps)} clips from their files, largest difference {gaps['gap'].max():.2g}")
        print(gaps.groupby("corpus").agg({"speaker": "nunique", "gap": ["size", "max"]}).to_string(), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--preset", default="quick")
    given = parser.parse_args()
    main(given.clips, given.preset)
