"""The chosen systems class by class, and the sentences computed from their tables."""

from __future__ import annotations

import pandas as pd
import pytest
from test_tables import made_clips, made_predictions

from ser_study import config as settings
from ser_study.evaluation import metrics
from ser_study.experiments import class_tables, league_tables
from ser_study.experiments.material import Material

CONFIG = settings.load("full", {"evaluation.n_bootstrap": 100})


@pytest.fixture(scope="module")
def told():
    """One system on each of two corpora, and their clips."""
    clips = made_clips()
    other = clips.assign(clip_id=clips["clip_id"].str.replace("made", "more"), corpus="more")
    tables = [made_predictions(clips, "one"), made_predictions(other, "two", seed=1).assign(corpus="more")]
    answers = pd.concat(tables, ignore_index=True)
    return answers, {"made": Material("made", clips, clips[:0]), "more": Material("more", other, clips[:0])}


def test_every_class_of_every_corpus_has_a_line_and_a_curve(told):
    table = class_tables.by_class(*told, CONFIG)
    assert table.columns.tolist() == class_tables.COLUMNS
    assert table.groupby("corpus", sort=False)["n"].agg(["size", "sum"]).to_numpy().tolist() == [[4, 384], [4, 384]]
    points = class_tables.curves(*told)
    areas = points.groupby(["corpus", "class"])["auc"].first()
    assert areas.to_dict() == pytest.approx(table.set_index(["corpus", "class"])["auc"].to_dict())


def test_sentences_name_the_classes():
    table = pd.DataFrame(
        {
            "corpus": "emodb",
            "class": ["angry", "happy", "sad"],
            "precision": [0.5, 0.9, 0.8],
            "recall": [0.9, 0.3, 0.85],
            "f1": [0.643, 0.45, 0.824],
        }
    )
    assert class_tables.words(table) == (
        "- **EMO-DB**: F1 is highest for sad (.824) and lowest for happy (.450). "
        "Named most freely: angry (recall .900, precision .500)."
    )


def test_title_takes_the_median_over_corpora_of_common_classes():
    areas = {("a", "sad"): 0.9, ("b", "sad"): 0.8, ("c", "sad"): 0.1, ("a", "calm"): 0.99}
    areas |= {(corpus, "angry"): 0.7 for corpus in "abc"}
    points = pd.DataFrame([{"corpus": c, "class": k, "auc": v} for (c, k), v in areas.items()])
    title = class_tables.roc_title(points)
    assert title.startswith("Over the corpora, sad is")  # one bad corpus does not move the median
    assert "AUC .800), angry the hardest (.700)" in title
    alone = class_tables.roc_title(points[points["corpus"] == "a"])
    assert alone.startswith("On a, calm is")
    assert alone.endswith("angry the hardest (.700)")
    assert "new speakers" in class_tables.roc_title(points[points["class"] == "calm"])


def test_overall_holds_every_count_metric_of_the_chosen_systems():
    names = [*metrics.COUNT_METRICS, "auc", "log_loss"]
    rows = [
        {"corpus": "emodb", "protocol": protocol, "feature": "f", "model": model, "metric": name, "value": i + bonus}
        for i, name in enumerate(names)
        for protocol, model, bonus in (
            ("speaker_independent", "knn", 0.5), ("random", "knn", 0), ("speaker_independent", "lda", 0))
    ]  # fmt: skip
    best = pd.DataFrame({"corpus": ["emodb"], "feature": ["f"], "model": ["knn"]})
    table = class_tables.overall(pd.DataFrame(rows), best)
    assert table.columns.tolist() == ["corpus", "feature", "model", *metrics.COUNT_METRICS, "auc"]
    assert table.iloc[0, 3:].tolist() == [i + 0.5 for i in range(len(metrics.COUNT_METRICS) + 1)]
    assert league_tables.probabilities(pd.DataFrame(rows), best)["log_loss"].tolist() == [names.index("log_loss") + 0.5]
