"""Chapter 05: its declarations, the tables made of predictions of networks, and the numbers in its sentences."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import features
from ser_study.chapters.networks import declare, finetuning, tables, text
from ser_study.experiments import Experiment, Selection, baselines
from ser_study.models import deep
from ser_study.schema import probability_columns
from ser_study.study import Study

CONFIG = settings.load("full", {"training.patience": 7})
FOUR = pd.DataFrame({"speaker": [f"own/{i}" for i in range(4)]})


def study_of(store, selections=(), projects=(), config=CONFIG) -> Study:
    """A study with selections of four speakers and the clips of some student projects."""
    parts = {name: Selection(name, FOUR, FOUR.iloc[:0]) for name in (*selections, *projects)}
    study = Study(config, store, {n: parts[n] for n in selections}, {n: parts[n] for n in projects})
    study.possible = dict.fromkeys(selections, ["random", "speaker_independent"])
    return study


def all_projects() -> list[str]:
    return [baseline.selection for baseline in baselines.BASELINES.values()]


def training(network, *, validation=(1.5, 1.1, 1.3), fold=0, seconds=2.0):
    """Predictions of one fold, two clips, with the summary of a training of three epochs."""
    history = {
        "loss": [1.4, 0.9, 0.5],
        "accuracy": [0.4, 0.6, 0.9],
        "validation_loss": list(validation),
        "validation_accuracy": [0.3, 0.5, 0.4],
        "seconds": [5.0, seconds, seconds],
    }
    best = int(np.argmin([np.inf if v is None else v for v in validation])) + 1
    summary = {"network": network, "params": {}, "epochs": 3, "best_epoch": best, "n_parameters": 1000}
    summary |= {"seconds_per_epoch": seconds, "history": history}
    row = {"experiment": f"e/{network}", "draw": 0, "repeat": 0, "fold": fold, "params": json.dumps(summary)}
    return pd.DataFrame([row, row]).assign(role=["validation", "test"], clip_id=[f"c{fold}v", f"c{fold}t"])


def by_experiment(*trainings: pd.DataFrame) -> dict[Experiment, pd.DataFrame]:
    """Trainings under experiments, those of one network together."""
    together = pd.concat(trainings)
    return {
        Experiment("synthetic", "random", "means184", name.removeprefix("e/")): rows
        for name, rows in together.groupby("experiment", sort=False)
    }


def predicted(selection: str, network: str, right: int, draw: int = 0) -> tuple[Experiment, pd.DataFrame]:
    """Ten test clips, some of them right."""
    one = Experiment(selection, "baseline_list", "means184", network, scheme="8")
    guess = ["sad"] * right + ["calm"] * (10 - right)
    table = pd.DataFrame({"clip_id": [f"c{i}" for i in range(10)], "truth": "sad", "prediction": guess, "draw": draw})
    return one, table.assign(role="test", **dict.fromkeys(probability_columns(["calm", "sad"]), 0.5))


def test_declarations_share_the_projects_rows_and_know_their_networks(monkeypatch, store):
    monkeypatch.setattr(
        features, "names", lambda: ["means184", "means180", "log_mel87", "campplus_frames", "vgg16_maps", "log_mel"]
    )
    study = study_of(store, projects=all_projects())
    declared = declare.networks(study)
    assert len({e.name for e in declared}) == len(declared) >= 12
    assert all(e.model in deep.NETWORKS for e in declared)
    rebuilt = [e for b in baselines.BASELINES.values() for e in baselines.rebuilds(b, CONFIG).values()]
    assert {e for e in rebuilt if e.model in deep.NETWORKS} < set(declared)
    varied = declare.regularisation(study)
    assert [e.model for e in varied] == [n for n in deep.NETWORKS if n.startswith("conv8_002_")]
    lengths = [deep.get(e.model).settings() for e in varied]
    assert len({one["epochs"] / one["batch"] for one in lengths}) == 1  # equally many steps, whatever the batch
    monkeypatch.setattr(features, "names", lambda: ["means184"])
    assert {e.feature for e in declare.networks(study)} == {"means184"}


def test_without_the_projects_clips_small_networks_meet_new_speakers(store):
    study = study_of(store, selections=["synthetic"])
    declared = declare.networks(study)
    assert {(e.selection, e.protocol) for e in declared} == {("synthetic", "speaker_independent")}
    assert declare.regularisation(study) == []
    without_extra = settings.load("full", {"networks.extra": False})  # E000 has no network of its own
    assert declare.networks(study_of(store, ["synthetic"], ["baseline-000"], without_extra)) == declared


def test_the_encoder_is_fine_tuned_in_complete_only(store):
    real = ["own", "ravdess-speech"]

    def chosen(preset, selections):
        return [one.selection for one in declare.finetuned(study_of(store, selections, config=settings.load(preset)))]

    assert chosen("complete", real) == ["ravdess-speech"]
    assert chosen("complete", ["own"]) == ["own"]
    assert chosen("complete", ["synthetic"]) == []
    assert chosen("quick", real) == chosen("full", real) == []
    without_folds = study_of(store, real, config=settings.load("full", {"finetuning.folds": 0}))
    assert finetuning.predict(without_folds) == {}


def test_scores_are_means_over_training_seeds():
    one, first = predicted("baseline-003", "bigru", 4)
    _, second = predicted("baseline-003", "bigru", 8, draw=1)
    row = tables.scores({one: pd.concat([first, second])}).iloc[0]
    assert (row["split"], row["n"], row["n_seeds"]) == ("E003", 10, 2)
    assert row["accuracy"] == pytest.approx(0.6)
    assert row["sd"] == pytest.approx(np.std([0.4, 0.8], ddof=1))
    assert "one test-set evaluation" not in text.scores(tables.scores({one: first})).text, "the ledger counts them"
    finding = text.scores(tables.scores({one: first})).finding
    assert "E003" in finding
    assert ".400" in finding


def test_learning_curves_are_tidy_and_mark_the_best_epoch():
    two = [training("conv8_002"), training("conv8_002", fold=1, validation=(1, 2, None))]
    curves = tables.learning_curves(by_experiment(*two))
    assert list(curves.columns[:6]) == ["experiment", "draw", "repeat", "fold", "network", "epoch"]
    assert len(curves) == 6
    assert curves.loc[curves["best"], ["fold", "epoch"]].to_numpy().tolist() == [[0, 2], [1, 1]]
    assert np.isnan(curves["validation_loss"].iloc[-1])
    assert curves["validation_loss"].dtype == float
    with pytest.raises(ValueError, match="No network"):
        tables.learning_curves(by_experiment(training("conv8_002").assign(params='{"C": 1}')))


def test_the_title_of_learning_curves_compares_the_losses_where_weights_are_kept():
    rows = [(draw, epoch, epoch == 2) for draw in (0, 1) for epoch in (1, 2, 3)]
    curves = pd.DataFrame(rows, columns=["draw", "epoch", "best"]).assign(network="conv1d_001", experiment="e")
    curves = curves.assign(loss=np.where(curves["epoch"] == 2, 0.5, 9.0), validation_loss=1.0 + curves["draw"])
    title = text.learning_curves_title(curves)
    assert (
        title == "Where weights are kept, validation loss is 3.0 times the training loss in the median of 2 trainings"
    )
    one = curves.assign(validation_loss=curves["validation_loss"].where(curves["draw"] == 0))
    assert text.learning_curves_title(one).endswith("2.0 times the training loss in the one training watched")
    assert text.learning_curves_title(curves.assign(validation_loss=np.nan)) == "Training loss by epoch"


def test_sizes_add_up_the_time():
    two = [training("conv8_002"), training("conv8_002", fold=1)]
    sizes = tables.sizes(by_experiment(*two, training("mlp_head", seconds=4.0)))
    assert sizes["network"].tolist() == ["conv8_002", "mlp_head"]
    assert sizes["trainings"].tolist() == [2, 1]
    assert sizes["minutes"].tolist() == [round(18 / 60, 1), round(13 / 60, 1)]
    assert sizes["title"].tolist() == [deep.get("conv8_002").title, deep.get("mlp_head").title]


def varied(store, right: dict[str, list[float]]) -> tuple[dict[Experiment, pd.DataFrame], Study]:
    """Networks with validation rows of several speakers; of each speaker a share of the clips is right."""
    n, predictions = 20, {}
    n_speakers = len(next(iter(right.values())))
    names = [f"v{s}/{i}" for s in range(n_speakers) for i in range(n)]
    clips = pd.DataFrame({"clip_id": names, "speaker": [name.split("/")[0] for name in names]})
    truth = np.tile(["calm", "sad"], n * n_speakers // 2)
    wrong = np.where(truth == "sad", "calm", "sad")
    for network, shares in right.items():
        one = Experiment("baseline-002b", "baseline_list", "means180", network)
        hit = np.concatenate([np.arange(n) < share * n for share in shares])
        rows = pd.DataFrame({"clip_id": names, "truth": truth, "prediction": np.where(hit, truth, wrong)})
        rows = rows.assign(corpus=one.selection, scheme=one.scheme, protocol=one.protocol, feature=one.feature)
        rows = rows.assign(model=network, leak="", draw=0, repeat=0, fold=0, seed=0, role="validation", variant=0)
        rows = rows.assign(experiment=one.name, n_train=9, p_calm=0.5, p_sad=0.5)
        predictions[one] = rows.assign(params=training(network)["params"].iloc[0])
    part = Selection("baseline-002b", clips, clips.iloc[:0])
    return predictions, Study(CONFIG, store, {}, {part.name: part})


def test_regularisation_is_compared_on_validation_rows(store):
    predictions, study = varied(store, {"conv8_002_l2": [0.25] * 6, "conv8_002_short": [0.5] * 6})
    table = tables.regularisation(predictions, study).set_index("network")
    assert table["validation_accuracy"].tolist() == [0.5, 0.5]
    assert table["gap"].tolist() == pytest.approx([0.1, 0.1])
    assert table["changed"].to_dict() == {"conv8_002_short": tables.AS_PUBLISHED, "conv8_002_l2": "L2 penalty"}
    assert (table["n"] == 120).all()
    assert table.loc["conv8_002_l2", "difference"] == pytest.approx(-0.25)
    assert np.isnan(table.loc["conv8_002_short", "difference"])
    assert tables.regularisation({}, study).empty
    assert text.regularisation(tables.regularisation({}, study)).empty


def test_changes_of_settings_are_judged_over_speakers_and_not_over_clips(store):
    """The same gain in UAR: of all speakers alike it is beyond chance, of two speakers of eight it is not."""
    base = {"conv8_002_short": [0.5] * 8}
    predictions, study = varied(store, base | {"conv8_002_dropout0": [0.75] * 8, "conv8_002_l2": [1, 1, *[0.5] * 6]})
    table = tables.regularisation(predictions, study)
    change = table.set_index("network")
    assert change.loc["conv8_002_dropout0", ["low", "high"]].tolist() == pytest.approx([0.25, 0.25])
    assert change.loc["conv8_002_l2", "low"] < 0 < change.loc["conv8_002_l2", "high"]
    finding = text.regularisation(table).finding
    assert "UAR with the published settings is .500 on 160 validation clips of 8 speakers" in finding
    assert "Beyond chance, “no dropout” raised it (p < .05" in finding
    assert "L2 penalty +12.5 [−" in finding
    no_gain = table[table["network"] != "conv8_002_dropout0"]
    assert "No change is beyond chance" in text.regularisation(no_gain).finding


def test_introduction_counts_the_networks_and_says_what_stops_them():
    on_list = dict([predicted("baseline-003", "bigru", 4)])
    assert text.introduction(on_list, CONFIG).startswith("One network is")
    assert "7 epochs" in text.introduction(on_list, CONFIG)
    own = dict([predicted("synthetic", "mlp_head", 4), predicted("synthetic", "cnn_lstm_000", 5)])
    assert "2 networks are" in text.introduction(own, CONFIG)
    assert "synthetic corpus" in text.introduction(own, CONFIG)
    five = settings.load("full", {"training.seeds": 5})
    assert "5 times" in text.introduction(own, five)
