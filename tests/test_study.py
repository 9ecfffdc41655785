"""``Study``: what notebooks and scripts hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ser_study.experiments import Experiment, benchmark, ledger, named
from ser_study.study import Study
from ser_study.wording import share

PROJECT = Path(__file__).resolve().parents[1]
TEN_LINES = """
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from ser_study.study import Study
study = Study.open("demo", {"synthetic.n_statements": 2})
X, y, speakers = study.xy("synthetic", "summary")
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
wrong = cross_val_score(model, X, y, cv=KFold(4, shuffle=True, random_state=0), scoring="balanced_accuracy").mean()
right = cross_val_score(model, X, y, groups=speakers, cv=GroupKFold(4), scoring="balanced_accuracy").mean()
print(f"{wrong:.3f} {right:.3f}")
"""


def test_open_reads_preset_overrides_and_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("SER_STUDY_DATA", raising=False)
    study = Study.open("demo", {"seed": 1}, str(tmp_path))
    assert (study.config.preset, study.config.seed, study.store.raw) == ("demo", 1, tmp_path)
    assert study.store.run.name == "demo+seed=1"
    assert repr(study) == f"Study('demo+seed=1', data='{tmp_path.name}')"
    with pytest.raises(ValueError, match="did you mean 'quick'"):
        Study.open("quik")
    with pytest.raises(FileNotFoundError, match="data folder"):
        Study.open("demo", None, str(tmp_path / "absent"))


def test_clips_are_a_table_of_one_selection_or_of_all_each_clip_once(small_study):
    clips = small_study.clips("synthetic")
    assert clips["clip_id"].is_unique
    part = small_study.selections["synthetic"]
    doubled = Study(small_study.config, small_study.store, {"a": part, "b": part})
    pd.testing.assert_frame_equal(doubled.clips(), clips)
    assert list(doubled.only(["b"]).selections) == ["b"]


def test_an_unknown_selection_suggests(small_study):
    with pytest.raises(ValueError, match=r"No selection 'sinthetic' .* did you mean 'synthetic'\?"):
        small_study.clips("sinthetic")
    with pytest.raises(ValueError, match="Here: synthetic"):
        small_study.features("x", "means184")
    with pytest.raises(ValueError, match="No selection 'baseline-000' .* Here: none"):
        Study(small_study.config, small_study.store, {}, {}).clips("baseline-000")


def test_xy_is_what_scikit_learn_takes(small_study):
    X, y, speakers = small_study.xy("synthetic", "means184")
    clips = small_study.clips("synthetic").set_index("clip_id")
    assert X.shape == (len(clips), 184)
    assert X.index.equals(y.index)
    assert X.index.equals(speakers.index)
    assert (y == clips["emotion"].loc[y.index]).all()
    assert (speakers == clips["speaker"].loc[y.index]).all()
    values = small_study.features("synthetic", "means184")
    assert (X.to_numpy() == values.rows(X.index.to_numpy())).all()
    merged = small_study.xy("synthetic", "means184", scheme="4")[1]
    assert set(merged) < set(y)
    assert len(merged) < len(y)


def test_xy_gives_clips_without_a_speaker_one_group(small_study):
    part = small_study.selections["synthetic"]
    clips = part.clips.assign(speaker=part.clips["speaker"].where(part.clips["speaker"] != "synthetic/01"))
    own = Study(small_study.config, small_study.store, {"synthetic": type(part)("synthetic", clips, part.dropped)})
    speakers = own.xy("synthetic", "means184")[2]
    assert (speakers == "unknown").sum() == clips["speaker"].isna().sum() > 0


def test_xy_refuses_what_is_no_vector(small_study):
    with pytest.raises(ValueError, match=r"'log_mel' has values of shape .* vectors"):
        small_study.xy("synthetic", "log_mel")


def test_folds_are_those_of_the_experiments(small_study):
    folds = small_study.folds("synthetic", "speaker_independent")
    table = small_study.predictions(Experiment("synthetic", "speaker_independent", "means184", "dummy"))
    test = folds[folds["role"] == "test"].set_index("clip_id")["fold"]
    predicted = table[table["role"] == "test"].set_index("clip_id")["fold"]
    assert test.sort_index().equals(predicted.sort_index())
    with pytest.raises(ValueError, match="Unknown protocol 'speaker'"):
        small_study.folds("synthetic", "speaker")


def test_predictions_of_several_experiments_come_in_their_order_and_validation_rows_alone(small_study):
    two = [Experiment("synthetic", "speaker_independent", "means184", model) for model in ("logistic", "dummy")]
    done = small_study.predict([*two, two[0]])
    assert list(done) == two
    assert {role for table in done.values() for role in table["role"]} == {"validation", "test"}
    for one, table in small_study.predict_validation(two).items():
        assert set(table["role"]) == {"validation"}
        assert len(table) == (done[one]["role"] == "validation").sum()
    pd.testing.assert_frame_equal(small_study.predictions(two[1]), done[two[1]])
    assert ledger.read(small_study.store).empty, "the built-in corpus is nobody's test set"


def test_any_experiment_of_the_registries_is_scored_by_its_name(small_study):
    for name in ("synthetic/random/means184/logistic", "synthetic/leave_one_speaker_out/summary/knn/fixed"):
        one = named.parse(name)
        assert one.name == name
        declared = one in benchmark.published(small_study.config, small_study.possible, small_study.selections)
        answer = small_study.score(name)
        scores = small_study.scores([one])
        value = scores.loc[scores["metric"] == "uar", "value"].item()
        assert answer.startswith(f"{name}: UAR {share(value)} ")
        assert ("undeclared" in answer) == (not declared)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("synthetic/random", "CORPUS/PROTOCOL/FEATURE/MODEL"),
        ("synthetic/randm/means184/logistic", "did you mean 'random'?"),
        ("syntetic/random/means184/logistic", "did you mean 'synthetic'?"),
        ("synthetic/random/mean184/logistic", "did you mean 'means184'"),
        ("synthetic/random/means184+egmaps/lda", "did you mean 'egemaps'?"),
        ("synthetic/random/means184/logistics", "did you mean 'logistic'?"),
        ("synthetic/random/means184/logistic/fixd", "did you mean 'fixed'?"),
        ("synthetic/cross_corpus/means184/logistic", "/from-crema_d"),
        ("synthetic/random/means184/lda/beside-emodb", "where speakers are separated"),
        ("synthetic/speaker_independent/means184/knn/beside-emodb", "'lda' only"),
        ("synthetic/speaker_independent/means184/lda/beside-synthetic", "name other corpora"),
        ("synthetic/speaker_independent/means184/lda/fixed/beside-emodb", "leave out fixed"),
        (
            "synthetic/random/means184/lda/from-emodb",
            "is tested as cross_corpus or speaker_independent, not as 'random'",
        ),
        ("emodb/random/means184/logistic", "ser-study download emodb"),
    ],
)
def test_a_name_that_is_no_experiment_says_which_part_is_wrong(small_study, name, hint):
    with pytest.raises(ValueError, match=re.escape(hint)):
        small_study.score(name)


@pytest.mark.parametrize(
    ("setting", "value", "hint"),
    [
        ("benchmark.features", "egmaps", "feature 'egmaps', did you mean 'egemaps'?"),
        ("benchmark.large_features", ["Compare"], "did you mean 'compare'?"),
        ("benchmark.models", "dummy,forrest", "model 'forrest', did you mean 'forest'?"),
        ("benchmark.large_corpora", "ravdes-speech", "selection 'ravdes-speech', did you mean 'ravdess-speech'?"),
        ("testing.transfer_features", ["campplus+moonshin"], "encoder 'moonshin', did you mean 'moonshine'?"),
        ("testing.transfer_features", ["summary"], "testing.transfer_features: Unknown encoder 'summary'"),
        ("testing.conditions", ["whit:10"], "testing.conditions: Unknown degradation 'whit', did you mean 'white'?"),
        ("testing.conditions", ["white:loud"], "testing.conditions: The level in 'white:loud' is no number"),
        ("ladder.feature", "nope", "feature 'nope'"),
        ("ladder.systems", ["lda/summary"], "ladder.systems: Unknown feature 'lda'"),
        ("networks.by_speaker", ["log_mel"], "networks.by_speaker, after /: Unknown model ''"),
        ("networks.by_speaker", ["cnn_lstm_000/log_mel"], "networks.by_speaker: Unknown feature 'cnn_lstm_000'"),
        ("evaluation.n_bootstrap", "0", "n_bootstrap"),
        ("controls.marker_draws", "0", "marker_draws"),
        ("corpora", "RAVDESS", "corpus 'RAVDESS', did you mean 'ravdess'?"),
        ("baselines.systems", "E0000", "student project 'E0000', did you mean 'E000'?"),
        ("audio.channel", "left", "takes one of 'mix', 'first'; found 'left'"),
        ("audio.pad", "center", "did you mean 'centre'?"),
        ("models.class_weight", "balance", "did you mean 'balanced'?"),
        ("evaluation.level", "2", "between 0 and 1"),
    ],
)
def test_closed_lists_refuse_typing_errors_and_suggest(setting, value, hint, monkeypatch, tmp_path):
    monkeypatch.delenv("SER_STUDY_DATA", raising=False)
    with pytest.raises(ValueError, match=re.escape(hint)):
        Study.open("demo", {setting: value})


def test_two_features_side_by_side_are_two_known_names():
    assert Study.open("demo", {"ladder.feature": "means184+summary"}).config.ladder.feature == "means184+summary"


def test_a_students_ten_lines_run_as_pasted(tmp_path):
    environment = os.environ | {"SER_STUDY_DERIVED": str(tmp_path / "derived"), "SER_STUDY_REPORTS": str(tmp_path)}
    environment.pop("SER_STUDY_DATA", None)
    command = [sys.executable, "-c", TEN_LINES]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    wrong, right = map(float, done.stdout.split())
    assert wrong > right + 0.05 > 1 / 6
