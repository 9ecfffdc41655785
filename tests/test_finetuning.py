"""Fine-tuning of CAM++: what learns in which stage, what is masked when, what is kept, and whose rows are read."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss

from ser_study import config as settings
from ser_study import finetuning
from ser_study.chapters.networks import finetuning as chapter
from ser_study.chapters.networks import tables, text
from ser_study.config import Finetuning, Training
from ser_study.experiments import Experiment
from ser_study.features import campplus, campplus_input, campplus_network
from ser_study.schema import check_predictions
from ser_study.study import Study
from ser_study.wording import share

CLASSES = np.array(["angry", "calm", "happy", "sad"])
ONE = Experiment("synthetic", "speaker_independent", "campplus_fbank", finetuning.NAME, variants=(1, 2))


@pytest.fixture(scope="module", autouse=True)
def small():
    """CAM++ with one layer a block instead of twelve and twenty-four, so that its graphs are quickly made."""
    with pytest.MonkeyPatch.context() as patch:
        for name, dilation in (("block1", 1), ("block2", 2)):
            patch.setitem(campplus_network.BLOCKS, name, (1, dilation))
        yield


def made(n=40, frames=60):
    """Filterbanks in which each class raises bands of its own."""
    random = np.random.default_rng(0)
    codes = np.arange(n) % len(CLASSES)
    values = random.normal(size=(n, frames, 80))
    for i, code in enumerate(codes):
        values[i, :, code * 15 : code * 15 + 15] += 1
    return values.astype(np.float16), CLASSES[codes]


def weights_of(model) -> dict[str, np.ndarray]:
    return {
        f"{layer.name}/{weight.name}": np.array(weight)
        for layer in model.layers
        for weight in layer.weights
        if "seed" not in weight.name
    }


@pytest.fixture(scope="module")
def trained(small):
    """Three stages, the last at a rate that ruins the network; the body's weights before and after each."""
    seen = []

    class Watched(finetuning.FineTuner):
        def _trained(self, number, *args):
            before = weights_of(self.pooled_)
            curve = super()._trained(number, *args)
            seen.append((before, weights_of(self.pooled_)))
            return curve

    plan = Finetuning(rates=(1e-3, 1e-4, 1.0), epochs=(5, 2, 1), variants=())
    values, truth = made()
    model = Watched(plan, seed=1, training=Training(), output="block2", untrained=True)
    return model.fit(values[:28], truth[:28], (values[28:], truth[28:])), seen


def changed(stage) -> set[str]:
    before, after = stage
    return {name for name in before if not np.array_equal(before[name], after[name])}


def test_frozen_stage_leaves_the_body_bit_for_bit(trained):
    _, seen = trained
    assert len(seen[0][0]) > 40
    assert changed(seen[0]) == set()


def test_second_stage_changes_the_last_block_alone(trained):
    _, seen = trained
    names = changed(seen[1])
    kernels = {name for name in seen[1][0] if name.startswith("xvector.block2.") and name.endswith("/kernel")}
    assert kernels
    assert kernels <= names
    assert all(name.startswith("xvector.block2.") for name in names)  # what transit2 holds here is normalisation


def test_last_stage_changes_everything_but_normalisation(trained):
    _, seen = trained
    names = changed(seen[2])
    assert {"head.conv1/kernel", "xvector.tdnn.linear/kernel", "xvector.block1.tdnnd1.linear1/kernel"} <= names
    kept = {"gamma", "beta", "moving_mean", "moving_variance"}
    assert {name for name in seen[2][0] if name.split("/")[1] in kept} & names == set()


def test_best_weights_of_all_stages_are_kept(trained):
    model, seen = trained
    assert [stage["stage"] for stage in model.stages_] == ["head", "block", "all"]
    assert not model.stages_[2]["kept"]
    assert (
        not model.history_["validation_loss"].iloc[-1] <= model.stages_[0]["validation_loss"]
    )  # may be no number at all
    best = model.history_["validation_loss"].min()
    assert model.history_["validation_loss"].iloc[model.best_epoch_ - 1] == best
    values, truth = made()
    proba = model.predict_proba(values[28:])
    assert log_loss(truth[28:], proba, labels=CLASSES) == pytest.approx(best, abs=1e-4)
    stage = next(stage for stage in model.stages_ if stage["validation_loss"] == pytest.approx(best))
    assert stage["validation_uar"] == pytest.approx(balanced_accuracy_score(truth[28:], model.predict(values[28:])))
    now = weights_of(model.pooled_)
    assert all(np.array_equal(now[name], seen[2][0][name]) for name in now)  # as before the ruinous stage


def test_it_learns_and_its_summary_is_plain_values(trained):
    model, _ = trained
    summary = json.loads(json.dumps(model.summary()))
    assert summary["history"]["validation_loss"][4] < summary["history"]["validation_loss"][0]
    assert (
        summary["epochs"] == len(summary["history"]["loss"]) == sum(stage["epochs"] for stage in summary["stages"]) == 8
    )
    sizes = [stage["n_trainable"] for stage in summary["stages"]]
    width = model.pooled_.output.shape[1]
    assert sizes[0] == (width + 1) * len(CLASSES)
    assert sizes[0] < sizes[1] < sizes[2] < summary["n_parameters"]


def test_pooling_is_that_of_the_frozen_feature(trained):
    model, _ = trained
    frames = np.random.default_rng(3).normal(size=(2, 7, 5)).astype(np.float32)
    pooled = np.asarray(finetuning.statistics(frames))
    np.testing.assert_allclose(pooled, np.hstack([frames.mean(axis=1), frames.std(axis=1)]), atol=1e-4)


def test_masks_hide_in_training_and_nothing_otherwise():
    from ser_study.models.deep.spec_augment import SpecAugment

    values = np.ones((50, 100, 80), np.float32)
    layer = SpecAugment(2, 30, 2, 10, seed=4)
    np.testing.assert_array_equal(np.asarray(layer(values, training=False)), values)
    masked = np.asarray(layer(values, training=True))
    assert set(np.unique(masked)) == {0.0, 1.0}
    hidden_frames, hidden_bands = (masked == 0).all(axis=2), (masked == 0).all(axis=1)
    assert ((masked == 0) == (hidden_frames[:, :, None] | hidden_bands[:, None, :])).all()
    assert hidden_frames.sum(axis=1).max() <= 2 * 20  # a fifth of the clip is less than 30 frames
    assert hidden_bands.sum(axis=1).max() <= 2 * 10
    assert 10 < hidden_frames.sum(axis=1).mean() < 2 * 10  # two masks of 0 to 20 frames, which may overlap
    assert len(np.unique(hidden_frames, axis=0)) > 40
    assert not np.array_equal(masked, np.asarray(layer(values, training=True)))


def test_an_epoch_is_as_long_as_there_are_clips():
    from ser_study.models.deep.spec_augment import Shares

    rows = Shares(np.arange(30, dtype=np.float16)[:, None], np.arange(30), batch=4, n_augmented=2, seed=0)
    visited = []
    for _ in range(3):
        batches = [rows[i] for i in range(len(rows))]
        assert [len(codes) for _, codes in batches] == [4, 4, 2]
        assert all(values.dtype == np.float32 and (values[:, 0] == codes).all() for values, codes in batches)
        visited += [code for _, codes in batches for code in codes]
        rows.on_epoch_end()
    assert sorted(visited) == list(range(30))
    assert visited != sorted(visited)


def test_input_has_one_length_and_the_statistics_of_the_clip():
    frames = np.random.default_rng(0).normal(size=(7, 3))
    np.testing.assert_array_equal(campplus_input.looped(frames, 17), np.vstack([frames, frames, frames[:3]]))
    np.testing.assert_array_equal(campplus_input.looped(frames, 3), frames[2:5])
    signal = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    looped, bands = campplus_input.filterbank(signal, 16_000), campplus.filterbank(signal)
    assert looped.shape == (300, 80)
    assert looped.dtype == np.float16
    np.testing.assert_allclose(looped[98:196], bands, atol=5e-3)
    np.testing.assert_allclose(looped.std(axis=0, dtype=float), bands.std(axis=0), rtol=0.05)
    with pytest.raises(ValueError, match="16000 Hz, the clip has 8000 Hz"):
        campplus_input.filterbank(signal, 8_000)


def test_what_cannot_be_trained_is_refused():
    values, truth = made(8, 20)
    with pytest.raises(ValueError, match="validation rows of other speakers, and there are none"):
        finetuning.FineTuner(untrained=True).fit(values, truth, None)
    with pytest.raises(ValueError, match=r"found values \(8, 20, 79\)"):
        finetuning.FineTuner(untrained=True).fit(values[:, :, 1:], truth, (values, truth))
    with pytest.raises(ValueError, match="take 3 values each"):
        finetuning.FineTuner(Finetuning(epochs=(2, 2)), untrained=True).fit(values, truth, (values, truth))


def test_augmented_rows_are_only_trained_on():
    folds = pd.DataFrame({"repeat": 0, "fold": [1, 1, 2, 2], "clip_id": list("abcd"), "variant": [0, 1, 0, 0]})
    wrong = folds.assign(role=["train", "validation", "train", "validation"])
    with pytest.raises(ValueError, match="1 augmented rows are validation rows, first 'b'"):
        chapter.check_folds(wrong, pd.Series(list("1234"), index=list("abcd")))
    fine = wrong.assign(variant=[1, 0, 0, 0])
    assert chapter.first_folds(fine, 1)["clip_id"].tolist() == ["a", "b"]
    chapter.check_folds(fine, pd.Series(list("1234"), index=list("abcd")))
    with pytest.raises(ValueError, match="Fold 2 has 1 validation speakers, 1 of them in training"):
        chapter.check_folds(fine, pd.Series(list("1233"), index=list("abcd")))


@pytest.fixture
def small_study(store, monkeypatch):
    """``predict`` on a small built-in corpus, with the fits and the lines of the ledger it causes."""
    fits, lines = [], []

    class Watched(finetuning.FineTuner):
        def fit(self, values, truth, validation):
            fits.append((len(values), len(validation[0])))
            return super().fit(values, truth, validation)

    monkeypatch.setattr(finetuning, "FineTuner", Watched)
    monkeypatch.setattr(finetuning, "builder", partial(finetuning.builder, untrained=True, output="block1"))
    monkeypatch.setattr(chapter.ledger, "log_test_evaluations", lambda *line: lines.append(line))
    monkeypatch.setattr(chapter.declare, "finetuned", lambda study: [ONE])
    corpus = {"corpora": "synthetic", "synthetic.n_speakers": 4, "synthetic.n_statements": 1, "run.jobs": 1}

    def run(n_folds: int) -> pd.DataFrame:
        plan = {"finetuning.epochs": "1,0,0", "finetuning.folds": n_folds}
        config = settings.load("full", corpus | plan)
        return chapter.predict(Study(config, store))[ONE]

    return run, fits, lines


@pytest.mark.filterwarnings("ignore::UserWarning")  # no folds of a corpus this small are committed
def test_finished_folds_are_never_trained_again(small_study):
    run, fits, lines = small_study
    one = check_predictions(run(1))
    assert len(fits) == 1
    pd.testing.assert_frame_equal(one, run(1))
    two = run(2)
    assert len(fits) == 2
    pd.testing.assert_frame_equal(two[two["fold"] == one["fold"].iloc[0]].reset_index(drop=True), one)
    speakers = one["clip_id"].str.extract("/([fm][0-9]+)-")[0].groupby(one["role"]).unique()
    assert {role: len(names) for role, names in speakers.items()} == {"test": 1, "validation": 1}
    n_validation = (one["role"] == "validation").sum()
    assert fits[0] == (one["n_train"].iloc[0], n_validation)
    assert fits[0][0] % 3 == 0  # each training clip as recorded, with noise, and at another speed
    assert set(one["variant"]) == {0}
    hashes = [next(iter(declared.values())) for declared, _, _ in lines]
    assert hashes[0] == hashes[1] != hashes[2]
    logged, test = lines[0][1].iloc[0], one[one["role"] == "test"]
    assert logged["n"] == len(test)
    assert logged["value"] == pytest.approx(balanced_accuracy_score(test["truth"], test["prediction"]))
    table = tables.stages({ONE: two})
    assert len(table) == 2
    assert not table.isna().any().any()
    finding = text.stages(table, {ONE: two}).finding
    assert "2 folds" in finding
    assert share(table["validation_uar"].mean()) in finding
