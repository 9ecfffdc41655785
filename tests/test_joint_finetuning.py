"""One network trained on several corpora: what learns, what is masked, cropped and drawn, and resuming by epoch."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax

from ser_study.config import Finetuning, JointFinetuning, Training
from ser_study.features import campplus_network
from ser_study.joint_finetuning import frozen, network, training
from ser_study.joint_finetuning.batches import Rows, batches, cropped, drawn, shares
from ser_study.joint_finetuning.training import Fold, Plan, train_fold
from ser_study.models.deep import progress

PLAN = Finetuning(rates=(1e-2, 1e-3, 1e-3), epochs=(2, 2, 1), batch=16, variants=())
JOINT = JointFinetuning(shortest=0.3)
N_CLIPS, N_TRAIN, FRAMES = 48, 32, 60
# domains annotate classes 0, 1, 2 and 1, 2, 3
MASKS = np.array([[True, True, True, False], [False, True, True, True]])


@pytest.fixture(scope="module", autouse=True)
def small():
    """CAM++ with one layer a block, so that its graphs are quickly made."""
    with pytest.MonkeyPatch.context() as patch:
        for name, dilation in (("block1", 1), ("block2", 2), ("block3", 2)):
            patch.setitem(campplus_network.BLOCKS, name, (1, dilation))
        yield


def built(joint=JOINT, seed=3):
    return network.build(4, PLAN, joint, seed=seed, untrained=True)


def made():
    """Filterbanks in which each class raises bands of its own; two corpora."""
    random = np.random.default_rng(0)
    domain = np.arange(N_CLIPS) % 2
    code = np.arange(N_CLIPS) // 2 % 3 + domain
    bank = random.normal(size=(N_CLIPS, FRAMES, 80))
    for i, one in enumerate(code):
        bank[i, :, one * 15 : one * 15 + 15] += 1
    return bank.astype(np.float16), np.stack([code, domain], axis=1)


def fold_of(net, folder) -> Fold:
    bank, truth = made()
    corpus = np.array(["a", "b"])[truth[:, 1]]
    clips = pd.DataFrame({"corpus": corpus, "sha256": [f"{i:03d}" for i in range(N_CLIPS)], "variant": 0})
    kept = frozen.compute(net, clips, lambda rows: bank[rows], folder, log=lambda line: None)
    variants = np.arange(N_CLIPS)[:, None]
    inputs = {name: Rows(corpus, truth, variants, kept[name].rows) for name in kept}
    inputs["bank"] = Rows(corpus, truth, variants, lambda rows: bank[rows].astype(np.float32))
    return Fold(inputs, np.arange(N_TRAIN), np.arange(N_TRAIN, 40), np.arange(40, N_CLIPS), MASKS)


def trained(folder, *, joint=JOINT, plan=PLAN, stop_after: int = 0):
    """Train in a folder; ``stop_after`` epochs of this call the process is killed."""
    lines: list[str] = []

    def log(line):
        lines.append(line)
        if len(lines) == stop_after:
            raise KeyboardInterrupt

    net = built(joint)
    how = Plan(plan, joint, Training(), 5)
    fold = fold_of(net, folder / "frozen")
    logits, state = train_fold(net, fold, how, state_file=folder / "state.npz", log=log)
    return net, logits, state, lines


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("whole"))


def test_halves_are_the_network(small):
    values = np.random.default_rng(1).normal(size=(2, 150, 80)).astype(np.float32)
    for block in ("block2", "block3"):
        net = built(JointFinetuning(block=block))
        plain = campplus_network.network((block,))
        campplus_network.set_random(plain)
        ours = np.asarray(net.upper.predict_on_batch(np.asarray(net.lower.predict_on_batch(values))))
        np.testing.assert_allclose(ours, np.asarray(plain.predict_on_batch(values)), atol=1e-5)


def test_loss_and_scores_know_only_the_classes_of_the_domain():
    truth = np.array([[1, 0], [3, 1]])
    logits = np.array([[0.3, -0.2, 1.0, 9.0], [9.0, 0.1, 0.2, 0.4]], np.float32)
    loss = np.asarray(network.masked_loss(MASKS)(truth.astype(np.float32), logits))
    wanted = [-log_softmax(logits[0, :3])[1], -log_softmax(logits[1, 1:])[2]]
    np.testing.assert_allclose(loss, wanted, rtol=1e-5)
    rows = Rows(np.array(["a", "b"]), truth, np.zeros((2, 1), int), lambda which: which)
    scored = training.scores(logits, rows, MASKS)
    assert scored["validation_loss"] == pytest.approx(np.mean(wanted), rel=1e-5)
    assert scored["validation_uars"] == {"a": 0.0, "b": 1.0}  # the 9 of a class that its corpus lacks counts for none
    assert scored["validation_uar"] == 0.5


def test_corpora_share_an_epoch_by_a_power_of_their_clips():
    corpus = np.repeat(["large", "small"], [100, 4])
    assert shares(corpus, 104, 1.0) == {"large": 100, "small": 4}
    assert shares(corpus, 104, 0.5) == {"large": 87, "small": 17}
    assert shares(corpus, 104, 0.0) == {"large": 52, "small": 52}
    rows = drawn(corpus, 104, 0.5, np.random.default_rng(0))
    assert len(set(rows[rows < 100])) == 87  # none comes twice
    assert np.bincount(rows)[100:].tolist() in ([5, 4, 4, 4], [4, 5, 4, 4], [4, 4, 5, 4], [4, 4, 4, 5])


def test_batches_read_every_variant_and_the_stream_decides():
    corpus, truth = np.repeat(["a"], 40), np.stack([np.arange(40), np.zeros(40, int)], axis=1)
    variants = np.arange(120).reshape(3, 40).T
    rows = Rows(corpus, truth, variants, lambda which: which)

    def epoch(seed):
        stream = np.random.default_rng(seed)
        return list(batches(rows, size=16, n=40, power=0.5, random=stream, crop=None))

    first = epoch(0)
    assert [len(values) for values, _ in first] == [16, 16, 8]
    values, codes = (np.concatenate(part) for part in zip(*first))
    np.testing.assert_array_equal(values % 40, codes[:, 0])  # a variant of the clip whose class it is
    assert set(values // 40) == {0, 1, 2}
    assert sorted(codes[:, 0]) == list(range(40))
    assert all(np.array_equal(one, two) for (one, _), (two, _) in zip(first, epoch(0)))
    assert not np.array_equal(first[0][0], epoch(1)[0][0])


def test_crops_are_pieces_of_the_clip_and_centred_anew():
    values = np.tile(np.arange(300.0)[None, :, None], (8, 1, 2)) + np.arange(8)[:, None, None] * 1000
    random, lengths = np.random.default_rng(0), set()
    for _ in range(40):
        part = cropped(values, random, shortest=150)
        lengths.add(part.shape[1])
        assert (np.diff(part, axis=1) == 1).all()
        np.testing.assert_array_equal(part[:, 0, 0] // 1000, np.arange(8))
    assert lengths == {150, 175, 200, 225, 250, 275, 300}
    centred = cropped(values, random, shortest=150, centred=True)
    np.testing.assert_allclose(centred.mean(axis=1), 0, atol=1e-9)
    assert cropped(values[:, :60], random, shortest=150).shape == (8, 60, 2)  # no shorter than the clip


def test_stages_change_what_they_name_and_normalisation_never(small, tmp_path, monkeypatch):
    plain, stages = training._run, []

    def watched(stage, net, *args, **options):
        before = net.weights()
        plain(stage, net, *args, **options)
        after = net.weights()
        stages.append({name for name in before if not np.array_equal(before[name], after[name])})

    monkeypatch.setattr(training, "_run", watched)
    trained(tmp_path, plan=Finetuning(rates=(1e-2,) * 3, epochs=(1, 1, 1)))
    head, block, everything = stages
    assert head == {"head/classes/kernel", "head/classes/bias"}
    assert {name.split("/")[0] for name in block} == {"head", "upper"}
    assert {name.split("/")[0] for name in everything} == {"head", "upper", "lower"}
    assert not [name for name in everything if name.endswith(("gamma", "beta", "moving_mean", "moving_variance"))]


def test_it_learns_and_ends_with_its_best_weights(whole):
    net, logits, state, lines = whole
    assert [row["stage"] for row in state.curve] == ["head"] * 2 + ["block"] * 2 + ["all"]
    assert state.best[0] > 0.6  # chance is a third
    assert state.best == max((row["validation_uar"], -row["validation_loss"]) for row in state.curve)
    assert len(lines) == 5
    assert lines[0].startswith("head 1/2 · ")
    assert "(a " in lines[0]
    assert lines[0].endswith(" · best")
    for variable, array in zip(net.variables(), state.arrays["best"]):
        np.testing.assert_array_equal(np.array(variable), array)
    assert logits.shape == (N_CLIPS - N_TRAIN, 4)
    bank, truth = made()
    rows = Rows(np.array(["a", "b"])[truth[N_TRAIN:40, 1]], truth[N_TRAIN:40], np.zeros((8, 1), int), None)
    assert training.scores(logits[:8], rows, MASKS)["validation_loss"] == pytest.approx(-state.best[1], abs=0.02)


def test_a_killed_training_ends_as_one_that_was_never_stopped(whole, tmp_path, monkeypatch):
    """Killed within the first stage, at its end, and in the middle of an epoch of the second."""
    for stop_after in (1, 1):
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path, stop_after=stop_after)
    plain = training._epoch

    def cut(stage, train, how, number):
        loss = plain(stage, train, how, number)
        if number:  # the network has moved on when the process dies
            raise KeyboardInterrupt
        return loss

    monkeypatch.setattr(training, "_epoch", cut)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path)
    monkeypatch.setattr(training, "_epoch", plain)
    _, logits, state, lines = trained(tmp_path)
    assert len(lines) == 2  # only the epoch that was cut, and the last stage
    curves = [[{**row, "seconds": 0} for row in one.curve] for one in (whole[2], state)]
    assert curves[0] == curves[1]
    np.testing.assert_array_equal(logits, whole[1])


def test_a_damaged_state_is_said_and_begun_anew(tmp_path, capsys):
    path = tmp_path / "state.npz"
    arrays = {group: [np.arange(3.0)] for group in progress.GROUPS}
    progress.write(path, progress.Progress([{"stage": "head"}], (0.5, -1.0), arrays))
    again = progress.read(path)
    assert again.curve == [{"stage": "head"}]
    assert again.best == (0.5, -1.0)
    np.testing.assert_array_equal(again.arrays["optimiser"][0], np.arange(3.0))
    path.write_bytes(path.read_bytes()[:100])
    assert progress.read(path).curve == []
    assert "state.npz is damaged" in capsys.readouterr().err


def test_frozen_outputs_are_computed_once_a_clip(small, tmp_path, monkeypatch):
    monkeypatch.setattr(frozen, "CHUNK", 8)
    net, (bank, truth) = built(), made()
    corpus = np.array(["a", "b"])[truth[:, 1]]
    clips = pd.DataFrame({"corpus": corpus, "sha256": [f"{i:03d}" for i in range(N_CLIPS)], "variant": 0})
    lines = []
    shuffled = np.random.default_rng(0).permutation(N_CLIPS)
    kept = frozen.compute(net, clips.loc[shuffled], lambda rows: bank[shuffled[rows]], tmp_path, log=lines.append)
    assert len(lines) == 6
    assert lines[0] == "frozen outputs of a, variant 0: 8 of 24 clips"
    below = np.asarray(net.lower.predict_on_batch(bank[shuffled[:5]].astype(np.float32)))
    np.testing.assert_allclose(kept["below"].rows(np.arange(5)), below, rtol=2e-3, atol=1e-3)
    pooled = np.asarray(net.pool.predict_on_batch(np.asarray(net.upper.predict_on_batch(below))))
    np.testing.assert_allclose(kept["pooled"].rows(np.arange(5)), pooled, rtol=2e-2, atol=1e-2)
    victim = next(tmp_path.glob("b-0-*-pooled.npy"))
    victim.unlink()
    again = frozen.compute(net, clips, lambda rows: bank[rows], tmp_path, log=lines.append)
    assert len(lines) == 7
    np.testing.assert_array_equal(again["below"].rows(shuffled[:5]), kept["below"].rows(np.arange(5)))
    frozen.compute(net, clips[clips["corpus"] == "a"], lambda rows: bank[rows * 2], tmp_path, log=lines.append)
    assert len(lines) == 7  # fewer corpora need nothing new


def test_attention_begins_as_plain_statistics_and_learns(small, tmp_path):
    joint = JointFinetuning(pooling="attention", shortest=0.3)
    frames = np.random.default_rng(2).normal(size=(3, 20, 16)).astype(np.float32)
    pooled = np.asarray(network._pooling("attention", 16)(frames))
    np.testing.assert_allclose(pooled, np.hstack([frames.mean(axis=1), frames.std(axis=1)]), atol=1e-3)
    plan = Finetuning(rates=(1e-2, 1e-3, 1e-3), epochs=(1, 0, 0))
    net, _, state, _ = trained(tmp_path, joint=joint, plan=plan)
    assert [row["stage"] for row in state.curve] == ["head"]
    score = next(array for name, array in net.weights().items() if name.startswith("pool/score/kernel"))
    assert np.abs(score).max() > 0


def test_a_stage_ends_when_patience_does_or_the_loss_is_no_number():
    rows = [{"loss": 1.0, "best": best} for best in (True, False, False)]
    assert not training.is_over(rows, 9, 3)
    assert training.is_over(rows, 9, 2)
    assert training.is_over(rows, 3, 9)
    assert training.is_over([{"loss": None, "best": False}], 9, 9)
    assert training.is_over([], 0, 3)
    assert not training.is_over([], 1, 3)


def test_what_cannot_be_trained_is_refused():
    fold = Fold({}, np.arange(4), np.arange(0), np.arange(2), MASKS)
    with pytest.raises(ValueError, match="validation clips of other speakers, and there are none"):
        training.check(fold, PLAN)
    with pytest.raises(ValueError, match="take 3 values each"):
        training.check(fold, Finetuning(epochs=(0, 1, 1)))
