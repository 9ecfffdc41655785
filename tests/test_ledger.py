"""The ledger: every test-set evaluation once a declaration."""

from __future__ import annotations

import pandas as pd

from ser_study.experiments import ledger
from ser_study.store import Store


def test_each_declaration_is_logged_once_and_the_built_in_corpus_never(tmp_path):
    store = Store(tmp_path / "raw", tmp_path / "derived", tmp_path / "reports" / "demo", tmp_path / "checkout")
    scores = pd.DataFrame(
        {
            "experiment": ["tess/random/a/b", "tess/random/a/b", "synthetic/random/a/b"],
            "corpus": ["tess", "tess", "synthetic"],
            "metric": ["uar", "accuracy", "uar"],
            "value": [0.9, 0.8, 0.7],
            "n": [10, 10, 10],
        }
    )
    declared = {"tess/random/a/b": "aaa", "synthetic/random/a/b": "bbb"}
    assert ledger.log_test_evaluations(declared, scores, store) == 1
    assert ledger.log_test_evaluations(declared, scores, store) == 0
    assert ledger.log_test_evaluations({**declared, "tess/random/a/b": "changed"}, scores, store) == 1
    assert ledger.log_test_evaluations({}, scores, store) == 0
    logged = ledger.read(store)
    assert logged["declaration"].tolist() == ["aaa", "changed"]
    assert logged["value"].tolist() == [0.9, 0.9]
    assert ledger.counts(store).to_dict("records")[0]["declared"] == 2
    written = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.csv")]
    assert written == ["reports/ledger.csv"], "beside the runs, wherever they are; never in the checkout"


def test_test_uar_is_the_mean_over_draws_of_the_test_rows():
    rows = [
        {"draw": draw, "role": role, "clip_id": f"tess/{i}", "corpus": "tess", "experiment": "tess/x",
         "truth": truth, "prediction": truth if draw or truth == "sad" else "sad"}
        for draw in (0, 1)
        for i, (role, truth) in enumerate([("test", "sad"), ("test", "angry"), ("validation", "angry")])
    ]  # fmt: skip
    predictions = pd.DataFrame(rows)
    row = ledger.test_uar(predictions).iloc[0]
    assert (row["experiment"], row["value"], row["n"]) == ("tess/x", 0.75, 2)  # .5 and 1
    assert ledger.test_uar(predictions, experiment="y")["experiment"].tolist() == ["y"]
    assert ledger.test_uar(predictions[predictions["role"] == "validation"]).empty


def test_a_changed_network_is_another_declaration():
    key = {"experiment": 1, "features": 2, "model": 3, "params": None, "seed": 5}
    plain = ledger.declaration_of(key)
    assert ledger.declaration_of(key | {"clips": "other"}) == plain
    deep = key | {"network": {"lr": 1e-4}, "training": {"patience": 5}}
    hashes = {ledger.declaration_of(deep | change) for change in ({}, {"network": {"lr": 1e-2}}, {"training": {}})}
    assert len(hashes | {plain}) == 4
