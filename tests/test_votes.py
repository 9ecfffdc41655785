"""Votes are decided on validation speakers, scored once, logged, and left out where nobody can be spared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_rebuilt import names, of  # noqa: F401  (names is a fixture)

from ser_study import config as settings
from ser_study import schema
from ser_study.chapters.ensembles import text, votes
from ser_study.evaluation import metrics
from ser_study.experiments import Selection, baselines, ledger, runner
from ser_study.store import Store, project_root
from ser_study.study import Study
from ser_study.wording import minus, p_text

CONFIG = settings.load(
    "full",
    {
        "benchmark.features": ["means184", "egemaps"],
        "benchmark.large_features": [],
        "benchmark.wide_features": [],
        "benchmark.encoders": [],
        "benchmark.models": ["dummy", "logistic", "forest"],
        "evaluation.n_bootstrap": 200,
        "evaluation.n_permutations": 200,
    },
)
CLASSES = ("angry", "happy", "sad")
SHARES = {  # (feature, model) → share right on validation and on test speakers
    ("means184", "logistic"): (0.8, 0.6),
    ("means184", "forest"): (0.6, 0.9),  # best on test, which must not matter
    ("egemaps", "logistic"): (0.7, 0.6),
    ("egemaps", "forest"): (0.5, 0.5),
}


def selection_of(name: str, n_speakers: int) -> Selection:
    rows = [
        {"clip_id": f"{name}/{who}_{emotion}_{i}", "speaker": f"{name}/{who}", "emotion": emotion, "corpus": name}
        for who in range(n_speakers)
        for emotion in CLASSES
        for i in range(20)
    ]
    clips = pd.DataFrame(rows).assign(gender="female")
    return Selection(name, clips, clips.iloc[:0])


def predicted(clips: pd.DataFrame, experiment) -> pd.DataFrame:
    """Predictions of one system of the benchmark: each speaker tested once, the next one validation."""
    voices = sorted(clips["speaker"].unique())
    home = clips["speaker"].map(voices.index).to_numpy()
    parts = []
    for fold in range(len(voices)):
        for role, who in (("validation", (fold + 1) % len(voices)), ("test", fold)):
            rows = clips[home == who]
            share = SHARES[experiment.feature, experiment.model][role == "test"]
            luck = np.random.default_rng([fold, len(experiment.feature), len(experiment.model)]).uniform(size=len(rows))
            truth = np.searchsorted(CLASSES, rows["emotion"])
            guess = np.where(luck < share, truth, (truth + 1) % 3)
            proba = np.full((len(rows), 3), 0.1)
            proba[np.arange(len(rows)), guess] = 0.8
            head = rows[["clip_id"]].assign(truth=rows["emotion"], prediction=np.array(CLASSES, dtype=object)[guess])
            columns = pd.DataFrame(proba, columns=schema.probability_columns(CLASSES), index=head.index)
            parts.append(pd.concat([head, columns], axis=1).assign(fold=fold, role=role))
    fixed = {"repeat": 0, "variant": 0, "draw": 0, "seed": 0, "n_train": 10, "params": "{}", "scheme": "native"}
    fixed |= {"experiment": experiment.name, "protocol": experiment.protocol, "leak": ""}
    fixed |= {"feature": experiment.feature, "model": experiment.model, "corpus": experiment.selection}
    return schema.check_predictions(pd.concat(parts, ignore_index=True).assign(**fixed))


@pytest.fixture
def store(tmp_path) -> Store:
    """A store whose ledger is not the project's."""
    return Store(tmp_path / "raw", tmp_path / "derived", tmp_path / "run", tmp_path)


@pytest.fixture
def study_of(store, monkeypatch):
    """A study of selections in which every system of the benchmark predicts as ``SHARES`` says."""

    def predict(declared, selections, **options):
        return {one: predicted(selections[one.selection].clips, one) for one in declared}

    monkeypatch.setattr(runner, "predict", predict)
    return lambda *parts: Study(CONFIG, store, {part.name: part for part in parts})


def test_single_system_is_the_best_on_validation_speakers_and_votes_are_measured_against_it(study_of):
    part = selection_of("emodb", 6)
    study = study_of(part)
    table = votes.table(study).set_index("system")
    single = table.loc[votes.SINGLE]
    assert "logistic" in single["members"]
    assert "184 means" in single["members"]
    best = {one: predicted(part.clips, one) for one in votes.members("emodb", study)}
    validation = {one: metrics.uar_of(rows[rows["role"] == "validation"]) for one, rows in best.items()}
    chosen = best[max(validation, key=validation.get)]
    assert single["uar"] == pytest.approx(metrics.uar_of(chosen[chosen["role"] == "test"]))
    assert {"vote of the models", "vote of the features", "weighted vote", "stack"} == set(table.index) - {votes.SINGLE}
    voted = table.drop(index=votes.SINGLE)
    assert np.allclose(voted["difference"], voted["uar"] - single["uar"])
    assert ((voted["low"] <= voted["difference"]) & (voted["difference"] <= voted["high"])).all()
    assert (voted["p_holm"] >= voted["p"]).all()


def test_every_vote_is_a_test_evaluation_in_the_ledger(study_of, store):
    table = votes.table(study_of(selection_of("emodb", 6)))
    kept = ledger.read(store)
    assert len(kept) == 4
    logged = dict(zip(kept["experiment"], kept["value"]))
    for row in table[table["system"] != votes.SINGLE].itertuples():
        name = f"emodb/speaker_independent/{row.system.replace(' ', '_')}"
        assert logged[name] == pytest.approx(row.uar, abs=1e-6)


def test_three_speakers_leave_none_to_decide_by(study_of):
    """With three, the validation rows are clips of the training speakers, so nothing may be chosen by them."""
    table = votes.table(study_of(selection_of("jl", 3)))
    assert table.empty
    assert "four speakers" in text.votes(table).empty
    assert text.votes_finding(table) == ""
    assert len(votes.table(study_of(selection_of("jl", 4)))) == 5


def test_finding_is_the_vote_that_is_best_on_validation_speakers(study_of):
    table = votes.table(study_of(selection_of("emodb", 6)))
    voted = table[table["system"] != votes.SINGLE]
    chosen = voted.loc[voted["uar_validation"].idxmax()]
    finding = text.votes_finding(table)
    assert chosen["system"] in finding
    assert minus(100 * chosen["difference"]) in finding
    assert p_text(chosen["p_holm"]) in finding


def test_one_system_has_no_vote_to_be_compared_with(store, monkeypatch):
    config = settings.load("full", {"benchmark.features": ["means184"], "benchmark.large_features": [],
                                    "benchmark.wide_features": [], "benchmark.encoders": [],
                                    "benchmark.models": ["logistic"]})  # fmt: skip
    part = selection_of("emodb", 6)
    monkeypatch.setattr(runner, "predict", lambda declared, *_, **__: {e: predicted(part.clips, e) for e in declared})
    table = votes.table(Study(config, store, {"emodb": part}))
    assert table["system"].tolist() == [votes.SINGLE]
    assert "one system" in text.votes_figure(table).empty


def test_the_projects_votes_stand_beside_their_best_model():
    models = pd.DataFrame(
        {
            "id": ["E001", "E001", "E001"],
            "model": ["mlp_001", "forest_gini_001", "vote_001"],
            "published": [0.88, np.nan, 0.89],
            "rebuilt": [0.85, 0.80, 0.87],
            "sd": [0.01, 0.01, 0.02],
            "n_seeds": [5, 5, 5],
        }
    )
    line = votes.baseline_votes(models).iloc[0]
    assert line["best_model"] == "mlp_001"
    assert line["gain"] == pytest.approx(0.02)
    table = votes.baseline_votes(models)
    assert text.baseline_votes(table).finding == (
        "1 of 1 votes is above the best rebuilt model of the same list; the largest gain is +2.0 points (vote (E001), "
        "E001). None of these differences is tested."
    )
    table.attrs[votes.TESTED] = {"E001": 1132}
    assert "(vote (E001), E001), about 23 of the 1,132 clips of its list. None" in text.baseline_votes(table).finding
    silent = votes.baseline_votes(models[models["model"] != "vote_001"].astype({"id": "str", "model": "str"}))
    assert silent.empty, "a list without a vote, as in the preset quick"
    assert list(silent) == list(votes.baseline_votes(models))


@pytest.mark.parametrize("project", ["E001", "E002a", "E002b"])
def test_the_test_clips_of_a_list_are_counted(names, store, project):  # noqa: F811
    baseline = baselines.BASELINES[project]
    clips, _ = of(baseline.split, names)
    here = Store(store.raw, store.derived, store.run, project_root())
    study = Study(CONFIG, here, {}, {baseline.selection: Selection(baseline.selection, clips, clips.iloc[:0])})
    assert votes._n_tested(baseline, study) == {"E001": 1132, "E002a": 491, "E002b": 491}[project]
