"""Recordings of one's own: equal to the study's predictions, one answer a channel, and a clear word on all the rest."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import soundfile
from test_reading import long_recording

from ser_study import cli, corpora, recognizer
from ser_study.audio import reading
from ser_study.experiments.experiment import Experiment
from ser_study.recognizer import Recognizer, conditions
from ser_study.recognizer.files import TIMES, predict_file
from ser_study.recognizer.stream import NO_SPEECH
from ser_study.schema import probability_columns

ONE = Experiment("synthetic", "speaker_independent", "summary", "lda")


@pytest.fixture(scope="module")
def bundle(small_study, tmp_path_factory):
    made = recognizer.made(ONE, small_study.selections, config=small_study.config, store=small_study.store)
    return made.save(tmp_path_factory.mktemp("bundle") / "small.npz")


@pytest.fixture(scope="module")
def fitted(bundle):
    return Recognizer.load(bundle)


@pytest.fixture(scope="module")
def clips(small_study):
    """Files of the built-in corpus."""
    root = corpora.root_of("synthetic", small_study.store)
    return [root / path for path in small_study.clips("synthetic")["path"].iloc[:24]]


@pytest.fixture
def predict(bundle, capsys):
    """The command: exit code, what it prints, and what it complains of."""

    def run(*words):
        code = cli.main(["predict", *map(str, words), "--model", str(bundle), "--jobs", "1"])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def strict(text):
    """JSON without NaN."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def changed(path, source, change, *, subtype="FLOAT", rate=None):
    """A copy of a clip after some change of its samples (s,)."""
    samples, own = reading.read(source)
    soundfile.write(path, change(samples[:, 0]), rate or own, subtype)
    return path


def silence(path, seconds=2.0, level=0.0, rate=16_000):
    noise = level * np.random.default_rng(0).standard_normal(round(seconds * rate))
    soundfile.write(path, noise, rate, "FLOAT")
    return path


# A recording


def test_short_recordings_are_predicted_as_the_study_does_bit_for_bit(fitted, clips):
    table = fitted.predict(clips[:6])
    for path, (_, row) in zip(clips[:6], table.iterrows()):
        (one,) = predict_file(fitted, path, timeline=False).channels
        assert np.float32(one.probabilities).tobytes() == np.float32(row[probability_columns(fitted.classes)]).tobytes()
        assert one.emotion == row["emotion"]
        assert np.float32(one.confidence) == row["confidence"]


def test_two_channels_have_two_answers_and_the_same_twice_has_one(fitted, clips, tmp_path):
    parts = [reading.read(path) for path in (clips[0], clips[-1])]
    length = min(len(samples) for samples, _ in parts)
    rate, (left, right) = parts[0][1], (samples[:length, 0] for samples, _ in parts)
    soundfile.write(tmp_path / "two.wav", np.stack([left, right], 1), rate, "FLOAT")
    made = predict_file(fitted, tmp_path / "two.wav")
    assert [one.name for one in made.channels] == ["left", "right"]
    for one, samples in zip(made.channels, (left, right)):
        expected = fitted.predict_samples(samples, rate)[probability_columns(fitted.classes)].to_numpy()
        assert np.float32(one.probabilities).tobytes() == expected.tobytes()
    noise = 1e-5 * np.random.default_rng(0).standard_normal(length)
    for name, other in (("same", left), ("nearly", left + noise)):
        soundfile.write(tmp_path / f"{name}.wav", np.stack([left, other], 1), rate, "FLOAT")
        (one,) = predict_file(fitted, tmp_path / f"{name}.wav").channels
        assert one.name == "mono"
        row = fitted.predict([tmp_path / f"{name}.wav"]).iloc[0]
        assert np.float32(one.probabilities).tobytes() == np.float32(row[probability_columns(fitted.classes)]).tobytes()
    soundfile.write(tmp_path / "half.wav", np.stack([left, 0 * left], 1), rate, "FLOAT")
    half = predict_file(fitted, tmp_path / "half.wav")
    assert half.channels[1].emotion == NO_SPEECH
    assert half.channels[0].emotion != NO_SPEECH
    soundfile.write(tmp_path / "six.wav", np.stack([left] * 6, 1), rate, "FLOAT")
    six = predict_file(fitted, tmp_path / "six.wav", timeline=False)
    assert [one.name for one in six.channels] == ["mono"]
    assert "6 channels" in six.warnings[0]


def test_the_timeline_changes_at_the_joint_of_two_emotions(fitted, small_study, tmp_path):
    table = small_study.clips("synthetic")
    own, root = table["speaker"] == table["speaker"].iloc[0], corpora.root_of("synthetic", small_study.store)
    parts = []
    for emotion in ("angry", "sad"):
        read = [reading.read(root / path) for path in table.loc[own & (table["emotion"] == emotion), "path"]]
        parts.append(np.concatenate([samples[:, 0] for samples, _ in read]))
    rate = read[0][1]
    soundfile.write(tmp_path / "joint.wav", np.concatenate(parts), rate, "FLOAT")
    (one,) = predict_file(fitted, tmp_path / "joint.wav", every=0.25).channels
    middle, joint = (one.timeline["start"] + one.timeline["end"]) / 2, len(parts[0]) / rate
    lead = one.timeline["p_angry"] - one.timeline["p_sad"]
    likeliest = middle[lead.fillna(0).cumsum().idxmax()]  # before it the first leads, after it the second
    assert abs(likeliest - joint) <= 1
    assert lead[middle < joint - 1].mean() > 0.2
    assert lead[middle > joint + 1].mean() < -0.2


def test_long_recordings_are_means_over_windows_weighted_by_speech(fitted, clips, tmp_path):
    whole = np.concatenate([reading.read(path)[0][:, 0] for path in clips])
    rate = reading.header(clips[0]).sample_rate
    soundfile.write(tmp_path / "long.wav", np.pad(whole, (0, 9 * rate)), rate, "FLOAT")
    made = predict_file(fitted, tmp_path / "long.wav", every=2)
    (one,) = made.channels
    rows = one.timeline
    assert made.duration > 15
    assert list(rows.columns) == [*TIMES, *probability_columns(fitted.classes)]
    assert rows["end"].iloc[-1] == pytest.approx(made.duration)
    assert (rows["emotion"].iloc[-3:] == NO_SPEECH).all()
    spoken = rows[rows["emotion"] != NO_SPEECH]
    weights = spoken["speech"] * (spoken["end"] - spoken["start"])
    expected = np.average(spoken[probability_columns(fitted.classes)], axis=0, weights=weights)
    np.testing.assert_allclose(one.probabilities, expected)
    assert one.speech < len(whole) / rate
    again = predict_file(fitted, tmp_path / "long.wav", every=2, jobs=3)
    pd.testing.assert_frame_equal(again.channels[0].timeline, rows, check_exact=True)


@pytest.mark.parametrize("level", [0.0, 0.05])
def test_silence_and_noise_are_no_speech(fitted, tmp_path, predict, level):
    path = silence(tmp_path / "a.wav", 3, level)
    made = predict_file(fitted, path)
    (one,) = made.channels
    assert (one.emotion, one.speech) == (NO_SPEECH, 0)
    assert np.isnan([one.confidence, *one.probabilities]).all()
    assert made.warnings == [conditions.LIMITS]
    code, printed, _ = predict(path, "--format", "json")
    assert code == 0
    record = strict(printed)
    assert record["channels"][0]["confidence"] is None
    assert set(record["channels"][0]["probabilities"].values()) == {None}


@pytest.mark.parametrize(
    ("subtype", "rate"), [("PCM_U8", None), ("PCM_16", 8_000), ("PCM_16", 192_000), ("ULAW", None)]
)
def test_any_rate_and_width_is_answered(fitted, clips, tmp_path, subtype, rate):
    path = changed(tmp_path / "a.wav", clips[0], lambda samples: samples, subtype=subtype, rate=rate)
    (one,) = predict_file(fitted, path).channels
    assert len(one.timeline)
    if rate is None:
        assert sum(one.probabilities) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("n_samples", [1, 2, 100, 640])
def test_the_shortest_recordings_hold_no_speech(fitted, tmp_path, n_samples):
    soundfile.write(tmp_path / "a.wav", np.full(n_samples, 0.5), 16_000)
    (one,) = predict_file(fitted, tmp_path / "a.wav").channels
    assert one.emotion == NO_SPEECH


# Warnings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda samples: samples * 1e-3, "very quiet: −"),
        (lambda samples: np.clip(samples, *np.quantile(samples, [0.05, 0.95])), "clipped"),
        (lambda samples: np.tile(samples, 6), "long for one answer"),
    ],
    ids=["quiet", "clipped", "long"],
)
def test_what_is_unlike_the_training_clips_is_named(fitted, clips, tmp_path, change, words):
    plain = predict_file(fitted, changed(tmp_path / "plain.wav", clips[0], lambda samples: samples), timeline=False)
    odd = predict_file(fitted, changed(tmp_path / "odd.wav", clips[0], change), timeline=False)
    assert not [sentence for sentence in plain.warnings if words in sentence]
    assert [sentence for sentence in odd.warnings if words in sentence]
    assert odd.warnings[-1] == conditions.LIMITS


@pytest.mark.corpus
def test_noise_and_a_telephone_are_named(fitted, corpora_dir, tmp_path):
    from ser_study.audio import degrade
    from ser_study.corpora.files import audio_files

    folder = next(path for path in sorted(corpora_dir.iterdir()) if path.name in ("emodb", "ravdess", "tess"))
    samples, rate = reading.read(min(audio_files(folder)))
    signal = reading.to_mono(samples)
    for condition, words in ((("white", 0.0), "It is noisy"), (("telephone", 8.0), "above 4 kHz there is")):
        changed = degrade.degraded(signal, rate, condition, seed="a")
        for name, values in (("plain", signal), ("odd", changed)):
            soundfile.write(tmp_path / f"{name}.wav", values, rate, "FLOAT")
        plain, odd = (predict_file(fitted, tmp_path / f"{name}.wav", timeline=False) for name in ("plain", "odd"))
        assert not [sentence for sentence in plain.warnings if words in sentence]
        assert [sentence for sentence in odd.warnings if words in sentence]


def test_features_far_from_the_training_clips_are_named_where_the_card_has_a_limit(fitted, clips):
    for limit, n_sentences in ((0.0, 1), (1e9, 0)):
        limited = Recognizer(fitted.head, fitted.card | {"distance": {"limit": limit}})
        warnings = predict_file(limited, clips[0], timeline=False).warnings
        assert sum("few clips exceed" in sentence for sentence in warnings) == n_sentences


# The command


def test_a_file_for_people(predict, clips, fitted):
    code, printed, complaints = predict(clips[0], "--top", 2, "--timeline")
    assert (code, complaints) == (0, "")
    row = fitted.predict([clips[0]]).iloc[0]
    assert f"{row['emotion']} " in printed
    assert f"{row['confidence']:.2f}" in printed
    assert "Timeline:" in printed
    assert conditions.LIMITS in printed
    assert "left" not in printed


def test_every_format_holds_the_same(predict, clips, fitted, tmp_path):
    row = fitted.predict([clips[0]]).iloc[0]
    columns = probability_columns(fitted.classes)
    _, as_json, _ = predict(clips[0], "--format", "json", "--timeline")
    (channel,) = strict(as_json)["channels"]
    np.testing.assert_allclose(list(channel["probabilities"].values()), row[columns].astype(float), atol=1e-7)
    assert channel["timeline"][0]["start"] == 0
    _, lines, _ = predict(clips[0], "--format", "jsonl")
    assert strict(lines)["channels"][0]["probabilities"] == channel["probabilities"]
    code, _, _ = predict(clips[0], "--to", tmp_path / "a.csv")
    assert code == 0
    table = pd.read_csv(tmp_path / "a.csv")
    np.testing.assert_allclose(table[columns].to_numpy()[0], row[columns].astype(float), atol=1e-7)
    _, windows, _ = predict(clips[0], "--format", "csv", "--timeline")
    assert [float(one["end"]) for one in csv.DictReader(io.StringIO(windows))][0] == 1.0


def test_standard_input(predict, clips, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    for content, code in ((clips[0].read_bytes(), 0), (b"text, no sound", 2), (b"", 2)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        answered, printed, complaints = predict("-", "--format", "csv")
        assert answered == code
        assert "Standard input" in complaints or printed.count("\n") == 2
        assert str(tmp_path) not in complaints
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_folder_is_continued_and_names_what_is_bad(predict, clips, tmp_path, monkeypatch, form):
    folder = tmp_path / "talks"
    (folder / "inner ü").mkdir(parents=True)
    names = ["a.wav", "inner ü/日本 b.wav", "c.wav"]
    for name, source in zip(names, clips):
        (folder / name).write_bytes(source.read_bytes())
    (folder / "bad.wav").write_bytes(b"RIFF, not really")
    (folder / "notes.txt").write_text("no recording")
    to, made = tmp_path / f"out.{form}", []
    known = recognizer.files.predict_file
    monkeypatch.setattr(recognizer.files, "predict_file", lambda *a, **k: made.append(a) or known(*a, **k))
    code, printed, complaints = predict(folder, "--to", to)
    assert (code, printed) == (1, "")
    assert "1 of 4 recordings could not be read" in complaints
    assert "bad.wav: " in complaints
    first = to.read_text(encoding="utf-8")
    assert all(name in first for name in names)
    assert len(made) == 4
    to.write_text(first[: -len(first.splitlines()[-1]) // 2], encoding="utf-8")  # stopped within the last line
    assert predict(folder, "--to", to)[0] == 1
    assert to.read_text(encoding="utf-8") == first
    assert len(made) == 6, "the last one and the bad one"
    (folder / "a.wav").write_bytes(clips[5].read_bytes())
    _, _, complaints = predict(folder, "--to", to)
    assert "2 of 4 recordings were there already" in complaints
    assert to.read_text(encoding="utf-8") != first
    to.write_text("something else\n")
    code, _, complaints = predict(folder, "--to", to)
    assert (code, to.read_text()) == (2, "something else\n")
    assert "something other" in complaints


def test_a_recording_of_two_channels_is_whole_or_predicted_again(predict, clips, tmp_path):
    (tmp_path / "talks").mkdir()
    one, other = (soundfile.read(clip)[0] for clip in clips[:2])
    n = min(len(one), len(other))
    soundfile.write(tmp_path / "talks" / "call.wav", np.stack([one[:n], other[:n]], axis=1), 16_000)
    to = tmp_path / "out.csv"
    assert predict(tmp_path / "talks", "--to", to)[0] == 0
    whole = to.read_text(encoding="utf-8")
    assert [line.split(",")[1] for line in whole.splitlines()[1:]] == ["left", "right"]
    to.write_text(whole[: -len(whole.splitlines()[-1]) // 2], encoding="utf-8")
    predict(tmp_path / "talks", "--to", to)
    assert to.read_text(encoding="utf-8") == whole


def test_a_folder_continued_with_timelines_has_them(predict, clips, tmp_path):
    (tmp_path / "talks").mkdir()
    (tmp_path / "talks" / "a.wav").write_bytes(clips[0].read_bytes())
    to = tmp_path / "out.jsonl"
    for words, has_timeline in (([], False), (["--timeline"], True)):
        assert predict(tmp_path / "talks", "--to", to, *words)[0] == 0
        (line,) = to.read_text(encoding="utf-8").splitlines()
        assert ("timeline" in line) == has_timeline


def test_a_list_of_paths(predict, clips, tmp_path):
    (tmp_path / "a.wav").write_bytes(clips[0].read_bytes())
    (tmp_path / "list.csv").write_text(f"path,who\na.wav,x\n{clips[1]},y\nnone.wav,z\n", encoding="utf-8")
    code, printed, complaints = predict(tmp_path / "list.csv", "--format", "csv")
    assert code == 1
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [row["file"] for row in rows] == ["a.wav", str(clips[1])]
    assert "none.wav" in complaints
    code, printed, _ = predict(tmp_path / "list.csv", "--format", "json")
    assert [one["file"] for one in strict(printed)] == ["a.wav", str(clips[1])]
    code, printed, _ = predict(tmp_path / "list.csv")
    assert "a.wav" in printed


WRONG = [
    (["none.wav"], "No audio file"),
    (["text.wav"], "holds text"),
    (["empty.wav"], "empty"),
    (["nothing"], "No recording below"),
    (["list.csv"], "no column 'path'"),
    (["a.wav", "--format", "jsn"], "did you mean 'json'"),
    (["a.wav", "--every", "0"], "cannot be made"),
    (["a.wav", "--top", "0"], "give 1 or more"),
    (["a.wav", "--jobs", "-1"], "number of jobs"),
    (["a.wav", "--plot", "a.gif"], "as .png or .html"),
    (["nothing", "--plot", "a.png"], "draws one recording"),
    (["nothing", "--timeline", "--format", "csv"], "no one table"),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_a_wrong_question_is_answered_clearly(bundle, clips, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").write_bytes(clips[0].read_bytes())
    (tmp_path / "text.wav").write_text("no sound at all")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "list.csv").write_text("file\na.wav\n")
    (tmp_path / "nothing").mkdir()
    assert cli.main(["predict", "--model", str(bundle), *words]) == 2
    complaints = capsys.readouterr().err
    assert message in complaints
    assert "Traceback" not in complaints
    assert complaints.count("\n") == 1


@pytest.mark.parametrize("model", ["none.npz", "a.wav"])
def test_a_model_that_is_none_is_refused(clips, tmp_path, monkeypatch, capsys, model):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").write_bytes(clips[0].read_bytes())
    assert cli.main(["predict", "a.wav", "--model", model]) == 2
    assert model in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["png", "html"])
def test_the_plot_is_a_file_that_needs_nothing_else(predict, clips, tmp_path, suffix):
    path = tmp_path / f"plot.{suffix}"
    code, _, _ = predict(clips[0], "--every", "0.5", "--plot", path)
    content = path.read_bytes()
    assert code == 0
    if suffix == "png":
        assert content.startswith(b"\x89PNG")
        return
    text = content.decode()
    assert text.count("<svg") == 1
    assert conditions.LIMITS.split(",")[0] in text
    assert "src=" not in text
    assert "<script" not in text


def command(bundle, *words, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    start = [sys.executable, "-m", "ser_study", "predict", "--model", str(bundle), "--jobs", "1"]
    return subprocess.Popen([*start, *map(str, words)], env=environment, **options)


def test_a_reader_that_goes_away_ends_it_quietly(bundle, clips, tmp_path):
    for i, source in enumerate(clips[:4]):
        (tmp_path / f"{i}.wav").write_bytes(source.read_bytes())
    process = command(bundle, tmp_path, "--format", "jsonl", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    complaints = process.stderr.read()
    assert process.wait(60) == 1
    assert b"Traceback" not in complaints
    assert b"Exception" not in complaints


def test_only_what_predicting_needs_is_imported(bundle, clips):
    code = (
        "import sys; from ser_study.cli import main; main(sys.argv[1:]); "
        "print([name for name in ('sklearn', 'tensorflow', 'matplotlib', 'keras', 'optuna') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", code, "predict", str(clips[0]), "--model", str(bundle)]
    done = subprocess.run(words, capture_output=True, env=environment, check=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peak memory is read where Linux keeps it")
def test_an_hour_is_predicted_in_600_mb(bundle, tmp_path):
    path = long_recording(tmp_path / "hour.wav", noise=(1800, 1860), rate=8_000)
    code = (
        "import re, sys\n"
        "from ser_study.recognizer import Recognizer\n"
        "from ser_study.recognizer.files import predict_file\n"
        "made = predict_file(Recognizer.load(sys.argv[1]), sys.argv[2], every=10)\n"
        "print(len(made.channels), len(made.channels[0].timeline))\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"  # its own, not its parent's
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", code, str(bundle), str(path)]
    done = subprocess.run(words, capture_output=True, env=environment, check=True, text=True)
    n_channels, n_windows, peak = map(int, done.stdout.split())
    assert (n_channels, n_windows) == (2, 360)
    assert peak / 1000 < 600  # MB


def answered(fitted, path):
    """Whether a file gets an answer, or a refusal that names it."""
    try:
        return bool(predict_file(fitted, path, timeline=False).channels)
    except ValueError as error:
        return path.name in str(error)


KINDS = {"WAV": "PCM_16", "FLAC": "PCM_16", "OGG": "VORBIS", "AIFF": "PCM_16", "MP3": None, "W64": "FLOAT"}


def test_mutated_files_give_an_answer_or_a_clear_message(fitted, clips, tmp_path):
    """Bytes changed, cut out, doubled and swapped in files of six formats; none crashes, none hangs."""
    samples, rate = reading.read(clips[0])
    samples, random, slowest = samples[: rate // 2], np.random.default_rng(0), 0.0
    for kind, subtype in KINDS.items():
        soundfile.write(tmp_path / "whole", samples, rate, subtype, format=kind)
        whole = (tmp_path / "whole").read_bytes()
        for _ in range(50):
            content = bytearray(whole)
            for _ in range(random.integers(1, 9)):
                at = int(random.integers(len(content) if random.random() < 0.5 else min(len(content), 80)))
                if random.random() < 0.7:
                    content[at] = random.integers(256)
                else:
                    content[at : at + 9] = content[at : at + 9] * int(random.integers(3))
            (tmp_path / "mutated.wav").write_bytes(content[: random.integers(1, len(content) + 1)])
            start = time.monotonic()
            assert answered(fitted, tmp_path / "mutated.wav")
            slowest = max(slowest, time.monotonic() - start)
    assert slowest < 5
