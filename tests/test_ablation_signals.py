"""Signal preparation and augmentation compared on validation speakers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study.audio import signal
from ser_study.chapters.ablations import preparations, sentences, signals, text
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import Selection
from ser_study.study import Study


def _clips(n_speakers: int) -> pd.DataFrame:
    rows = [
        (f"emodb/{s}-{i}", f"emodb/{s:02d}", "angry" if i % 2 else "sad") for s in range(n_speakers) for i in range(20)
    ]
    table = pd.DataFrame(rows, columns=["clip_id", "speaker", "emotion"])
    return table.assign(corpus="emodb")


def _predicted(one: Experiment, clips: pd.DataFrame, wrong: int) -> pd.DataFrame:
    """Validation rows miss the first ``wrong`` clips of each speaker; test rows, which nothing may read, miss all."""
    place = clips.groupby("speaker").cumcount()
    other = clips["emotion"].map({"angry": "sad", "sad": "angry"})
    frames = []
    for role, misses in (("validation", place < wrong), ("test", place >= 0)):
        prediction = clips["emotion"].where(~misses, other)
        frames.append(
            pd.DataFrame(
                {
                    "experiment": one.name,
                    "scheme": one.scheme,
                    "protocol": one.protocol,
                    "repeat": 0,
                    "fold": 0,
                    "seed": 0,
                    "role": role,
                    "model": one.model,
                    "n_train": 100 * (1 + len(one.variants)),
                    "clip_id": clips["clip_id"],
                    "variant": 0,
                    "truth": clips["emotion"],
                    "prediction": prediction,
                    "corpus": one.selection,
                    "feature": one.feature,
                    "draw": 0,
                    "leak": "",
                    "p_angry": (prediction == "angry").astype(np.float32),
                    "p_sad": (prediction == "sad").astype(np.float32),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def study(store) -> Study:
    """Ten speakers with twenty clips each, under the name of EMO-DB."""
    clips = _clips(10)
    config = settings.load("full", {"evaluation.n_bootstrap": 200})
    whole = Study(config, store, {"emodb": Selection("emodb", clips, clips.iloc[:0])})
    whole.possible = {"emodb": ["speaker_independent"]}
    return whole


def test_treatments_are_declared_on_validation_speakers(study):
    declared = signals.declared_treatments(study)
    assert [one.treatment for one in declared[:2]] == ["", "as recorded"]
    assert {one.treatment for one in declared} == {"", *signal.TREATMENTS} - {"trim 40 dB"}  # that is the default
    assert all(one.protocol == "speaker_independent" and not one.fixed for one in declared)
    augmented = signals.declared_augmentation(study)
    assert len({one.name for one in augmented}) == len(augmented) == 2 * (1 + len(signals.AUGMENTATION))
    pair = dataclasses.replace(study.selections["emodb"], clips=_clips(2))
    assert signals.declared_treatments(Study(study.config, study.store, {"emodb": pair})) == []


def test_validation_rows_decide_and_test_rows_do_not(study):
    clips = study.selections["emodb"].clips
    declared = signals.declared_treatments(study)[:4]
    predictions = {one: _predicted(one, clips, wrong) for one, wrong in zip(declared, (6, 2, 6, 10))}
    table = signals.treatment_table(study, predictions)
    assert table["uar"].tolist() == pytest.approx([0.7, 0.9, 0.7, 0.5])
    assert np.isnan(table["difference"][0])
    assert table["difference"][1:].tolist() == pytest.approx([0.2, 0.0, -0.2])
    assert table["p"][1:].tolist() == pytest.approx([2 / 2**10, 1, 2 / 2**10])  # every speaker alike: exact flips
    assert table["p_holm"][1:].tolist() == pytest.approx([6 / 2**10, 1, 6 / 2**10])  # a family of three
    assert set(table["n"]) == {200}
    assert set(table["n_speakers"]) == {10}
    assert table.set_index("treatment")["baselines"]["trim 60 dB"] == "E001, E004"
    said = sentences.treatments(table)
    assert "EMO-DB the 3 other preparations change UAR by −20.0 points to +20.0 points" in said
    assert "as recorded (+20.0 points, p = .006)" in said
    caption = text.signal(study, table)
    assert caption.finding.startswith(said)
    assert "*reference*" in caption.finding
    assert "sign-flip test of the speakers' own scores" in caption.text


def test_every_preparation_is_described_from_its_settings():
    audio = settings.load("full").audio
    described = preparations.described([signals.REFERENCE, *signal.TREATMENTS], audio)
    assert sorted(name for names in preparations.DOES for name in names) == sorted(signal.TREATMENTS)
    assert described.startswith(
        "The *reference*: silent ends cut 40 dB below the loudest frame, 16 kHz. The others: *as recorded*: no silent"
    )
    assert "*RMS strip*: ends cut up to the first frame with an RMS of 0.001" in described
    assert "*pad centre, pad start and pad end*: made 3 s long" in described
    assert "{" not in described
    assert preparations.described([signals.REFERENCE, "peak"], audio).endswith(
        "The others: *peak*: scaled to a largest amplitude of 1."
    )


def test_a_reference_with_more_inner_folds_is_scored_on_the_rows_it_shares(study):
    clips = study.selections["emodb"].clips
    reference, other = signals.declared_treatments(study)[:2]
    more = _predicted(reference, clips, 20).assign(fold=1)
    predictions = {reference: pd.concat([_predicted(reference, clips, 6), more]), other: _predicted(other, clips, 2)}
    table = signals.treatment_table(study, predictions)
    assert table["uar"][1] - table["uar"][0] == pytest.approx(table["difference"][1])
    assert table["n"].tolist() == [200, 200]


def test_claims_about_augmentation_are_judged(study):
    clips = study.selections["emodb"].clips
    declared = signals.declared_augmentation(study)
    wrong = {(): 6, (1, 3): 2, (5, 6): 4}  # the augmentation of both projects helps
    predictions = {one: _predicted(one, clips, wrong.get(one.variants, 6)) for one in declared}
    table = signals.augmentation_table(study, predictions)
    assert table["augmentation"][:3].tolist() == ["none", "noise", "stretch and pitch"]
    assert table.set_index("augmentation")["n_train"]["noise, stretch and pitch"].tolist() == [300, 300]
    assert (table.loc[table["claim"] == "E001: helps", "difference"] > 0.19).all()
    first, second = sentences.augmentation(table).split("E003 says")
    assert first.startswith("E001 says that augmentation helps")
    assert "it helps significantly in 2 of 2 tests." in first
    assert "it helps significantly in 2 of 2 tests." in second  # the opposite of the claim
    unsure = sentences.augmentation(table.assign(p_holm=0.5))
    assert unsure.count("no significant effect in any of 2 tests.") == 2


def test_what_cannot_be_compared_is_refused(study):
    clips = study.selections["emodb"].clips
    reference, other = signals.declared_treatments(study)[:2]
    with pytest.raises(ValueError, match="has nothing to be compared with"):
        signals.changes(study, {other: _predicted(other, clips, 1)})
    rows = _predicted(reference, clips, 1)
    with pytest.raises(ValueError, match="has no validation rows"):
        signals.changes(study, {reference: rows[rows["role"] == "test"]})


def test_switched_off_nothing_is_predicted(study):
    off = settings.load("full", {"ablations.signal": False, "ablations.augmentation": False})
    study = Study(off, study.store, study.selections)
    study.possible = {"emodb": ["speaker_independent"]}
    assert signals.treatments(study).empty
    assert signals.augmentation(study).empty


def test_from_declaration_to_table(store):
    changes = {"synthetic.n_speakers": 6, "synthetic.n_statements": 2, "run.jobs": 1, "evaluation.n_bootstrap": 200}
    study = Study(settings.load("demo", changes), store)
    declared = [one for one in signals.declared_treatments(study) if one.treatment in ("", "first second")]
    declared += [dataclasses.replace(declared[0], variants=(4,))]
    table = signals.changes(study, study.predict_validation(declared))
    assert np.isnan(table["difference"][0])
    assert table["difference"][1:].notna().all()
    assert table["n_train"].tolist() == [table["n_train"][0], table["n_train"][0], 2 * table["n_train"][0]]
    assert table["n"].nunique() == 1
    assert table["uar"].between(1 / 6, 1).all()
