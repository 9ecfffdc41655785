"""Chapter 06: votes are decided on valid speakers, scored once, logged, and left out where nobody can be spared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import schema
from ser_study.evaluation import metrics
from ser_study.experiments import ledger, run, votes
from ser_study.experiments.material import Material
from ser_study.store import Store

CONFIG = settings.load(
    "full",
    {
        "study.features": ["seed184", "egemaps"],
        "study.large_features": [],
        "study.models": ["dummy", "logistic", "forest"],
        "evaluation.n_bootstrap": 200,
        "evaluation.n_permutations": 200,
    },
)
CLASSES = ("angry", "happy", "sad")
SHARES = {  # (feature, model) → share right on valid and on test speakers
    ("seed184", "logistic"): (0.8, 0.6),
    ("seed184", "forest"): (0.6, 0.9),  # best on test, which must not matter
    ("egemaps", "logistic"): (0.7, 0.6),
    ("egemaps", "forest"): (0.5, 0.5),
}


def material(name: str, n_speakers: int) -> Material:
    rows = [
        {"clip_id": f"{name}/{who}_{emotion}_{i}", "speaker": f"{name}/{who}", "emotion": emotion, "corpus": name}
        for who in range(n_speakers)
        for emotion in CLASSES
        for i in range(20)
    ]
    clips = pd.DataFrame(rows).assign(gender="female")
    return Material(name, clips, clips.iloc[:0])


def told(clips: pd.DataFrame, experiment) -> pd.DataFrame:
    """Predictions of one league system: each speaker tested once, the next one valid."""
    names = sorted(clips["speaker"].unique())
    home = clips["speaker"].map(names.index).to_numpy()
    parts = []
    for fold in range(len(names)):
        for role, who in (("valid", (fold + 1) % len(names)), ("test", fold)):
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
def answered(monkeypatch):
    """Every league system answered as ``SHARES`` say."""

    def answers(declared, gathered, **options):
        return {one: told(gathered[one.selection].clips, one) for one in declared}

    monkeypatch.setattr(run, "answers", answers)


def test_single_system_is_the_best_on_valid_speakers_and_votes_are_measured_against_it(answered, store):
    part = material("emodb", 6)
    table = votes.table({"emodb": part}, config=CONFIG, store=store).set_index("system")
    single = table.loc[votes.SINGLE]
    assert "logistic" in single["members"]
    assert "184 means" in single["members"]
    best = {one: told(part.clips, one) for one in votes.members("emodb", CONFIG)}
    valid = {one: metrics.uar_of(rows[rows["role"] == "valid"]) for one, rows in best.items()}
    chosen = best[max(valid, key=valid.get)]
    assert single["uar"] == pytest.approx(metrics.uar_of(chosen[chosen["role"] == "test"]))
    assert {"vote of the models", "vote of the features", "weighted vote", "stack"} == set(table.index) - {votes.SINGLE}
    voted = table.drop(index=votes.SINGLE)
    assert np.allclose(voted["difference"], voted["uar"] - single["uar"])
    assert ((voted["low"] <= voted["difference"]) & (voted["difference"] <= voted["high"])).all()
    assert (voted["p_holm"] >= voted["p"]).all()


def test_every_vote_is_a_look_in_the_ledger(answered, store):
    table = votes.table({"emodb": material("emodb", 6)}, config=CONFIG, store=store)
    kept = ledger.read(store)
    assert len(kept) == 4
    logged = dict(zip(kept["experiment"], kept["value"]))
    for row in table[table["system"] != votes.SINGLE].itertuples():
        name = f"emodb/speaker_independent/{row.system.replace(' ', '_')}"
        assert logged[name] == pytest.approx(row.uar, abs=1e-6)


def test_three_speakers_leave_none_to_decide_by(answered, store):
    """With three, the valid rows are clips of the training speakers, so nothing may be chosen by them."""
    table = votes.table({"jl": material("jl", 3)}, config=CONFIG, store=store)
    assert table.empty
    assert "four speakers" in votes.words(table)
    assert len(votes.table({"jl": material("jl", 4)}, config=CONFIG, store=store)) == 5


def test_votes_of_the_seeds_stand_beside_their_best_member():
    models = pd.DataFrame(
        {
            "id": ["E1", "E1", "E1"],
            "model": ["mlp_001", "forest_gini_001", "vote_001"],
            "published": [0.88, np.nan, 0.89],
            "rebuilt": [0.85, 0.80, 0.87],
            "sd": [0.01, 0.01, 0.02],
            "n_seeds": [5, 5, 5],
        }
    )
    line = votes.seed_votes(models).iloc[0]
    assert line["best_member"] == "mlp_001"
    assert line["gain"] == pytest.approx(0.02)
    silent = votes.seed_votes(models[models["model"] != "vote_001"].astype({"id": "str", "model": "str"}))
    assert silent.empty, "a list without a vote, as in the preset quick"
    assert list(silent) == list(votes.seed_votes(models))
