"""A training that is killed between two epochs and goes on is the training that was not."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from test_deep import _memory, made  # noqa: F401  # the networks of one test do not stay for the next

from ser_study.config import Training
from ser_study.experiments import Experiment, execute
from ser_study.models import deep
from ser_study.models.deep import checkpoint, progress


def fitted(path, network, params, patience):
    values, truth = made(n=150, signal=0.7)
    classifier = deep.classifier(network, params, 5, Training(patience=patience))
    classifier.fit(values[:60], truth[:60], validation=(values[60:], truth[60:]), state_file=path)
    return classifier.history_.drop(columns="seconds"), classifier.predict_proba(values[60:]), classifier.best_epoch_


def kill(train, monkeypatch, after):
    """Stop a training in the middle of the epoch that follows ``after``."""
    begin = checkpoint.Checkpoint._begin

    def stopping(self):
        if len(self.curve) == after:
            raise KeyboardInterrupt
        begin(self)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "_begin", stopping)
        with pytest.raises(KeyboardInterrupt):
            train()


@pytest.mark.parametrize(
    ("network", "params", "patience"),
    [
        ("conv1d_001", {"batch": 16, "epochs": 6}, 6),  # dropout, running statistics; to its last epoch
        ("mlp_head", {"lr": 0.02}, 3),  # stopped long before
    ],
)
def test_a_killed_training_goes_on_as_if_nothing_had_been(network, params, patience, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 0)
    path = tmp_path / "state.npz"
    train = partial(fitted, path, network, params, patience)
    history, probabilities, best = fitted(None, network, params, patience)
    for after in (2, len(history) - 1):
        kill(train, monkeypatch, after)
        assert path.is_file()
    again, resumed, found = train()
    pd.testing.assert_frame_equal(history, again, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(resumed, probabilities, atol=1e-4)
    assert found == best


@pytest.mark.parametrize("epochs", [60, 4])
def test_a_run_that_fails_after_the_last_epoch_trains_no_further(epochs, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 0)
    train = partial(fitted, tmp_path / "state.npz", "mlp_head", {"lr": 0.02, "epochs": epochs}, 3)
    history, probabilities, best = train()  # stopped early, or at its limit; the caller did not delete the state
    assert (tmp_path / "state.npz").is_file()
    again, resumed, found = train()
    pd.testing.assert_frame_equal(history, again, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(resumed, probabilities, atol=1e-4)
    assert found == best


def test_a_state_of_another_network_and_one_that_cannot_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checkpoint, "EVERY", 0)
    path = tmp_path / "state.npz"
    fitted(path, "mlp_head", {"epochs": 3}, 3)
    assert len(fitted(path, "mlp_head", {"epochs": 3, "units": (7,)}, 3)[0]) == 3
    assert "is of another network" in capsys.readouterr().err
    (tmp_path / "file").write_text("where a folder should be")
    assert len(fitted(tmp_path / "file" / "state.npz", "mlp_head", {"epochs": 3}, 3)[0]) == 3
    assert "will train this network from its beginning" in capsys.readouterr().err


def test_a_killed_experiment_keeps_its_state_beside_its_folds_until_they_are_done(small_study, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 0)
    one = Experiment("synthetic", "speaker_independent", "means184", "mlp_head", fixed=True)
    config = replace(small_study.config, training=Training(max_epochs=4))
    job = execute.make(one, small_study.selections, None, config, small_study.store)
    options, folder = {"config": config, "store": small_study.store}, small_study.store.derived / "networks"
    kill(partial(execute.exact, job, **options), monkeypatch, 2)
    (state,) = folder.glob("*mlp_head*.npz")
    trained, begin = [], checkpoint.Checkpoint._begin
    monkeypatch.setattr(checkpoint.Checkpoint, "_begin", lambda self: trained.append(self) or begin(self))
    resumed = execute.exact(job, **options)
    n_folds = resumed["fold"].nunique()
    assert len(trained) == 4 * n_folds - 2
    assert not list(folder.glob("*mlp_head*.npz"))
    for artefact in folder.glob("*mlp_head*.parquet"):
        artefact.unlink()
    progress.write(state, progress.Progress([{"loss": 0.0}] * 4, arrays={name: [] for name in progress.GROUPS}))
    forced = replace(small_study.store, fresh_since=time.time() + 1)
    whole = execute._computed(job, config, forced)
    timed = ["params"]  # with the seconds of every epoch
    pd.testing.assert_frame_equal(resumed.drop(columns=timed), whole.drop(columns=timed), rtol=1e-4, atol=1e-4)


def test_a_damaged_state_begins_anew_and_a_short_training_keeps_none(tmp_path, capsys):
    path = tmp_path / "state.npz"
    train = partial(fitted, path, "mlp_head", {"epochs": 3}, 3)
    path.write_bytes(b"PK\x03\x04 not a state")
    history, probabilities, _ = train()
    assert "damaged" in capsys.readouterr().err
    assert len(history) == 3
    path.unlink()
    np.testing.assert_allclose(train()[1], probabilities, atol=1e-4)
    assert not path.exists()
