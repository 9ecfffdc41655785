"""A training that is killed between two epochs and goes on is the training that was not."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from test_deep import _memory, made  # noqa: F401  # the networks of one test do not stay for the next

from ser_study.config import Training
from ser_study.models import deep
from ser_study.models.deep import checkpoint


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
