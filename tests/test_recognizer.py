"""A fitted system as one file: it predicts as the study does, and a file that is not what it says is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from test_reading import long_recording

from ser_study import config as settings
from ser_study import corpora, features, recognizer
from ser_study.audio import reading
from ser_study.config import Config
from ser_study.download import weights
from ser_study.evaluation import abstention
from ser_study.experiments import runner
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import load_selections, usable
from ser_study.models.linear_head import LinearHead
from ser_study.recognizer import Recognizer, bundle, checks
from ser_study.schema import probability_columns

ONE = Experiment("synthetic", "speaker_independent", "means184", "lda")
FOLD = (0, 1)


@pytest.fixture(scope="module")
def options(small_study):
    return {"config": small_study.config, "store": small_study.store}


@pytest.fixture(scope="module")
def fitted(small_study, options):
    return recognizer.made(ONE, small_study.selections, **options, fold=FOLD)


@pytest.fixture
def file(fitted, tmp_path):
    return fitted.save(tmp_path / "small.npz")


def paths_of(clips, ids, store):
    """Files of some clips of one corpus, in the order of the ids."""
    root = corpora.root_of(clips["corpus"].iloc[0], store)
    return [root / path for path in clips.set_index("clip_id").loc[ids, "path"]]


def rows_of_fold(rows):
    """Test rows of the fold."""
    return rows[(rows["role"] == "test") & (rows["repeat"] == FOLD[0]) & (rows["fold"] == FOLD[1])]


# It hears what the study hears


@pytest.mark.parametrize("feature", ["means184", "summary+means184"])
def test_probabilities_are_those_of_the_study_bit_for_bit(small_study, options, feature, as_computed):
    one = Experiment("synthetic", "speaker_independent", feature, "lda")
    rows = rows_of_fold(small_study.predictions(one))
    made = recognizer.made(one, small_study.selections, **options, fold=FOLD)
    table = made.predict(paths_of(small_study.clips("synthetic"), rows["clip_id"], small_study.store))
    names = probability_columns(made.classes)
    assert table[names].to_numpy().tobytes() == rows[names].to_numpy().tobytes()
    sure = table["confidence"] >= made.card["threshold"]
    assert (table.loc[sure, "emotion"].to_numpy() == rows["prediction"].to_numpy()[sure]).all()
    assert (table.loc[~sure, "emotion"] == recognizer.UNSURE).all()


def test_real_clips_too(real_store, as_computed):
    """Up to 300 test clips of a fold of EMO-DB."""
    config = settings.load("quick", {"corpora": "emodb", "evaluation.n_bootstrap": 50})
    parts, _ = usable(load_selections(config, real_store), config)
    one, options = (
        Experiment("emodb", "speaker_independent", "means184", "lda"),
        {"config": config, "store": real_store},
    )
    rows = rows_of_fold(runner.predictions(one, parts, **options)).head(300)
    made = recognizer.made(one, parts, **options, fold=FOLD)
    table = made.predict(paths_of(parts["emodb"].clips, rows["clip_id"], real_store))
    names = probability_columns(made.classes)
    assert table[names].to_numpy().tobytes() == rows[names].to_numpy().tobytes()
    assert made.card["corpora"][0]["licence"] == corpora.module("emodb").INFO.licence


def test_a_clip_is_heard_alone_as_among_others(fitted, small_study):
    clips = small_study.clips("synthetic")
    paths = paths_of(clips, clips["clip_id"].iloc[:7], small_study.store)
    together = fitted.predict(paths)
    alone = pd.concat([fitted.predict([path]) for path in paths], ignore_index=True)
    pd.testing.assert_frame_equal(alone, together, check_exact=True)


def test_fitted_on_all_clips_it_is_another_head(small_study, options, fitted):
    whole = recognizer.made(ONE, small_study.selections, **options)
    n_clips = len(small_study.clips("synthetic"))
    assert whole.card["n_train"] == n_clips
    assert fitted.card["n_train"] == n_clips - len(rows_of_fold(small_study.predictions(ONE)))
    assert not np.array_equal(whole.head.coefficients, fitted.head.coefficients)
    assert whole.card["scores"] == fitted.card["scores"], "the scores are those of the experiment, out of fold"


def test_files_samples_and_channels_give_the_same(fitted, small_study):
    clips = small_study.clips("synthetic")
    path = paths_of(clips, clips["clip_id"].iloc[:1], small_study.store)
    of_file = fitted.predict(path)
    samples, rate = reading.read(path[0])
    one = fitted.predict_samples(samples, rate)
    pd.testing.assert_frame_equal(one, of_file.drop(columns="path"))
    two = fitted.predict_samples(np.repeat(samples, 2, axis=1), rate)
    pd.testing.assert_frame_equal(two, one, atol=1e-4)
    with pytest.raises(ValueError, match="give floats"):
        fitted.predict_samples((samples * 32_767).astype(np.int16), rate)
    with pytest.raises(ValueError, match="give floats"):
        fitted.predict_samples(samples.T, rate)
    with pytest.raises(ValueError, match="Give a list"):
        fitted.predict(path[0])
    assert fitted.predict([]).columns.tolist() == of_file.columns.tolist()


def test_a_file_without_sound_is_refused(fitted, tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    for name, error in (("empty.wav", (ValueError, OSError)), ("silent.wav", ValueError)):
        with pytest.raises(error, match=name):
            fitted.predict([tmp_path / name])


KEPT_NOT = [
    *({"model": "logistic"}, {"fixed": True}, {"shuffle": "global"}, {"leak": "augment_before_split"}, {"size": 9}),
    *({"protocol": "random"}, {"variants": (1,)}, {"treatment": "trim 30 dB"}, {"train_speakers": 2}, {"draws": 2}),
    {"sources": ("tess",), "protocol": "cross_corpus"},
]


@pytest.mark.parametrize("change", KEPT_NOT, ids=str)
def test_what_cannot_be_kept_is_refused(small_study, options, change):
    one = dataclasses.replace(ONE, **change)
    with pytest.raises(ValueError, match="cannot be kept"):
        recognizer.made(one, small_study.selections, **options)


def test_a_fold_that_is_not_there_is_refused(small_study, options):
    with pytest.raises(ValueError, match=r"no fold \(0, 99\)"):
        recognizer.made(ONE, small_study.selections, **options, fold=(0, 99))


# The file


def test_a_fresh_process_gives_the_same_bytes(fitted, file, small_study):
    clips = small_study.clips("synthetic")
    paths = paths_of(clips, clips["clip_id"].iloc[:3], small_study.store)
    assert file.read_bytes() == fitted.save(file.with_name("again.npz")).read_bytes()
    code = (
        "import sys; from ser_study.recognizer import Recognizer; r = Recognizer.load(sys.argv[1]); "
        "t = r.predict(sys.argv[2:]); sys.stdout.buffer.write(t[[f'p_{c}' for c in r.classes]].to_numpy().tobytes())"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(file), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert done.stdout == fitted.predict(paths)[probability_columns(fitted.classes)].to_numpy().tobytes()


def test_the_card_says_what_it_is_and_how_well_it_hears(file, small_study):
    card = Recognizer.load(file).card
    scores = small_study.scores([ONE]).set_index("metric")
    assert card["scores"]["uar"]["value"] == pytest.approx(scores.loc["uar", "value"])
    assert card["scores"]["uar"]["low"] < card["scores"]["uar"]["value"] < card["scores"]["uar"]["high"]
    assert card["corpora"][0]["licence"]
    assert card["made_with"]["ser_study"]
    assert "decisions about people" in card["limits"]
    assert {row["aim"] for row in card["thresholds"]} == set(abstention.AIMS)


def spoilt(rows, chosen):
    """The same predictions, those of some rows wrong."""
    return rows.assign(prediction=rows["prediction"].where(~chosen, "nothing"))


def test_thresholds_are_learned_without_the_speakers_that_they_answer(small_study, options, fitted):
    """The clips of one fold's test speakers are spoilt, in whatever role, and its answers stay the same ones."""
    rows = small_study.predictions(ONE)
    for _, one in rows.groupby("fold"):
        ids = set(one.loc[one["role"] == "test", "clip_id"])
        changed = spoilt(rows, rows["clip_id"].isin(ids))
        own = changed[changed["fold"] == one["fold"].iloc[0]]
        for row, other in zip(abstention.coverage_by_aim(one), abstention.coverage_by_aim(own), strict=True):
            assert row["coverage"] == other["coverage"], "the threshold did not move"
            assert other["accuracy"] in (0, None)
    heard = rows[(rows["fold"] == FOLD[1]) & (rows["role"] == "validation")]
    sure = heard[probability_columns(fitted.classes)].max(axis=1)
    answered = (heard["prediction"] == heard["truth"])[sure >= fitted.card["threshold"]]
    assert answered.mean() >= abstention.ANSWERS_AT
    tested = set(rows_of_fold(rows)["clip_id"])
    assert not tested & set(heard["clip_id"])


def test_where_nothing_is_sure_enough_it_never_answers(fitted, small_study):
    clips = small_study.clips("synthetic")
    never = Recognizer(fitted.head, fitted.card | {"threshold": None})
    table = never.predict(paths_of(clips, clips["clip_id"].iloc[:3], small_study.store))
    assert (table["emotion"] == recognizer.UNSURE).all()


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def repacked(file: Path, change) -> None:
    """The same zip with other members: ``change`` is given name → content."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in change(members).items():
            archive.writestr(name, content)


def with_card(file: Path, change) -> None:
    """The same bundle with another card, whose fingerprint is right."""
    arrays, card = bundle.read(file)
    card = {name: value for name, value in card.items() if name not in ("format", "arrays")}
    bundle.write(file, arrays, change(card))


def npy(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def test_every_flipped_byte_of_the_content_is_noticed(file):
    content = file.read_bytes()
    for place in np.random.default_rng(0).integers(40, len(content), 60):
        changed = bytearray(content)
        changed[place] ^= 0x40
        file.write_bytes(changed)
        try:
            arrays, card = bundle.read(file)
        except ValueError:
            continue
        file.write_bytes(content)  # a byte that carries nothing, such as a date: the content must be the same
        whole, known = bundle.read(file)
        assert card == known
        assert all(np.array_equal(arrays[name], whole[name]) for name in whole)


def test_a_pickle_inside_is_refused_and_not_opened(file, tmp_path):
    trap = np.empty(1, object)
    trap[0] = Trap(tmp_path / "opened")
    content = npy(trap)

    def hide(members):
        card = json.loads(members[bundle.CARD])
        del card["digest"]
        card["arrays"]["centre"]["sha256"] = hashlib.sha256(content).hexdigest()
        card["digest"] = settings.fingerprint(card)
        return members | {"centre.npy": content, bundle.CARD: json.dumps(card).encode()}

    repacked(file, hide)
    with pytest.raises(ValueError, match="numbers of eight bytes"):
        Recognizer.load(file)
    assert not (tmp_path / "opened").exists()
    file.write_bytes(pickle.dumps(Trap(tmp_path / "opened")))
    with pytest.raises(ValueError, match="no bundle"):
        Recognizer.load(file)
    assert not (tmp_path / "opened").exists()


def audio_with(**changes):
    """A card whose feature was made from a signal prepared in another way."""

    def change(card):
        (known,) = card["features"]
        return card | {"features": [known | {"audio": known["audio"] | changes}]}

    return change


def deep(n):
    value = []
    for _ in range(n):
        value = [value]
    return value


CARDS = {
    "a class too few": (lambda card: card | {"classes": card["classes"][:-1]}, "do not go together"),
    "a class twice": (lambda card: card | {"classes": card["classes"][:-1] + card["classes"][:1]}, "go together"),
    "classes that are no list": (lambda card: card | {"classes": "angry"}, "no linear recogniser"),
    "classes that are no words": (lambda card: card | {"classes": [1, 2, 3, 4, 5, 6]}, "no linear recogniser"),
    "a class like the answer of doubt": (lambda card: card | {"classes": [*card["classes"][:-1], "unsure"]}, "linear"),
    "a class that moves the cursor": (lambda card: card | {"classes": [*card["classes"][:-1], "\x1b[2J"]}, "linear"),
    "no classes": (lambda card: {k: v for k, v in card.items() if k != "classes"}, "no linear recogniser"),
    "an unknown feature": (lambda card: card | {"features": [{"feature": "mfcc99"}]}, "cannot make"),
    "another version": (lambda card: card | {"features": [card["features"][0] | {"version": 99}]}, "or code"),
    "no features": (lambda card: card | {"features": None}, "cannot make"),
    "an empty list of features": (lambda card: card | {"features": []}, "cannot make"),
    "features by name": (lambda card: card | {"features": ["means184"]}, "cannot make"),
    "a feature twice": (lambda card: card | {"features": card["features"] * 2}, "one of them twice"),
    "another rate": (audio_with(sample_rate=0), "cannot make"),
    "a rate that is true": (audio_with(sample_rate=True), "cannot make"),
    "a rate in words": (audio_with(sample_rate="22050"), "other settings"),
    "a switch in words": (audio_with(trim="no"), "other settings"),
    "a length beyond memory": (audio_with(length=1e9), "more than 600"),
    "a setting that there is not": (audio_with(colour="blue"), "cannot make"),
    "a setting nested deeply": (audio_with(pad=deep(300)), "cannot make"),
    "a threshold above 1": (lambda card: card | {"threshold": 7}, "between 0 and 1"),
    "a threshold that is true": (lambda card: card | {"threshold": True}, "between 0 and 1"),
    "a threshold in words": (lambda card: card | {"threshold": "0.5"}, "between 0 and 1"),
}


@pytest.mark.parametrize(("change", "words"), CARDS.values(), ids=CARDS)
def test_a_card_that_does_not_fit_is_refused(file, change, words):
    with_card(file, change)
    with pytest.raises(ValueError, match=words):
        Recognizer.load(file)


def card_with(members, **changes):
    """Members whose card is changed and signed anew."""
    card = json.loads(members[bundle.CARD]) | changes
    del card["digest"]
    card["digest"] = settings.fingerprint(card)
    return members | {bundle.CARD: json.dumps(card).encode()}


def signed(members, **arrays):
    """Members whose card lists other content of an array, signed anew."""
    card = json.loads(members[bundle.CARD])
    for name, (content, shape) in arrays.items():
        card["arrays"][name] = {"shape": shape, "sha256": hashlib.sha256(content).hexdigest()}
    more = {f"{name}.npy": content for name, (content, _) in arrays.items()}
    return card_with(members | more, arrays=card["arrays"])


HUGE = npy(np.zeros(3)).replace(b"(3,), ", b"(10000000000,), ")
FILES = {
    "newer": (lambda members: card_with(members, format=bundle.FORMAT + 1), "Update the package"),
    "no number": (lambda members: card_with(members, format="one"), "Update the package"),
    "a number that is true": (lambda members: card_with(members, format=True), "Update the package"),
    "edited": (
        lambda members: members | {bundle.CARD: members[bundle.CARD].replace(b'"means184"', b'"means185"')},
        "was changed",
    ),
    "an array too many": (lambda members: members | {"more.npy": npy(np.zeros(2))}, "not those of its card"),
    "an array too few": (lambda members: {k: v for k, v in members.items() if k != "scale.npy"}, "not those of its"),
    "another array": (lambda members: members | {"scale.npy": npy(np.ones(()))}, "damaged or was changed"),
    "arrays that are a number": (lambda members: card_with(members, arrays=3), "cannot be read"),
    "arrays that are nothing": (lambda members: card_with(members, arrays=None), "cannot be read"),
    "an array described in words": (
        lambda members: card_with(members, arrays=dict.fromkeys(json.loads(members[bundle.CARD])["arrays"], "x")),
        "no shape",
    ),
    "a shape beyond memory": (lambda members: signed(members, centre=(HUGE, [10_000_000_000])), "no shape"),
    "another shape in the file": (lambda members: signed(members, centre=(HUGE, [3])), "numbers of eight bytes"),
    "a header of code": (
        lambda members: signed(members, centre=(npy(np.zeros(3)).replace(b"'descr'", b"((((((("), [3])),
        "numbers of eight bytes",
    ),
    "numbers of one byte": (
        lambda members: signed(members, centre=(npy(np.zeros(184, np.int8)), [184])),
        "numbers of eight bytes",
    ),
    "bytes after the numbers": (
        lambda members: signed(members, centre=(npy(np.zeros(184)) + b"more", [184])),
        "numbers of eight bytes",
    ),
    "a scale of two": (lambda members: signed(members, scale=(npy(np.ones(2)), [2])), "no linear recogniser"),
    "a scale below 0": (lambda members: signed(members, scale=(npy(np.float64(-1)), [])), "must be above 0"),
    "a deviation of 0": (lambda members: signed(members, deviation=(npy(np.zeros(184)), [184])), "must be above 0"),
    "one column for all": (
        lambda members: signed(
            members,
            centre=(npy(np.zeros(1)), [1]),
            deviation=(npy(np.ones(1)), [1]),
            coefficients=(npy(np.ones((6, 1))), [6, 1]),
        ),
        "do not go together",
    ),
    "no card": (lambda members: {k: v for k, v in members.items() if k != bundle.CARD}, "has no card.json"),
    "a card that is no JSON": (lambda members: members | {bundle.CARD: b"{"}, "cannot be read"),
    "a card that is a list": (lambda members: members | {bundle.CARD: b"[]"}, "cannot be read"),
    "a card so deep": (lambda members: members | {bundle.CARD: b"[" * 100_000}, "cannot be read"),
    "a card of a megabyte": (
        lambda members: members | {bundle.CARD: bytes(bundle.LARGEST_CARD + 1)},
        "no card.json of",
    ),
    "a bomb": (lambda members: members | {"more.npy": bytes(bundle.LARGEST + 1)}, "It is not opened"),
    "many files": (lambda members: members | {f"{i}.npy": b"" for i in range(99)}, "It is not opened"),
}


@pytest.mark.parametrize(("change", "words"), FILES.values(), ids=FILES)
def test_a_file_that_is_not_what_it_says_is_refused(file, change, words):
    repacked(file, change)
    with pytest.raises(ValueError, match=words):
        Recognizer.load(file)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packings_are_refused(file, packing):
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="packed or encrypted in another way"):
        Recognizer.load(file)


def test_a_member_larger_than_it_says_takes_no_memory(file):
    """A card that declares 100 bytes and would unpack to a hundred megabytes."""
    repacked(file, lambda members: members | {bundle.CARD: bytes(100 * 2**20)})
    content = bytearray(file.read_bytes())
    at = content.rindex(bundle.CARD.encode()) - 46  # its entry in the directory
    content[at + 24 : at + 28] = (100).to_bytes(4, "little")
    file.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"damaged|cannot be read"):
        Recognizer.load(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 2**20


def test_a_cut_file_a_text_and_no_file_are_told_apart(file, tmp_path):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="is damaged"):
        Recognizer.load(file)
    with pytest.raises(FileNotFoundError):
        Recognizer.load(tmp_path / "nothing.npz")
    with pytest.raises(ValueError, match="is no file"):
        Recognizer.load(tmp_path)


def test_arrays_that_are_no_numbers_are_refused(file):
    arrays, card = bundle.read(file)
    card = {name: value for name, value in card.items() if name not in ("format", "arrays")}
    bundle.write(file, arrays | {"scale": np.float64(np.nan)}, card)
    with pytest.raises(ValueError, match="no finite numbers"):
        Recognizer.load(file)
    bundle.write(file, arrays | {"intercepts": arrays["intercepts"][:-1]}, card)
    with pytest.raises(ValueError, match="do not go together"):
        Recognizer.load(file)


def test_values_of_another_width_are_refused(fitted):
    with pytest.raises(ValueError, match="takes 184 columns"):
        fitted.probabilities(np.zeros((3, 1)))


def test_other_libraries_are_named(fitted):
    old = fitted.card | {"made_with": fitted.card["made_with"] | {"librosa": "0.1"}}
    with pytest.warns(UserWarning, match="other versions of librosa"):
        Recognizer(fitted.head, old)


def test_weights_that_are_not_here_are_named_and_not_fetched(monkeypatch, fitted):
    monkeypatch.setattr(weights, "is_here", lambda name: False)
    monkeypatch.setattr(weights, "path", lambda name: pytest.fail("fetched"))
    encoder = checks.described("moonshine", Config())
    d = features.width("moonshine", config=Config())
    n = len(fitted.classes)
    head = LinearHead(fitted.classes, np.zeros(d), np.ones(d), np.zeros((n, d)), np.zeros(n), 1.0)
    with pytest.raises(ValueError, match="ser-study download moonshine"):
        Recognizer(head, fitted.card | {"features": [encoder]})


def test_a_feature_of_a_process_of_its_own_is_refused(fitted):
    card = fitted.card | {"features": [checks.described("egemaps", Config())]}
    n = len(fitted.classes)
    head = LinearHead(fitted.classes, np.zeros(0), np.ones(0), np.zeros((n, 0)), np.zeros(n), 1.0)
    with pytest.raises(ValueError, match="process of its own"):
        Recognizer(head, card)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peak memory is read where Linux keeps it")
def test_an_hour_is_heard_in_600_mb(file, tmp_path):
    path = long_recording(tmp_path / "hour.wav", noise=(1800, 1980))
    code = (
        "import re, sys\n"
        "from ser_study.recognizer import Recognizer\n"
        "Recognizer.load(sys.argv[1]).predict([sys.argv[2]])\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"  # its own, not its parent's
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(file), str(path)]
    done = subprocess.run(command, capture_output=True, env=environment, check=True, text=True)
    assert int(done.stdout) / 1000 < 600  # MB
