"""Several corpora in training: what is chosen, and that no speaker who is validated or tested is in any of them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from test_inner_folds import table

from ser_study import joint_training, splits
from ser_study.config import Config, Models
from ser_study.joint_training import Rows
from ser_study.models.discriminant import ShrinkageLDA

MODELS = Models(covariance_shrinkage=(0.3, 0.6), joint_weights=(1.0, 0.3))
EMOTIONS = {"angry": 0, "happy": 1, "sad": 2}


def rows_of(clips, seed=0, signal=1.0, marker=None):
    """Values (n, 8): three columns hold the emotion, the last what ``marker(clip)`` says."""
    random = np.random.default_rng(seed)
    values = random.standard_normal((len(clips), 8))
    values[np.arange(len(clips)), clips["emotion"].map(EMOTIONS)] += signal
    if marker is not None:
        values[:, -1] = [marker(clip) for clip in clips.itertuples()]
    ids = pd.DataFrame({"clip_id": clips["clip_id"], "variant": 0})
    return Rows(ids, values, clips["emotion"].to_numpy(str), clips["speaker"].fillna("").to_numpy(str))


def folds_of(clips):
    return splits.make(clips, "leave_one_speaker_out", classes=clips["emotion"], config=Config())


def inner_of(clips):
    def inner(ids):
        part = clips.set_index("clip_id", drop=False).loc[ids].reset_index(drop=True)
        random = np.random.default_rng(0)
        return splits.inner_masks(part, part["emotion"].to_numpy(), "speaker_independent", n=3, rng=random)

    return inner


def run(clips, own, others, models=MODELS):
    return joint_training.run_folds(own, others, folds_of(clips), models=models, inner=inner_of(clips))


def accuracy(done, role="test"):
    rows = done[done["role"] == role]
    return (rows["truth"] == rows["prediction"]).mean()


def test_others_help_a_small_corpus_and_noise_is_left_out():
    clips = table(n_speakers=4, n_sentences=2)
    own = rows_of(clips, signal=0.8)
    good, noise = table(corpus="jl", n_speakers=12), table(corpus="savee", n_speakers=12)
    shuffled = noise.assign(emotion=np.random.default_rng(5).permutation(noise["emotion"]))
    alone, helped, both = (
        run(clips, own, others)
        for others in (
            {},
            {"jl": rows_of(good, 1, 0.8)},
            {"jl": rows_of(good, 1, 0.8), "savee": rows_of(shuffled, 2, 0)},
        )
    )
    assert accuracy(helped) > accuracy(alone) + 0.02
    chosen = [json.loads(text)["others"] for text in both.drop_duplicates("fold")["params"]]
    assert sum("savee" in names for names in chosen) <= 1  # noise
    assert sum("jl" in names for names in chosen) >= 3


def test_without_others_it_is_the_discriminant_of_the_own_clips():
    clips = table(n_speakers=4)
    own = rows_of(clips)
    done = run(clips, own, {})
    for fold, rows in done[done["role"] == "test"].groupby("fold"):
        params = json.loads(rows["params"].iloc[0])
        test = np.isin(clips["clip_id"], rows["clip_id"])
        mean, sd = own.values[~test].mean(axis=0), own.values[~test].std(axis=0)
        plain = ShrinkageLDA(params["shrinkage"], "equal").fit((own.values[~test] - mean) / sd, own.truth[~test])
        margins = plain.decision_function((own.values[test] - mean) / sd)
        assert (plain.classes_[margins.argmax(axis=1)] == rows["prediction"].to_numpy()).all(), fold
        logits = np.log(rows[[f"p_{name}" for name in plain.classes_]].to_numpy(float))
        gaps, expected = logits - logits[:, :1], margins - margins[:, :1]
        scale = (gaps * expected).sum() / (expected**2).sum()  # of the probabilities
        np.testing.assert_allclose(gaps, scale * expected, atol=1e-3)  # predictions are kept as float32
        assert set(rows["n_train"]) == {int((~test).sum())}


def test_every_clip_is_tested_once_and_validated_by_models_without_its_speaker():
    clips = table(n_speakers=5)
    done = run(clips, rows_of(clips), {"jl": rows_of(table(corpus="jl"), 1)})
    assert sorted(done.loc[done["role"] == "test", "clip_id"]) == sorted(clips["clip_id"])
    for fold, rows in done.groupby("fold"):
        tested = set(rows.loc[rows["role"] == "test", "clip_id"])
        assert sorted(rows.loc[rows["role"] == "validation", "clip_id"]) == sorted(set(clips["clip_id"]) - tested), fold


def test_a_marker_of_the_speaker_in_another_corpus_teaches_nothing():
    """Each speaker's label is written beside their clips of the other corpus; a leak would be read from there."""
    clips = table(n_speakers=6, n_emotions=2, n_sentences=2)
    random = np.random.default_rng(3)
    clips["emotion"] = random.permutation(clips["emotion"])
    # the same people in another corpus, every clip of a person marked with a column of that person alone
    n = 6
    twin = clips.assign(corpus="jl", clip_id="jl/" + clips["clip_id"].str[4:])

    def marked(part, label):
        person = part["speaker"].str[-1].astype(int).to_numpy()
        values = np.zeros((len(part), n))
        values[np.arange(len(part)), person] = np.where(part["emotion"] == "angry", 1, -1) * label
        values += random.standard_normal(values.shape) * 0.01
        ids = pd.DataFrame({"clip_id": part["clip_id"], "variant": 0})
        return Rows(ids, values, part["emotion"].to_numpy(str), part["speaker"].to_numpy(str))

    own, leaking = marked(clips, 1.0), marked(twin, 1.0)
    closed = run(clips, own, {"jl": leaking})
    assert accuracy(closed) < 0.7  # the column of the tested person says nothing in anybody else's clips
    renamed = Rows(leaking.rows, leaking.values, leaking.truth, np.char.add("other/", leaking.speaker))
    opened = run(clips, own, {"jl": renamed})
    assert accuracy(opened) > 0.95  # the marker does work where the people are hidden under other names


def test_of_two_speakers_the_other_corpora_are_chosen_by_what_they_teach_of_the_one():
    clips = table(n_speakers=2)
    good, noise = table(corpus="jl"), table(corpus="savee")
    shuffled = noise.assign(emotion=np.random.default_rng(5).permutation(noise["emotion"]))
    others = {"savee": rows_of(shuffled, 2, 0), "jl": rows_of(good, 1)}
    done = run(clips, rows_of(clips), others)
    assert all("jl" in json.loads(text)["others"] for text in done["params"])
    assert accuracy(done) > 0.5


def test_classes_that_the_corpus_lacks_are_left_out_and_a_class_no_one_has_is_never_predicted():
    clips = table(n_speakers=4, n_emotions=2)
    done = run(clips, rows_of(clips), {"jl": rows_of(table(corpus="jl"), 1)})
    assert [column for column in done if column.startswith("p_")] == ["p_angry", "p_happy"]
    sums = done[["p_angry", "p_happy"]].sum(axis=1)
    assert sums.to_numpy() == pytest.approx(1, abs=1e-5)


def test_a_head_that_is_kept_predicts_its_fold_bit_for_bit():
    clips, good = table(n_speakers=4, n_sentences=2), table(corpus="jl", n_speakers=6)
    own, others = rows_of(clips, signal=0.8), {"jl": rows_of(good, 1, 0.8)}
    done, options = run(clips, own, others), {"models": MODELS, "inner": inner_of(clips)}
    for (_, fold), rows in folds_of(clips).groupby(["repeat", "fold"]):
        fit, test = joint_training.masks_of(own, rows)
        head, params, n_train = joint_training.head_of(own, others, fit, test, **options)
        known = done[(done["role"] == "test") & (done["fold"] == fold)]
        assert json.loads(known["params"].iloc[0]) == params
        assert set(known["n_train"]) == {n_train}
        columns = [f"p_{name}" for name in head.classes]
        assert head.probabilities(own.values[test]).tobytes() == known[columns].to_numpy().tobytes()
